"""The tasks that flows are made of. A scan is a task; every task may be repeated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from icechunk import IcechunkError
from prefect import Task, task

from flows.events import tell_committed
from flows.showing import show_nowcast
from nowcast import replay
from nowcast.core.timeline import isoformat
from nowcast.ingest import Ingested, ingest, intake
from nowcast.issue import issue_without_actor
from nowcast.serving.actor import issue_at_actor
from nowcast.serving.cluster import ActorFailed
from nowcast.settings import Region, Settings
from nowcast.watch import send

STORE_FAILS = (OSError, IcechunkError)
"""What a store raises that cannot be reached, read or written now."""


@task(retries=3, retry_delay_seconds=[1, 5, 30])
async def ingest_file(region: Region, settings: Settings, path: Path) -> Ingested:
    """One file into the archive; retried when it cannot be read or another process commits for too long."""
    return await asyncio.to_thread(ingest, intake(region, settings), path, datetime.now(UTC))


@task(retries=3, retry_delay_seconds=[1, 5, 30])
async def issue_nowcasts(region: Region, settings: Settings, newest: bool = False) -> list[str]:
    """Everything due, or the newest alone, one by one at the region's actor; initial times. Retried when a store fails.

    What the actor cannot do is issued here, by methods that need no model.
    """
    issued: list[str] = []
    try:
        while made := await issue_at_actor(region, settings, region.actor_wait_s, newest):
            issued += made
    except ActorFailed as error:
        rest = await asyncio.to_thread(issue_without_actor, region, settings, str(error), datetime.now(UTC), newest)
        issued += [isoformat(nowcast.init_time) for nowcast in rest]
    return issued


async def send_alerts(region: Region, settings: Settings) -> None:
    """Send the region's alerts that wait. No task: it is done every few seconds, and what fails stays in the outbox."""
    await asyncio.to_thread(send, region, settings, datetime.now(UTC))


@asynccontextmanager
async def sending_alerts(region: Region, settings: Settings) -> AsyncIterator[None]:
    """Within, alerts that wait are sent every `poll_s`, beside whatever is done meanwhile, and once more at the end."""
    over = asyncio.Event()
    sender = asyncio.create_task(_send_until(over, region, settings))
    try:
        yield
    finally:
        over.set()
        await sender


async def _send_until(over: asyncio.Event, region: Region, settings: Settings) -> None:
    while not over.is_set():
        await send_alerts(region, settings)
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), region.poll_s)
    await send_alerts(region, settings)


@task(retries=2, retry_delay_seconds=[1, 5])
async def score_nowcasts(
    region: Region, settings: Settings, times: Collection[datetime] = (), days_back: int = 1
) -> list[datetime]:
    """Everything that has come true and was not scored, at `times` however long ago; the valid times scored."""
    return await asyncio.to_thread(replay.score, region, settings, times, days_back)


class Steps(NamedTuple):
    """What a cycle is made of: its tasks, and what Prefect's server is told and shown beside."""

    ingest: Callable[..., Awaitable[Ingested]]
    issue: Callable[..., Awaitable[list[str]]]
    score: Callable[..., Awaitable[list[datetime]]]
    tell: Callable[[Region, Sequence[Ingested], str], None]
    show: Callable[[Region, Settings], Awaitable[None]]


def tell_nobody(region: Region, taken: Sequence[Ingested], by: str) -> None:
    """There is no server."""


async def show_nothing(region: Region, settings: Settings) -> None:
    """There is no server."""


def unrecorded(step: Task[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A task's function with its retries, for when there is no server to record it."""
    delays = step.retry_delay_seconds
    assert isinstance(delays, list)

    async def run(*args: Any) -> Any:
        for delay in delays:
            try:
                return await step.fn(*args)
            except STORE_FAILS:
                await asyncio.sleep(delay)
        return await step.fn(*args)

    return run


RECORDED = Steps(ingest_file, issue_nowcasts, score_nowcasts, tell_committed, show_nowcast)
UNRECORDED = Steps(
    unrecorded(ingest_file), unrecorded(issue_nowcasts), unrecorded(score_nowcasts), tell_nobody, show_nothing
)
"""The same with and without Prefect's server."""
