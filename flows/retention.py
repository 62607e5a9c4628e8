"""The daily flow after which stores are no larger than their region's YAML lets them be."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow, task

from flows.showing import forget_pictures
from flows.signing import signed
from nowcast.retain import retain
from nowcast.settings import Region, Settings

PICTURES_STAY = timedelta(days=1)


@task(retries=3, retry_delay_seconds=[1, 5, 30])
async def retain_stores(region: Region, settings: Settings) -> list[dict[str, Any]]:
    """What went from each store; retried when others write too long."""
    made = await asyncio.to_thread(retain, region, settings, datetime.now(UTC))
    return [one._asdict() for one in made]


@flow(name="retention", on_running=[signed])
async def retention(region: str) -> list[dict[str, Any]]:
    """Old scans, nowcasts and commits go, by the region's `keep` and `keep_history`, and so do old pictures."""
    settings = Settings()
    made = await retain_stores(settings.region(region), settings)
    await forget_pictures(region, datetime.now(UTC) - PICTURES_STAY)
    return made
