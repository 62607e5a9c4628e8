"""The long-running flow: every new file goes through ingest and issue within a second or so, the newest first."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from prefect import flow

from flows.steps import ingest_file, issue_nowcasts, score_nowcasts
from nowcast.ingest import Ingested, Outcome
from nowcast.replay import Progress, new_times, tell
from nowcast.serving.actor import connect
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Directory, Feed
from nowcast.sources.inflow import Inflow, is_backlog
from nowcast.watch import send

log = structlog.get_logger()


@flow(name="follow", validate_parameters=False)
async def follow(region: Region, settings: Settings, feed: Feed | None = None, progress: Progress | None = None) -> int:
    """Follow a feed until it is exhausted, which a folder never is; the number of nowcasts issued."""
    inflow = Inflow(feed or Directory(settings.feed(region), region.pattern))
    connect(settings)
    count = len(await issue_nowcasts(region, settings))
    await _score(region, settings, ())
    while not inflow.exhausted:
        paths = inflow.poll()
        taken = [one for path in paths if (one := await _ingest(region, settings, inflow, path)) is not None]
        stored = any(one.outcome is Outcome.STORED for one in taken)
        issued = await issue_nowcasts(region, settings, is_backlog(paths)) if stored else []
        count += len(issued)
        if progress is not None:
            tell(progress, taken, issued)
        if times := new_times(taken):
            await _score(region, settings, times)
        if not paths:
            await asyncio.to_thread(send, region, settings, datetime.now(UTC))
            await asyncio.sleep(region.poll_s)
    return count


async def _ingest(region: Region, settings: Settings, inflow: Inflow, path: Path) -> Ingested | None:
    """What became of a file; None, logged, when it cannot be read now in spite of retries: it comes again."""
    try:
        return await ingest_file(region, settings, path)
    except OSError as error:
        log.error("file cannot be taken in now", region=region.name, file=path.name, reason=str(error))
        inflow.put_back(path)
        return None


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
