"""Short flows for schedules: ingest what lies in a folder, issue what is due, verify what has come true."""

import asyncio
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from flows.steps import ingest_file, issue_nowcasts, score_nowcasts, send_alerts
from nowcast.feeding import gathered
from nowcast.ingest import Ingested
from nowcast.replay import verification
from nowcast.settings import Settings

DAYS_BACK = 30
"""The longest window that operators look at."""


@flow(name="ingest")
async def ingest_folder(region: str, folder: Path | None = None) -> list[Ingested]:
    """Every file of the region's feed, or of a folder; known files change nothing."""
    settings = Settings()
    known = settings.region(region)
    paths = await asyncio.to_thread(gathered, known, settings, folder)
    return [await ingest_file(known, settings, path) for path in paths]


@flow(name="issue")
async def issue(region: str) -> list[str]:
    """Initial times of the nowcasts that were due; alerts that wait are sent, whether any was or not."""
    settings = Settings()
    known = settings.region(region)
    issued = await issue_nowcasts(known, settings)
    await send_alerts(known, settings)
    return issued


@flow(name="verify")
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
