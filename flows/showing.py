"""What runs leave to be looked at on Prefect's page: the newest nowcast as a picture, and how far a long run has come.

Nobody waits for these: what goes wrong with them is logged, and the run goes on.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from itertools import count
from uuid import UUID

import httpx
import structlog
from icechunk import IcechunkError
from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from nowcast.ladder import FAILURES
from nowcast.pictures import Glance, glance
from nowcast.settings import Region, Settings

log = structlog.get_logger()

PATIENCE_S = 10.0
"""For a server that does not answer."""

EVERY_S = 2.0
"""Seconds between looks at how far a run has come."""

PAGE = 50
"""Artifacts that a server lists at once, pictures and all."""


def picture_key(region: str) -> str:
    """Under which the pictures of a region's nowcasts are kept."""
    return f"nowcast-{region}"


async def show_nowcast(region: Region, settings: Settings) -> None:
    """The region's newest nowcast as an artifact of the run: a picture, its start, its model, and a link to the map."""
    with _logged("nowcast not shown", region.name):
        seen = await asyncio.to_thread(glance, settings.location(region.name), region.name)
        text = markdown(seen, settings.map_url)
        words = f"{region.name} from {seen.init_time:%Y-%m-%d %H:%M} UTC by {seen.model}, {seen.rung}"
        await asyncio.wait_for(acreate_markdown_artifact(text, picture_key(region.name), words), PATIENCE_S)


def markdown(seen: Glance, map_url: str | None) -> str:
    """A picture within the text: Prefect keeps no files."""
    link = f"\n\n[{map_url}]({map_url})" if map_url else ""
    why = f": {seen.reason}" if seen.reason else ""
    data = b64encode(seen.png).decode()
    return (
        f"**{seen.init_time:%Y-%m-%d %H:%M} UTC**, {seen.rung}{why}\n\n![nowcast](data:image/png;base64,{data}){link}"
    )


@asynccontextmanager
async def showing_progress(key: str, share: Callable[[], float], words: str) -> AsyncIterator[None]:
    """Within, `share`, 0 to 1, is shown as a progress artifact that grows; it is whole when nothing was raised."""
    shown = await _first(key, words)
    over = asyncio.Event()
    teller = asyncio.create_task(_tell(shown, share, over, key))
    try:
        yield
        share = _whole
    finally:
        over.set()
        await teller
    await _update(shown, share(), key)


def _whole() -> float:
    return 1.0


async def _first(key: str, words: str) -> UUID | None:
    with _logged("progress not shown", key):
        return await asyncio.wait_for(acreate_progress_artifact(0.0, key, words), PATIENCE_S)
    return None


async def _tell(shown: UUID | None, share: Callable[[], float], over: asyncio.Event, key: str) -> None:
    while not over.is_set():
        await _update(shown, share(), key)
        try:
            await asyncio.wait_for(over.wait(), EVERY_S)
        except TimeoutError:
            continue


async def _update(shown: UUID | None, share: float, key: str) -> None:
    if shown is not None:
        with _logged("progress not shown", key):
            await asyncio.wait_for(aupdate_progress_artifact(shown, round(100.0 * share, 1)), PATIENCE_S)


async def forget_pictures(region: str, before: datetime) -> int:
    """Delete the pictures of a region's nowcasts that are older, but never the newest; how many went."""
    chosen = ArtifactFilter(key=ArtifactFilterKey(any_=[picture_key(region)]))
    old: list[UUID] = []
    async with get_client() as client:
        for offset in count(1, PAGE):
            page = await client.read_artifacts(
                artifact_filter=chosen, sort=ArtifactSort.CREATED_DESC, offset=offset, limit=PAGE
            )
            old += [one.id for one in page if one.created and one.created < before]
            if len(page) < PAGE:
                break
        for one in old:
            await client.delete_artifact(one)
    return len(old)


@contextmanager
def _logged(what: str, region: str) -> Iterator[None]:
    try:
        yield
    except (*FAILURES, TimeoutError, IcechunkError, httpx.HTTPError) as error:
        log.warning(what, region=region, reason=str(error) or type(error).__name__)
