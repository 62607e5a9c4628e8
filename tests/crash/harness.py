"""Lives that are killed and begun again, and what is checked after each: nothing lost, nothing false, nobody needed."""

import hashlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from crash.life import Death, live
from crash.scene import Scene, age
from crash.truth import Holdings, holdings, observed, wrong

from nowcast.store import query, repository
from nowcast.store.query import NoForecast, Reader

FORK = get_context("forkserver")
FORK.set_forkserver_preload(["crash.life"])

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
                if line["event"] == "ingested" and line["outcome"] in ("stored", "late"):
                    self.accepted.add(line["file"])
        except (EOFError, OSError, ValueError):
            return


def one_life(scene: Scene, death: Death, witness: Witness, last: bool, after_s: float = 0.0, trace: bool = False) -> int:
    """Live until the end, a crash point, or `after_s` seconds; the exit code. Raises TimeoutError for a life that hangs."""
    source, sink = FORK.Pipe(duplex=False)
    life = FORK.Process(target=live, args=(scene, death, last, trace, sink))
    life.start()
    sink.close()
    begun = time.monotonic()
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


def clean_run(scene: Scene) -> tuple[Holdings, list[str], float]:
    """Stores without kills, the crash points in the order in which they were reached, and seconds per life."""
    witness = Witness()
    if scene.is_aged:
        age(scene)
    begun = time.monotonic()
    assert one_life(scene, Death(), witness, last=False, trace=True) == 0, witness.lines[-1:]
    took = time.monotonic() - begun
    assert one_life(scene, Death(), witness, last=True, trace=True) == 0, witness.lines[-1:]
    points = [line["point"] for line in witness.lines if line["event"] == "reached"]
    return holdings(scene), points, took


def planned(trace: list[str], points: Iterable[str], kills: int, took: float, random_: random.Random) -> list[Any]:
    """Deaths in the order of their coming: at a chosen occurrence of each point, and some after a random time."""
    places = sorted(random_.choice([k for k, name in enumerate(trace) if name == point]) for point in points)
    deaths: list[Any] = []
    since = 0
    for place in places:
        deaths.append(Death(trace[place], max(1, trace[since : place + 1].count(trace[place]))))
        since = place
    for _ in range(kills - len(deaths)):
        deaths.insert(random_.randrange(len(deaths) + 1), random_.uniform(0.02, took))
    return deaths


def history(scene: Scene, clean: Holdings, deaths: list[Any], tally: Tally) -> None:
    """Live through all deaths, check after each, then live to the end, and check that nothing is missing."""
    witness, killed_at = Witness(), list[float]()
    if scene.is_aged:
        age(scene)
    with reader(scene, clean, tally):
        for death in deaths:
            before = len(witness.lines)
            named = isinstance(death, Death)
            code = one_life(scene, death if named else Death(), witness, False, 0.0 if named else death)
            now = time.monotonic()
            killed_at = _recovered(killed_at, witness.lines[before:], tally)
            if code == -signal.SIGKILL:
                tally.kills[death.point if named else RANDOM] += 1
                killed_at.append(now)
            elif code:
                tally.violations.append(f"{scene.name}: a life ended with {code} before {death}")
            check(scene, clean, witness, tally, f"{scene.name} after {death}", is_over=False)
        before = len(witness.lines)
        if one_life(scene, Death(), witness, last=True):
            tally.violations.append(f"{scene.name}: the last life failed after {witness.lines[-1:]}")
        if unpublished := _recovered(killed_at, witness.lines[before:], tally):
            tally.violations.append(f"{scene.name}: no nowcast after {len(unpublished)} kills, {deaths}")
    check(scene, clean, witness, tally, f"{scene.name} at the end of {deaths}", is_over=True)
    tally.histories += 1


def _recovered(killed_at: list[float], lines: list[dict[str, Any]], tally: Tally) -> list[float]:
    """Kills that no nowcast has followed yet; those that one has are put down with their seconds."""
    published = next((line["at"] for line in lines if line["event"] == "issued"), None)
    if published is None:
        return killed_at
    tally.recoveries += [published - moment for moment in killed_at]
    return []


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
    import numpy as np

    assert scene.region.cadence is not None
    return np.timedelta64(int(scene.region.cadence.total_seconds()), "s")


def _same(held: Any, packed: Any) -> bool:
    import numpy as np

    from nowcast.store.forecasts import RAIN_RATE_MISSING, unpacked

    return bool(np.allclose(held, unpacked(packed, RAIN_RATE_MISSING), atol=1e-4, equal_nan=True))
