"""Short flows for schedules: ingest what lies in a folder, issue what is due, verify what has come true."""

import asyncio
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from flows.events import INGEST, tell_committed
from flows.showing import show_nowcast
from flows.signing import signed
from flows.steps import ingest_file, issue_nowcasts, score_nowcasts, send_alerts
from nowcast.feeding import gathered
from nowcast.ingest import Ingested
from nowcast.replay import verification
from nowcast.settings import Settings

DAYS_BACK = 30
"""The longest window that operators look at."""


@flow(name="ingest", on_running=[signed])
async def ingest_folder(region: str, folder: Path | None = None) -> list[Ingested]:
    """Every file of the region's feed, or of a folder; known files change nothing. New scans are an event."""
    settings = Settings()
    known = settings.region(region)
    paths = await asyncio.to_thread(gathered, known, settings, folder)
    taken = [await ingest_file(known, settings, path) for path in paths]
    tell_committed(known, taken, INGEST)
    return taken


@flow(name="issue", on_running=[signed])
async def issue(region: str) -> list[str]:
    """Initial times of the nowcasts that were due; alerts that wait are sent, whether any was or not."""
    settings = Settings()
    known = settings.region(region)
    issued = await issue_nowcasts(known, settings)
    await send_alerts(known, settings)
    if issued:
        await show_nowcast(known, settings)
    return issued


@flow(name="verify", on_running=[signed])
async def verify(region: str) -> dict[str, Any]:
    """Scores of every issued nowcast beside the baselines, kept as an artifact of the run.

    Days of which scores are missing, as after an outage or a damaged file, are scored first.
    """
    settings = Settings()
    known = settings.region(region)
    await score_nowcasts(known, settings, days_back=DAYS_BACK)
    summary = await asyncio.to_thread(verification, known, settings)
    await acreate_markdown_artifact(_table(summary), key=f"verification-{region}")
    return summary


def _table(summary: dict[str, Any]) -> str:
    lines = ["| method | threshold mm/h | lead min | CSI |", "|---|---|---|---|"]
    for name, thresholds in summary.get("csi", {}).items():
        for threshold, leads in thresholds.items():
            lines += [f"| {name} | {threshold} | {lead} | {value} |" for lead, value in leads.items()]
    return "\n".join(lines)
