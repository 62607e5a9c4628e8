"""Kills around the call to the region's actor: of the caller, and of the actor itself."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ray
from crash.harness import FORK, Tally, Witness, check, clean_run, warm_up
from crash.life import killed_at
from crash.scene import Scene
from ray_head import ray_cluster

from nowcast.core import crashpoints
from nowcast.ingest import ingest, intake
from nowcast.replay import score
from nowcast.serving.actor import issue_at_actor, region_actor, stop
from nowcast.serving.cluster import connect, disconnect

CALLER, ACTOR = ("actor.call.before", "actor.call.after"), ("actor.issue.begun", "actor.issue.done")


@contextmanager
def joined(scene: Scene) -> Iterator[Scene]:
    """The scene with a cluster of its own, joined."""
    with ray_cluster() as head:
        scene = scene.at(Path(scene.settings.store).parent, "", ray_address=head.address)
        connect(scene.settings)
        yield scene
        stop(scene.region)
        disconnect()


def actor_history(scene: Scene, folder: Path, tally: Tally) -> None:
    """A life per file, a kill in each: of the caller by turns with the actor, which finishes its call all the same."""
    scene = quiet(scene)
    clean = clean_run(scene.at(folder / "clean", ""))
    clean.holdings.beside["exports"] = {}
    with joined(scene.at(folder / "kills", "")) as on_ray:
        for files, path in enumerate(on_ray.paths, 1):
            place = (*CALLER, *ACTOR)[(files - 1) % 4]
            if place in ACTOR:
                tally.kills[place] += _killed_actor(on_ray, path, place)
            else:
                tally.kills[place] += _killed_caller(on_ray, path, place)
            check(on_ray, clean.holdings, Witness(), tally, f"actor, file {files}, {place}", is_over=False)
        follow(on_ray, on_ray.paths[-1], "")
        check(on_ray, clean.holdings, Witness(), tally, "actor at the end", is_over=True)
    tally.histories += 1


def quiet(scene: Scene) -> Scene:
    """Without promotion, catchments and alerts: what is killed here is the call."""
    region = scene.region.model_copy(update={"alerts": (), "catchments": None})
    return replace(scene, region=region, promotion=-1, name="actor")


def follow(scene: Scene, path: Path, place: str) -> None:
    """Take one file in, issue at the actor, score; killed at a place."""
    if place:
        crashpoints.arm(place, killed_at(1))
    taken = ingest(intake(scene.region, scene.settings), path, datetime.now(UTC))
    asyncio.run(_issue_all(scene))
    score(scene.region, scene.settings, taken.times)


async def _issue_all(scene: Scene) -> None:
    while await issue_at_actor(scene.region, scene.settings, 60.0):
        pass


def call_and_die(scene: Scene, path: Path, place: str, witness: Connection) -> None:
    """The life of a caller."""
    connect(scene.settings)
    follow(scene, path, place)


def _killed_actor(scene: Scene, path: Path, place: str) -> int:
    """Whether the actor is another one afterwards."""
    actor = region_actor(scene.region, scene.settings)
    before = ray.get(actor.status.remote(scene.region))["pid"]
    ray.get(actor.__ray_call__.remote(_arm, place))
    follow(scene, path, "")
    return int(ray.get(actor.status.remote(scene.region))["pid"] != before)


def _killed_caller(scene: Scene, path: Path, place: str) -> int:
    warm_up()
    source, sink = FORK.Pipe(duplex=False)
    life = FORK.Process(target=call_and_die, args=(scene, path, place, sink))
    life.start()
    life.join(120)
    source.close()
    return int(life.exitcode == -signal.SIGKILL)


def _arm(actor: Any, place: str) -> None:
    crashpoints.arm(place, lambda: os.kill(os.getpid(), signal.SIGKILL))
