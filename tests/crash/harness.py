"""Lives that are killed and begun again, and what is checked after each: nothing lost, nothing false, nobody needed."""

import hashlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from crash.life import Death, live
from crash.scene import Scene, age
from crash.truth import Holdings, holdings, observed, wrong

from nowcast.store import query, repository
from nowcast.store.forecasts import RAIN_RATE_MISSING, unpacked
from nowcast.store.query import NoForecast, Reader

FORK = get_context("forkserver")

RANDOM = "at random"
LONGEST_S = 120.0
"""A life that takes longer hangs."""

POLL_S = 0.03


@dataclass
class Tally:
    """What a campaign of kills found."""

    kills: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    histories: int = 0
    seeds: list[int] = field(default_factory=list)


@dataclass
class Witness:
    """What lives have said: their log lines in order, and the files that they said were taken in."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)

    def hear(self, source: Connection) -> None:
        """Everything that is in the pipe; a line that a kill cut off is not counted."""
        try:
            while source.poll():
                line = json.loads(source.recv_bytes())
                self.lines.append(line)
                if line["event"] == "scan stored":
                    self.accepted.add(line["file"])
        except (EOFError, OSError, ValueError):
            return


@cache
def warm_up() -> None:
    """Start the server that lives are forked from, with all that they need loaded; it finds modules as we do."""
    FORK.set_forkserver_preload(["crash.life"])
    held = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    forkserver.ensure_running()
    del os.environ["PYTHONPATH"]
    if held is not None:
        os.environ["PYTHONPATH"] = held


def one_life(
    scene: Scene, files: int, death: Death, witness: Witness, after_s: float = 0.0, trace: bool = False
) -> int:
    """Live through the first files until their end, a crash point, or `after_s` seconds; the exit code.

    Raises TimeoutError for a life that hangs.
    """
    warm_up()
    source, sink = FORK.Pipe(duplex=False)
    life = FORK.Process(target=live, args=(scene, files, death, trace, sink))
    begun = time.monotonic()
    life.start()
    sink.close()
    while life.is_alive():
        life.join(POLL_S / 3)
        witness.hear(source)
        elapsed = time.monotonic() - begun
        if after_s and elapsed > after_s:
            assert life.pid is not None
            os.kill(life.pid, signal.SIGKILL)
            life.join()
        if elapsed > LONGEST_S:
            life.kill()
            raise TimeoutError(f"a life hangs after {witness.lines[-1:]}")
    witness.hear(source)
    source.close()
    assert life.exitcode is not None
    return life.exitcode


@dataclass(frozen=True)
class Clean:
    """What a run without kills left; by number of files the points that the life with one more of them reached, in
    order, and its seconds."""

    holdings: Holdings
    traces: tuple[tuple[str, ...], ...]
    seconds: tuple[float, ...]


def clean_run(scene: Scene) -> Clean:
    """A life per file, none of them killed."""
    if scene.is_aged:
        age(scene)
    traces, seconds = [], []
    for files in range(1, len(scene.paths) + 1):
        witness, begun = Witness(), time.monotonic()
        if one_life(scene, files, Death(), witness, trace=True):
            raise RuntimeError(f"{scene.name} fails without a kill: {witness.lines[-1:]}")
        seconds.append(time.monotonic() - begun)
        traces.append(tuple(line["point"] for line in witness.lines if line["event"] == "reached"))
    return Clean(holdings(scene), tuple(traces), tuple(seconds))


def drawn(clean: Clean, done: Counter[str], at_random: float, random_: random.Random) -> list[Death | float]:
    """A death for every file but the last: seconds after which it is to come for a share of them, or else the place,
    of those on the way, at which there were the fewest."""
    deaths: list[Death | float] = []
    drawn_now = Counter(done)
    for trace, took in zip(clean.traces[:-1], clean.seconds, strict=False):
        if random_.random() < at_random:
            deaths.append(random_.uniform(0.01, took))
            continue
        names = sorted(set(trace))
        random_.shuffle(names)
        name = min(names, key=lambda one: drawn_now[one])
        drawn_now[name] += 1
        deaths.append(Death(name, random_.randint(1, trace.count(name))))
    return deaths


def history(scene: Scene, clean: Clean, deaths: list[Death | float], tally: Tally) -> None:
    """A life per file, each killed by its death, the last by none; everything is checked after each."""
    witness, unanswered = Witness(), 0
    if scene.is_aged:
        age(scene)
    with reader(scene, clean.holdings, tally):
        for files, death in enumerate([*deaths, Death()], 1):
            heard, begun = len(witness.lines), time.monotonic()
            place = death.point if isinstance(death, Death) else RANDOM
            at = (death, 0.0) if isinstance(death, Death) else (Death(), death)
            code = one_life(scene, files, at[0], witness, at[1])
            published = next(
                (line["at"] for line in witness.lines[heard:] if line["event"] == "nowcast published"), None
            )
            if published is not None:
                tally.recoveries += [published - begun] * unanswered
                unanswered = 0
            if code == -signal.SIGKILL:
                tally.kills[place] += 1
                unanswered += 1
            elif code:
                tally.violations.append(f"{scene.name}: a life ended with {code}: {witness.lines[-1:]}")
            is_over = files == len(scene.paths)
            check(scene, clean.holdings, witness, tally, f"{scene.name}, file {files}, {place}", is_over)
    if unanswered:
        tally.violations.append(f"{scene.name}: no nowcast after {unanswered} kills, {deaths}")
    tally.histories += 1


def check(scene: Scene, clean: Holdings, witness: Witness, tally: Tally, where: str, is_over: bool) -> None:
    """Every promise, as the stores stand now."""
    found = holdings(scene)
    digests = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in scene.paths}
    there = observed(found)
    tally.lost += [f"{where}: {name}" for name in sorted(witness.accepted) if digests[name] not in there]
    tally.violations += [f"{where}: {fault}" for fault in wrong(found, clean, is_over)]


@contextmanager
def reader(scene: Scene, clean: Holdings, tally: Tally) -> Iterator[None]:
    """Ask for the newest nowcast all the while: it is whole, the clean run's, and never older than the last."""
    over = threading.Event()
    thread = threading.Thread(target=_read_on, args=(scene, clean, tally, over), daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def _read_on(scene: Scene, clean: Holdings, tally: Tally, over: threading.Event) -> None:
    where = scene.settings.location("here").child("forecasts")
    newest, seen, opened = -1, "", None
    while not over.wait(POLL_S):
        if opened is None:
            opened = Reader(where) if repository.exists(where) else None
            continue
        if (snapshot := opened.snapshot) == seen:
            continue
        seen = snapshot
        try:
            found = query.latest(opened)
        except NoForecast:
            continue
        slot = int((found.init_time.values - opened.dataset.init_time.values[0]) / _cadence(scene))
        tally.looks += 1
        if slot < newest:
            tally.violations.append(f"{scene.name}: a reader saw slot {slot} after {newest}")
        expected = clean.nowcasts["forecasts"][slot]["rain_rate"]
        held = found.rain_rate.values
        if not _same(held, expected):
            tally.violations.append(f"{scene.name}: a reader saw another nowcast of slot {slot}")
        newest = slot


def _cadence(scene: Scene) -> Any:
    assert scene.region.cadence is not None
    return np.timedelta64(int(scene.region.cadence.total_seconds()), "s")


def _same(held: Any, packed: Any) -> bool:
    return bool(np.allclose(held, unpacked(packed, RAIN_RATE_MISSING), atol=1e-4, equal_nan=True))
