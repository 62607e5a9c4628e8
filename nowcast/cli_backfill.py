"""`nowcast backfill`: archived files into a region's archive, many at a time."""

import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from nowcast.cli_options import Json, RegionName, Store, bar, errors, settings_for, show, usage

Scheduler = Annotated[
    str, typer.Option(help="threads, processes, sync, or the address of a Dask scheduler: tcp://host:8786, tls://...")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Workers on this machine; one per core by default.")]


def backfill(
    folder: Path,
    region: RegionName,
    store: Store = None,
    scheduler: Scheduler = "threads",
    workers: Workers = None,
    batch: Annotated[int, typer.Option(min=1, help="Files per commit.")] = 24,
    as_json: Json = False,
) -> None:
    """Take a folder of archived files into the region's archive, decoded in parallel. Repeating it changes nothing, and
    goes on where it was broken off."""
    from nowcast.backfill import backfill as take
    from nowcast.backfill import engine
    from nowcast.ingest import Ingested, Outcome, intake
    from nowcast.sources.feeds import files_in

    with usage():
        known, settings = settings_for(region, store)
        paths, counts, begun = files_in(folder, known.pattern), Counter[str](), time.monotonic()
        with bar(len(paths), "backfill") as step, engine(scheduler, workers) as decode:

            def progress(one: Ingested) -> None:
                counts[one.outcome.value] += 1
                step(one.outcome.value)
                if one.outcome is Outcome.QUARANTINED:
                    errors.print(f"{one.file}: {one.reason}", markup=False, highlight=False)

            take(intake(known, settings), paths, datetime.now(UTC), decode, progress, batch)
    outcomes = {outcome.value: counts[outcome.value] for outcome in Outcome}
    show([{"region": region, "files": len(paths), **outcomes, "seconds": round(time.monotonic() - begun, 1)}], as_json)
