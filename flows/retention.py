"""The daily flow after which stores are no larger than their region's YAML lets them be."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from prefect import flow, task

from nowcast.retain import retain
from nowcast.settings import Region, Settings


@task(retries=3, retry_delay_seconds=[1, 5, 30])
async def retain_stores(region: Region, settings: Settings) -> list[dict[str, Any]]:
    """What went from each store; retried when others write too long."""
    made = await asyncio.to_thread(retain, region, settings, datetime.now(UTC))
    return [one._asdict() for one in made]


@flow(name="retention")
async def retention(region: str) -> list[dict[str, Any]]:
    """Old scans, nowcasts and commits go, by the region's `keep` and `keep_history`."""
    settings = Settings()
    return await retain_stores(settings.region(region), settings)
