"""One life of the system: a process that follows a scene's feed from wherever it stands until it ends or is killed.

Loaded once by a fork server, so that a life begins within milliseconds. What it says of itself are its own log lines,
which go to whoever counts.
"""

import errno
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dask.array
import structlog
import torch
from crash.scene import Scene

from nowcast import champion, registry, sources
from nowcast import ingest as taking_in
from nowcast.alerts import judging
from nowcast.core import crashpoints
from nowcast.exports.folder import export
from nowcast.replay import follow_locally
from nowcast.sources import inflow
from nowcast.sources.feeds import Replay
from nowcast.store import days, query
from nowcast.store.archive import open_archive
from nowcast.store.query import Reader
from nowcast.store.retention import sweep

LOADED_BEFOREHAND = (dask.array,)
"""What xarray would load in every life anew."""

ALWAYS = timedelta(days=36_500)


@dataclass(frozen=True)
class Death:
    """Where a life ends: when it reaches a crash point for the n-th time; nowhere without a point.

    With `errors` it is not killed: the disk fails once at every point but the export's.
    """

    point: str = ""
    nth: int = 1
    errors: bool = False


@dataclass
class Staged:
    """The scene's files one by one, with the promotion in its place."""

    scene: Scene
    replay: Replay
    taken: int = field(default=0)

    @property
    def exhausted(self) -> bool:
        return self.replay.exhausted

    def poll(self) -> list[Path]:
        if self.taken == self.scene.promotion:
            promote(self.scene, datetime.now(UTC))
            if self.scene.is_aged:
                damage(self.scene)
        self.taken += 1
        return self.replay.poll()


def live(scene: Scene, files: int, death: Death, trace: bool, witness: Connection) -> None:
    """Follow the feed, which has so many files by now, and export what is newest; log lines go to the witness."""
    torch.set_num_threads(1)
    judging.STALE_AFTER = ALWAYS
    if not scene.is_sandboxed:
        taking_in.decode = lambda path, limits: sources.decode(path)

    def tell(event: str, **more: Any) -> None:
        witness.send_bytes(json.dumps({"event": event, "at": time.monotonic()} | more, default=str).encode())

    structlog.configure(processors=[_to(tell)])
    if trace:
        for name in crashpoints.POINTS:
            crashpoints.arm(name, _noted(tell, name))
    if death.errors:
        inflow.AGAIN_S = 0.0
        for name in crashpoints.POINTS:
            if not name.startswith("export"):
                crashpoints.arm(name, _failing_once(name))
    if death.point:
        crashpoints.arm(death.point, killed_at(death.nth))
    feed = Staged(scene, Replay(list(scene.paths[:files])))
    follow_locally(scene.region, scene.settings, feed, lambda *_: None, lambda: None)
    if scene.is_aged:
        sweep(scene.settings.location("here").child("archive"), timedelta(0), datetime.now(UTC))
    if scene.settings.location("here").is_local:
        found = query.latest(Reader(scene.settings.location("here").child("forecasts")))
        list(export(found, "here", Path(scene.settings.store).parent / "exports", ("stac",)))
    tell("ended")


def promote(scene: Scene, now: datetime) -> None:
    """Register the challenger and make it champion, if it is not."""
    where = scene.settings.models("here")
    made = registry.register(where, scene.challenger, now)
    if registry.pointer(where).champion != made.model_id:
        sampling = open_archive(scene.settings.location("here").child("archive")).sampling
        champion.promote(where, made.model_id, sampling, "better", now)


def damage(scene: Scene) -> None:
    """Cut the file of scores short, once in a history."""
    where = Path(scene.settings.location("here").url)
    (day,) = (where / days.FOLDER).glob("*.parquet")
    if not (done := where / "damaged").exists():
        day.write_bytes(day.read_bytes()[:-100])
        done.touch()


def _to(tell: Callable[..., None]) -> Callable[..., Any]:
    """A log processor that hands every line to the witness."""

    def processor(_: Any, level: str, line: dict[str, Any]) -> Any:
        tell(level=level, **line)
        raise structlog.DropEvent

    return processor


def _noted(tell: Callable[..., None], name: str) -> Callable[[], None]:
    return lambda: tell("reached", point=name)


def _failing_once(name: str) -> Callable[[], None]:
    """Raises EIO when it is called for the first time."""
    passed = count(1)

    def strike() -> None:
        if next(passed) == 1:
            raise OSError(errno.EIO, "Input/output error", name)

    return strike


def killed_at(nth: int) -> Callable[[], None]:
    """Ends the process when it is called for the n-th time."""
    passed = count(1)

    def strike() -> None:
        if next(passed) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike
