"""The flow that takes archived files in, started by hand."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow

from flows.showing import showing_progress
from flows.signing import signed
from nowcast import backfill
from nowcast.ingest import Ingested, intake
from nowcast.settings import Settings
from nowcast.sources.feeds import files_in


@flow(name="backfill", on_running=[signed])
async def backfill_folder(
    region: str,
    folder: Path | None = None,
    scheduler: str = "threads",
    workers: int | None = None,
    batch: int = backfill.BATCH,
) -> dict[str, int]:
    """Every file of the region's folder, or another; the number of files by outcome.

    `scheduler` is as for `nowcast backfill`. A progress artifact shows how far it has come.
    """
    settings = Settings()
    known, counts = settings.region(region), Counter[str]()
    paths = files_in(folder or settings.feed(known), known.pattern)

    def count(one: Ingested) -> None:
        counts[one.outcome.value] += 1

    def run() -> None:
        with backfill.engine(scheduler, workers) as decode:
            backfill.backfill(intake(known, settings), paths, datetime.now(UTC), decode, count, batch)

    def done() -> float:
        return sum(counts.values()) / max(1, len(paths))

    async with showing_progress(f"backfill-{region}", done, f"{len(paths)} files into {region}"):
        await asyncio.to_thread(run)
    return dict(counts)
