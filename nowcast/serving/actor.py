"""One named Ray actor per region: a warm model that issues a nowcast per scan and comes back by itself when killed."""

import logging
import os
from datetime import UTC, datetime
from typing import Any

import ray
import torch
from ray.actor import ActorHandle

from nowcast.core.timeline import isoformat
from nowcast.issue import desk, issue_due, pick_up, strangeness
from nowcast.logs import configure
from nowcast.settings import Region, Settings

NAMESPACE = "nowcast"


class RegionActor:
    """Holds a region's model and state. All it knows beside the weights it can read off the archive again."""

    def __init__(self, region: Region, settings: Settings) -> None:
        configure(settings)
        torch.set_num_threads(os.cpu_count() or 1)
        self.desk = desk(region, settings)

    def issue(self) -> list[str]:
        """Issue what is due; initial times of the nowcasts made. Repeating it changes nothing."""
        return [isoformat(nowcast.init_time) for nowcast in issue_due(self.desk, datetime.now(UTC))]

    def status(self) -> dict[str, Any]:
        """Process id, model, shadow model and how unlike its training the region's scans are."""
        archive = self.desk.archive
        if archive is not None:
            pick_up(self.desk, archive)
        method, shadow = self.desk.rolling.nowcaster, self.desk.shadow
        return {
            "pid": os.getpid(),
            "model": method.model_id,
            "shadow": shadow.nowcaster.model_id if shadow else "",
            "warning": strangeness(method, archive) if archive else "",
        }


def connect(settings: Settings) -> None:
    """Join the configured Ray cluster, or start one on this machine; nothing when connected already."""
    if not ray.is_initialized():
        ray.init(
            address=settings.ray_address,
            namespace=NAMESPACE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )


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


def stop(region: Region) -> None:
    """End the region's actor for good."""
    ray.kill(ray.get_actor(f"region-{region.name}", namespace=NAMESPACE), no_restart=True)


def disconnect() -> None:
    """Leave the cluster; a Ray that `connect` started ends."""
    ray.shutdown()
