"""One named Ray actor per region: a warm model that issues a nowcast per scan and comes back by itself when killed."""

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import ray
import torch
from icechunk import IcechunkError
from ray.actor import ActorHandle
from ray.exceptions import RayError, RayTaskError

from nowcast.core.crashpoints import reached
from nowcast.core.timeline import isoformat
from nowcast.desk import desk, serving, strangeness
from nowcast.issue import issue_due
from nowcast.logs import configure
from nowcast.serving.cluster import LEAVE_S, NAMESPACE, ActorFailed, beside, in_time, join
from nowcast.settings import Region, Settings


class RegionActor:
    """Holds a region's models and state. All it knows beside the weights it can read off the archive again."""

    def __init__(self, region: Region, settings: Settings) -> None:
        configure(settings)
        torch.set_num_threads(os.cpu_count() or 1)
        self.desk = desk(region, settings)

    def issue(self, most: int | None = None, newest: bool = False) -> list[str]:
        """Issue what is due, at most so many, or the newest; initial times of the nowcasts made. Repeating it changes
        nothing."""
        reached("actor.issue.begun")
        made = [isoformat(nowcast.init_time) for nowcast in issue_due(self.desk, datetime.now(UTC), most, newest)]
        reached("actor.issue.done")
        return made

    def status(self) -> dict[str, Any]:
        """Process id, model, shadow model and how unlike its training the region's scans are."""
        archive = self.desk.archive
        best = serving(self.desk, archive) if archive is not None else None
        return {
            "pid": os.getpid(),
            "model": best.nowcaster.model_id if best else "",
            "shadow": self.desk.roster.named.shadow or "",
            "warning": strangeness(best.nowcaster, archive) if best and archive else "",
        }


def region_actor(region: Region, settings: Settings) -> ActorHandle[RegionActor]:
    """The region's actor, started when it is not running. It outlives its creator on a shared cluster."""
    remote: Any = ray.remote(RegionActor)
    handle: ActorHandle[RegionActor] = remote.options(
        name=f"region-{region.name}",
        get_if_exists=True,
        lifetime="detached",
        max_restarts=-1,
        max_task_retries=-1,
        num_gpus=region.gpus,
        num_cpus=region.cpus,
    ).remote(region, settings)
    return handle


async def issue_at_actor(region: Region, settings: Settings, timeout_s: float, newest: bool = False) -> list[str]:
    """Let the region's actor issue the oldest nowcast that is due, or the newest; its initial time, or nothing.

    An actor that is killed meanwhile restarts and finishes the call. Raises ActorFailed when the actor is dead, cannot
    be started, fails, or gives no answer in time, after which it is killed, to restart. Errors of a store are raised as
    they are. Raises ActorFailed, too, while no Ray can be reached.
    """
    await join(settings)
    try:
        actor = await in_time(beside(partial(region_actor, region, settings)), timeout_s)
        reached("actor.call.before")
        answer: asyncio.Future[list[str]] = asyncio.wrap_future(actor.issue.remote(1, newest).future())
        made = await asyncio.wait_for(answer, timeout_s)
        reached("actor.call.after")
        return made
    except RayTaskError as error:
        if isinstance(error.cause, IcechunkError | OSError):
            raise
        raise ActorFailed(f"actor failed: {error.cause!r}") from error
    except TimeoutError as error:
        await _restart(region)
        raise ActorFailed(f"actor did not answer in {timeout_s:g} s") from error
    except RayError as error:
        raise ActorFailed(f"actor died: {_first_line(error)}") from error


async def _restart(region: Region) -> None:
    """Kill the region's actor, so that it starts again, if its cluster answers."""
    with suppress(TimeoutError, RayError, ValueError):
        await in_time(beside(partial(_kill, region)), LEAVE_S)


def _kill(region: Region) -> None:
    ray.kill(ray.get_actor(f"region-{region.name}", NAMESPACE), no_restart=False)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def stop(region: Region) -> None:
    """End the region's actor for good."""
    ray.kill(ray.get_actor(f"region-{region.name}", namespace=NAMESPACE), no_restart=True)
