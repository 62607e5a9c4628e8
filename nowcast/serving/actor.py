"""Named Ray actors, one per region or one for several: warm models that issue a nowcast per scan, and that come back by
themselves when killed."""

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
from nowcast.desk import Desk, desk, serving, strangeness
from nowcast.issue import issue_due
from nowcast.logs import configure
from nowcast.serving.cluster import LEAVE_S, NAMESPACE, ActorFailed, beside, in_time, join
from nowcast.settings import Region, Settings


class RegionActor:
    """Holds the models and states of a region, or of several that share it. All it knows beside the weights it can read
    off their archives again."""

    def __init__(self, settings: Settings) -> None:
        configure(settings)
        torch.set_num_threads(os.cpu_count() or 1)
        self.settings = settings
        self.desks: dict[str, Desk] = {}

    def issue(self, region: Region, most: int | None = None, newest: bool = False) -> list[str]:
        """Issue what is due in a region, at most so many, or the newest; initial times of the nowcasts made. Repeating
        it changes nothing."""
        reached("actor.issue.begun")
        made = [isoformat(made.init_time) for made in issue_due(self._desk(region), datetime.now(UTC), most, newest)]
        reached("actor.issue.done")
        return made

    def status(self, region: Region) -> dict[str, Any]:
        """Process id, model, shadow model and how unlike its training the region's scans are."""
        at = self._desk(region)
        best = serving(at, at.archive) if at.archive is not None else None
        return {
            "pid": os.getpid(),
            "model": best.nowcaster.model_id if best else "",
            "shadow": at.roster.named.shadow or "",
            "warning": strangeness(best.nowcaster, at.archive) if best and at.archive else "",
        }

    def _desk(self, region: Region) -> Desk:
        """The region's, made anew when its settings are others than before. ValueError when its model cannot be loaded,
        which no store is to blame for."""
        if region.name not in self.desks or self.desks[region.name].region != region:
            try:
                self.desks[region.name] = desk(region, self.settings)
            except OSError as error:
                raise ValueError(f"model cannot be loaded: {error}") from error
        return self.desks[region.name]


def region_actor(region: Region, settings: Settings) -> ActorHandle[RegionActor]:
    """The region's actor, started when it is not running. It outlives its creator on a shared cluster."""
    remote: Any = ray.remote(RegionActor)
    handle: ActorHandle[RegionActor] = remote.options(
        name=_name(region),
        get_if_exists=True,
        lifetime="detached",
        max_restarts=-1,
        max_task_retries=-1,
        num_gpus=region.gpus,
        num_cpus=region.cpus,
        resources=region.resources or None,
    ).remote(settings)
    return handle


def _name(region: Region) -> str:
    return f"region-{region.name}" if region.actor is None else f"shared-{region.actor}"


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
        answer: asyncio.Future[list[str]] = asyncio.wrap_future(actor.issue.remote(region, 1, newest).future())
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
    ray.kill(ray.get_actor(_name(region), NAMESPACE), no_restart=False)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def stop(region: Region) -> None:
    """End the region's actor for good, and with it what others that share it have there."""
    ray.kill(ray.get_actor(_name(region), namespace=NAMESPACE), no_restart=True)
