"""Which faults are put into which stretches of which events."""

import shutil
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from faults.case import Case, stretches
from faults.judge import Verdict, judge
from faults.kinds import KINDS
from faults.pictures import NoRoom
from nowcast.sources.feeds import files_in


class Event(NamedTuple):
    """A folder of real scans, how many stretches of it, and the method that forecasts."""

    folder: str
    stretches: int
    model: str = "advection"


EVENTS = (
    Event("fmi-pgm/20160928", 8),
    Event("knmi-rap/20100826", 6),
    Event("mch-gif/20160711", 7),
    Event("mch-gif/20170131", 7),
    Event("bom-rf3/66-mtstapl-20201031", 4),
    Event("dwd-radolan/yw-20170816", 5),
    Event("knmi-pcp/20210203", 4),
    Event("knmi-pcp/20210207", 4),
    Event("opera/20180824", 2),
    Event("fmi-pgm/20160928", 2, "default"),
)


def injections(radar: Path, work: Path, seed: int, known: Collection[tuple[str, int, str]] = ()) -> Iterator[Verdict]:
    """A verdict on every kind of fault in every stretch that gives room for it, but for those `known` already."""
    for event in EVENTS:
        named = event.folder if event.model == "advection" else f"{event.folder} {event.model}"
        paths = files_in(radar / event.folder)
        for case in stretches(named, paths, event.stretches, work, event.model):
            todo = [name for name in KINDS if (named, case.number, name) not in known]
            yield from inject(case, seed, todo) if todo else ()
            shutil.rmtree(case.work, ignore_errors=True)


def inject(case: Case, seed: int, names: Collection[str] = tuple(KINDS)) -> Iterator[Verdict]:
    """A verdict on each of these kinds of fault in a stretch; none where it gives no room."""
    for name in names:
        own = zlib.crc32(f"{seed} {case.event} {case.number} {name}".encode())
        try:
            polls = KINDS[name].make(case, np.random.default_rng(own))
        except NoRoom:
            continue
        played = case.play("faulty", polls)
        yield judge(case, name, KINDS[name], own, polls, played)
        for path in (case.work / "feed").iterdir():
            if path not in case.files:
                path.unlink()
