"""The command line. Exit codes: 0 done, 1 nothing to show or something failed, 2 wrong usage or input."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nowcast.cli_alerts import alerts, catchments, receiver
from nowcast.cli_backfill import backfill
from nowcast.cli_bench import bench
from nowcast.cli_calibrate import calibrate
from nowcast.cli_deploy import deploy, worker
from nowcast.cli_ensembles import evaluate_ensembles
from nowcast.cli_evaluate import evaluate
from nowcast.cli_export import export
from nowcast.cli_members import members
from nowcast.cli_models import models, retrain
from nowcast.cli_options import Json, RegionName, Store, bar, errors, settings_for, show, usage
from nowcast.cli_plot import plot
from nowcast.cli_query import query
from nowcast.cli_retention import retention
from nowcast.cli_serve import serve
from nowcast.cli_skill import skill
from nowcast.cli_train import train
from nowcast.logs import configure
from nowcast.settings import Settings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(bench, name="bench")
app.add_typer(plot, name="plot")
app.add_typer(query, name="query")
app.add_typer(models, name="models")
app.command()(backfill)
app.command()(evaluate)
app.command()(evaluate_ensembles)
app.command()(catchments)
app.command()(alerts)
app.command()(receiver)
app.command()(serve)
app.command()(deploy)
app.command()(worker)
app.command()(skill)
app.command()(members)
app.command()(export)
app.command()(train)
app.command()(calibrate)
app.command()(retrain)
app.command()(retention)


@app.callback()
def start() -> None:
    """Precipitation nowcasting from radar."""
    with usage():
        configure(Settings())


@app.command()
def demo(
    event: Annotated[
        str, typer.Option(help="fmi, knmi-rap, knmi-pcp, mch, bom, opera, mrms, dwd-yw, synthetic")
    ] = "fmi",
    out: Annotated[Path, typer.Option(help="Folder for the stores and pictures.")] = Path("out"),
    scans: Annotated[int, typer.Option(help="Most scans to play.")] = 24,
    as_json: Json = False,
) -> None:
    """Replay an event as if live: Prefect flow, archive, Ray actor, forecast store, verification, pictures."""
    from nowcast.demo import run_demo

    with usage():
        run_demo(event, out, scans, as_json)


@app.command()
def ingest(folder: Path, region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """Take every file of a folder into the region's archive. Repeating it changes nothing."""
    from nowcast.ingest import ingest as take
    from nowcast.ingest import intake
    from nowcast.sources.feeds import files_in

    with usage():
        known, settings = settings_for(region, store)
        where, paths = intake(known, settings), files_in(folder, known.pattern)
        results = []
        with bar(len(paths), "ingest") as step:
            for path in paths:
                results.append(take(where, path, datetime.now(UTC)))
                step(results[-1].outcome)
    rows = [{"file": r.file, "outcome": r.outcome.value, "reason": r.reason} for r in results]
    show(rows, as_json)


@app.command()
def issue(region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """Issue every nowcast that is due, in this process."""
    from nowcast.desk import desk
    from nowcast.issue import issue_due
    from nowcast.watch import send

    with usage():
        known, settings = settings_for(region, store)
        made = issue_due(desk(known, settings), datetime.now(UTC))
        send(known, settings, datetime.now(UTC))
    rows = [{"init_time": n.init_time.isoformat(), "model": n.model, "leads": len(n.lead_times)} for n in made]
    show([row | {"rung": n.rung, "reason": n.reason} for row, n in zip(rows, made, strict=True)], as_json)


Anyway = Annotated[bool, typer.Option("--anyway", help="Even if Prefect's server or Ray does not answer now.")]


@app.command()
def follow(region: RegionName, store: Store = None, anyway: Anyway = False) -> None:
    """Follow the region's feed through Prefect and Ray until interrupted."""
    import asyncio

    from flows.follow import follow_anyway
    from flows.guard import refuse_unready
    from nowcast.feeding import feed_of, require_allowed

    with usage():
        known, settings = settings_for(region, store)
        refuse_unready(settings, [region], engines=not anyway)
        feed = feed_of(known, settings)
        require_allowed(feed)
        asyncio.run(follow_anyway(known, settings, feed, _report))


@app.command()
def run(
    region: RegionName,
    store: Store = None,
    local: Annotated[bool, typer.Option("--local", help="One process, no Prefect, no Ray.")] = False,
) -> None:
    """Follow the region's feed; with --local in this process alone."""
    if not local:
        follow(region, store)
        return
    from nowcast import ready
    from nowcast.claims import holding
    from nowcast.feeding import feed_of, require_allowed
    from nowcast.replay import follow_locally

    with usage():
        known, settings = settings_for(region, store)
        ready.refuse([ready.store(settings), *ready.region_faults(settings, region)])
        feed = feed_of(known, settings)
        require_allowed(feed)
        with holding(known, settings):
            follow_locally(known, settings, feed, _report, lambda: time.sleep(known.poll_s))


@app.command()
def replay(folder: Path, region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """Play a folder of scans through ingest, issue and verify; print counts and CSI per method, threshold and lead."""
    from nowcast.replay import follow_locally, verification
    from nowcast.sources.feeds import Replay, files_in

    with usage():
        known, settings = settings_for(region, store)
        paths = files_in(folder, known.pattern)
        outcomes: dict[str, int] = {}
        with bar(len(paths), "replay") as step:

            def count(taken: Any, made: list[str]) -> None:
                outcomes[taken.outcome.value] = outcomes.get(taken.outcome.value, 0) + 1
                step(taken.outcome.value)

            follow_locally(known, settings, Replay(paths), count, lambda: None)
        summary = verification(known, settings) | {"files": outcomes}
    typer.echo(json.dumps(summary)) if as_json else show_scores(summary)


@app.command()
def verify(region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """Score every issued nowcast against the scans that came since, beside persistence and advection."""
    from nowcast.replay import verification

    with usage():
        summary = verification(*settings_for(region, store))
    typer.echo(json.dumps(summary)) if as_json else show_scores(summary)


@app.command()
def info(region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """What a region's stores hold."""
    from nowcast.store import repository
    from nowcast.store.archive import gaps, open_archive, read_slots
    from nowcast.store.forecasts import open_forecasts, records
    from nowcast.store.quarantine import refusals

    with usage():
        _, settings = settings_for(region, store)
        location = settings.location(region)
        archive = open_archive(location.child("archive"))
        nowcasts = location.child("forecasts")
        held = records(open_forecasts(nowcasts)) if repository.exists(nowcasts) else {}
    slots, done = read_slots(archive), {slot: one for slot, one in held.items() if one.is_issued}
    observed, newest = slots.observed, held[max(held)] if held else None
    at = [archive.timeline.time(int(slot)).isoformat() for slot in (observed[0], observed[-1])] if len(observed) else []
    row = {
        "region": region,
        "archive": archive.description,
        "scans": len(observed),
        "first_last": " .. ".join(at),
        "gaps": len(gaps(archive)),
        "stuck": len(slots.stuck),
        "nowcasts": len(done),
        "withheld": len(held) - len(done),
        "newest": archive.timeline.time(max(done)).isoformat() if done else "",
        "rung": newest.rung if newest else "",
        "reason": newest.reason if newest else "",
        "models": ", ".join(sorted({one.model for one in done.values()})),
        "quarantined": len(refusals(settings.quarantine_folder(region))),
    }
    show([row], as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check that this installation can do its work."""
    from flows.guard import prefect_here
    from nowcast.doctor import examine

    checks = examine(Settings(), prefect_here())
    show([{"check": name, "ok": ok, "found": found} for name, ok, found in checks], as_json)
    if not all(ok for _, ok, _ in checks):
        raise typer.Exit(1)


def show_scores(summary: dict[str, Any]) -> None:
    """Counts, and CSI by method at a few leads."""
    console = Console()
    counts = {k: v for k, v in summary.items() if isinstance(v, int | str)}
    console.print("  ".join(f"{k} {v}" for k, v in counts.items()), highlight=False)
    methods = summary.get("csi", {})
    if not methods:
        return
    first = next(iter(next(iter(methods.values())).values()))
    leads = [lead for k, lead in enumerate(first) if (k + 1) % 3 == 0]
    table = Table("CSI", "mm/h", *(f"+{lead} min" for lead in leads))
    for threshold in next(iter(methods.values())):
        for name, scores in methods.items():
            values = [scores[threshold][lead] for lead in leads]
            table.add_row(name, threshold, *("-" if v is None else f"{v:.3f}" for v in values))
    console.print(table)
    if "shadow" in summary:
        console.print("beside the shadow, where both were issued:")
        show_scores(summary["shadow"])


def _report(taken: Any, made: list[str]) -> None:
    """One line per file that came in."""
    issued = f"issued {', '.join(made)}" if made else ""
    errors.print(f"{taken.file}: {taken.outcome.value} {taken.reason} {issued}", markup=False, highlight=False)
