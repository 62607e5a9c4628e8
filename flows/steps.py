"""The tasks that flows are made of. A scan is a task; every task may be repeated."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from prefect import task

from nowcast.ingest import Ingested, ingest, intake
from nowcast.serving.actor import region_actor
from nowcast.settings import Region, Settings


@task(retries=3, retry_delay_seconds=[1, 5, 30])
async def ingest_file(region: Region, settings: Settings, path: Path) -> Ingested:
    """One file into the archive; retried when it cannot be read or another process commits for too long."""
    return await asyncio.to_thread(ingest, intake(region, settings), path, datetime.now(UTC))


@task(retries=3, retry_delay_seconds=[1, 5, 30])
async def issue_nowcasts(region: Region, settings: Settings) -> list[str]:
    """Everything due at the region's actor; a killed actor restarts and finishes the call."""
    issued: list[str] = await asyncio.wrap_future(region_actor(region, settings).issue.remote().future())
    return issued
