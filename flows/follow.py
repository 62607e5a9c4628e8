"""The long-running flow: every new file goes through ingest and issue within a second or so."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import structlog
from prefect import flow

from flows.guard import refuse_exposed
from flows.steps import ingest_file, issue_nowcasts, score_nowcasts, sending_alerts
from nowcast.ingest import Ingested, Outcome
from nowcast.replay import NEW
from nowcast.serving.actor import connect
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Directory, Feed

log = structlog.get_logger()

Progress = Callable[[Ingested, list[str]], None]
"""Called after each file with what became of it and the initial times of the nowcasts it led to."""


@flow(name="follow", validate_parameters=False)
async def follow(region: Region, settings: Settings, feed: Feed | None = None, progress: Progress | None = None) -> int:
    """Follow a feed until it is exhausted, which a folder never is; the number of nowcasts issued.

    Alerts are sent beside, so that no nowcast waits for a receiver. Raises Exposed when other machines may
    reach Ray or Prefect without a token.
    """
    refuse_exposed(settings)
    feed = feed or Directory(settings.feed(region), region.pattern)
    connect(settings)
    async with sending_alerts(region, settings):
        return await _follow(region, settings, feed, progress)


async def _follow(region: Region, settings: Settings, feed: Feed, progress: Progress | None) -> int:
    count = len(await issue_nowcasts(region, settings))
    await _score(region, settings, ())
    while not feed.exhausted:
        paths = feed.poll()
        for path in paths:
            ingested = await ingest_file(region, settings, path)
            stored = ingested.outcome is Outcome.STORED
            issued = await issue_nowcasts(region, settings) if stored else []
            count += len(issued)
            if progress is not None:
                progress(ingested, issued)
            if ingested.outcome in NEW:
                await _score(region, settings, ingested.times)
        if not paths:
            await asyncio.sleep(region.poll_s)
    return count


async def _score(region: Region, settings: Settings, times: Collection[datetime]) -> None:
    """After the nowcast, for which users wait; when it fails in spite of retries, the next scan makes up for it."""
    run: Any = score_nowcasts
    ended = await run(region, settings, times, return_state=True)
    if not ended.is_completed():
        log.error("scoring failed", region=region.name, reason=ended.message)


@flow(name="follow-region")
async def follow_region(region: str) -> int:
    """`follow` for a deployment: the region and its folder are read from its YAML."""
    settings = Settings()
    return await follow.fn(settings.region(region), settings)
