"""The long-running flow: every new file goes through ingest and issue within a second or so, the newest first."""

import asyncio
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import httpx
import structlog
from icechunk import IcechunkError
from prefect import flow
from prefect.client.orchestration import get_client
from structlog.contextvars import bound_contextvars

from flows.events import FOLLOW
from flows.guard import refuse_exposed, refuse_unready
from flows.signing import signed
from flows.steps import RECORDED, STORE_FAILS, UNRECORDED, Steps, sending_alerts
from nowcast.claims import holding
from nowcast.feeding import feed_of, require_allowed
from nowcast.ingest import Ingested, Outcome
from nowcast.ladder import FAILURES
from nowcast.replay import Progress, new_times, tell
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Feed
from nowcast.sources.inflow import Inflow, is_backlog

log = structlog.get_logger()


@flow(name="follow", validate_parameters=False)
async def follow(region: Region, settings: Settings, feed: Feed | None = None, progress: Progress | None = None) -> int:
    """Follow a feed until it is exhausted, which a folder never is; the number of nowcasts issued.

    Alerts are sent beside, so that no nowcast waits for a receiver. Raises Exposed when other machines may
    reach Ray or Prefect without a token, and Rival when another process follows the region.
    """
    refuse_exposed(settings)
    return await _follow(region, settings, feed, progress, RECORDED)


async def follow_anyway(region: Region, settings: Settings, feed: Feed, progress: Progress) -> int:
    """`follow`, as a flow run if Prefect's server answers, else without one; a server that goes away stops nothing."""
    if not await _server_answers():
        log.warning("Prefect's server cannot be reached, runs are not recorded", region=region.name)
        return await _follow(region, settings, feed, progress, UNRECORDED)
    issued: list[str] = []

    def noted(taken: Ingested, made: list[str]) -> None:
        issued.extend(made)
        progress(taken, made)

    try:
        return await follow(region, settings, feed, noted)
    except httpx.HTTPError as error:
        log.warning("Prefect's server went away, the run is not ended there", region=region.name, reason=str(error))
        return len(issued)


async def _server_answers() -> bool:
    try:
        async with get_client() as client:
            return await client.api_healthcheck() is None
    except (RuntimeError, httpx.HTTPError):
        return False


async def _follow(
    region: Region, settings: Settings, feed: Feed | None, progress: Progress | None, steps: Steps
) -> int:
    source: Feed = await asyncio.to_thread(feed_of, region, settings) if feed is None else feed
    await asyncio.to_thread(require_allowed, source)
    inflow = Inflow(source)
    with bound_contextvars(region=region.name), holding(region, settings):
        async with sending_alerts(region, settings):
            return await _cycles(region, settings, inflow, progress, steps)


async def _cycles(region: Region, settings: Settings, inflow: Inflow, progress: Progress | None, steps: Steps) -> int:
    issued = await _issue(region, settings, steps)
    count = len(issued or [])
    await _score(region, settings, steps, ())
    while not inflow.exhausted:
        paths = await asyncio.to_thread(inflow.poll)
        taken = [one for path in paths if (one := await _ingest(region, settings, steps, inflow, path)) is not None]
        steps.tell(region, taken, FOLLOW)
        is_due = issued is None or any(one.outcome is Outcome.STORED for one in taken)
        issued = await _issue(region, settings, steps, is_backlog(paths)) if is_due else []
        count += len(issued or [])
        if progress is not None:
            tell(progress, taken, issued or [])
        if times := new_times(taken):
            await _score(region, settings, steps, times)
        if issued:
            await steps.show(region, settings)
        if not paths:
            await asyncio.sleep(region.poll_s)
    return count


async def _ingest(region: Region, settings: Settings, steps: Steps, inflow: Inflow, path: Path) -> Ingested | None:
    """What became of a file; None, logged, when it cannot be read now in spite of retries: it comes again."""
    try:
        return await steps.ingest(region, settings, path)
    except OSError as error:
        log.error("file cannot be taken in now", region=region.name, file=path.name, reason=str(error))
        inflow.put_back(path)
        return None


async def _issue(region: Region, settings: Settings, steps: Steps, newest: bool = False) -> list[str] | None:
    """Initial times of what was due; None, logged, while a store fails in spite of retries: it stays due."""
    try:
        return await steps.issue(region, settings, newest)
    except STORE_FAILS as error:
        log.error("issuing failed", region=region.name, reason=str(error))
        return None


async def _score(region: Region, settings: Settings, steps: Steps, times: Collection[datetime]) -> None:
    """After the nowcast, for which users wait; when it fails in spite of retries, the next scan makes up for it."""
    try:
        await steps.score(region, settings, times)
    except (*FAILURES, IcechunkError) as error:
        log.error("scoring failed", region=region.name, reason=str(error))


@flow(name="follow-region", on_running=[signed])
async def follow_region(region: str) -> int:
    """`follow` for a deployment: the region and its feed are read from its YAML."""
    settings = Settings()
    refuse_unready(settings, [region], engines=False)
    return await follow.fn(settings.region(region), settings)
