"""Methods side by side on folders of scans: the same starts, the same scans in, the same pixels."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Frames
from nowcast.core.types import Sampling
from nowcast.desk import device, nowcaster
from nowcast.evaluation_event import LEADS, SCANS_IN, Skipped, gather
from nowcast.forecast import stepped
from nowcast.models.pysteps_peers import EXTRAPOLATORS, PystepsPeer
from nowcast.settings import Region
from nowcast.store.archive import Archive, read_frames
from nowcast.verify.statistics import Assessment, compare_at, merged

THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
Methods = Mapping[str, Nowcaster[Any]]
Substituted = Mapping[tuple[str, str], int]
"""(method, method that stood in for it) -> starts."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Sums per method over an event's starts, and what they rest on: the times of its scans among them."""

    assessment: Assessment
    times: tuple[datetime, ...]
    grid: Grid
    sampling: Sampling
    starts: int
    skipped: tuple[Skipped, ...]
    substituted: Substituted


def methods(names: Iterable[str], model: str, on: str) -> Methods:
    """Nowcasters by name: champion (the `model`), advection, persistence, and pysteps' lk and sprog.

    Raises ValueError for an unknown name, and for a pysteps method without pysteps.
    """
    known = {"champion": model, "advection": "advection", "persistence": "persistence"}
    made: dict[str, Nowcaster[Any]] = {}
    for name in names:
        if name in EXTRAPOLATORS:
            made[name] = PystepsPeer(name)
        elif name in known:
            made[name] = nowcaster(Region(name="evaluation", model=known[name]), device(on))
        else:
            raise ValueError(f"no method {name!r}, there are {', '.join([*known, *EXTRAPOLATORS])}")
    return made


def evaluate_folder(folder: Path, contestants: Methods, progress: Callable[[int, int], None]) -> Evaluated:
    """Sums per method over all starts of a folder of scans; ValueError when none can be judged.

    `progress` is called with (starts done, starts in all). Forecasts lie in files until they are judged: no more
    than one method's are in memory.
    """
    with tempfile.TemporaryDirectory(prefix="nowcast-") as temporary:
        event = gather(folder, Path(temporary))
        totals: Assessment = {}
        substituted: Counter[tuple[str, str]] = Counter()
        for done, slot in enumerate(event.starts, 1):
            with tempfile.TemporaryDirectory(dir=temporary) as kept:
                sums, stood_in = _one_start(event.archive, slot, contestants, Path(kept))
            totals = merged(totals, sums)
            substituted.update(stood_in)
            progress(done, len(event.starts))
    archive = event.archive
    return Evaluated(
        totals, event.times, archive.grid, archive.sampling, len(event.starts), event.skipped, dict(substituted)
    )


def _one_start(
    archive: Archive, slot: int, contestants: Methods, kept: Path
) -> tuple[Assessment, list[tuple[str, str]]]:
    frames = read_frames(archive, slot + 1 - SCANS_IN, slot)
    made_by = {name: rolled_out(method, name, frames, kept) for name, method in contestants.items()}
    totals: Assessment = {}
    for lead in range(LEADS):
        fields = {name: np.load(_file(kept, name, lead)) for name in contestants}
        observed = read_frames(archive, slot + 1 + lead, slot + 1 + lead)
        rain_rate, coverage = observed.rain_rate[0], observed.coverage[0]
        totals = merged(totals, compare_at(fields, rain_rate, coverage, lead, LEADS, THRESHOLDS, spatial=True))
    return totals, [(name, other) for name, other in made_by.items() if other != name]


def rolled_out(method: Nowcaster[Any], name: str, frames: Frames, kept: Path) -> str:
    """Step over the frames from nothing and write rain rates [mm h-1] (y, x), a file per lead.

    Gives the name of who made them: the method itself, of this `name`, or the one that stood in for it.
    """
    state = stepped(method, frames)
    made_by, fields = method.attempt(state) if isinstance(method, PystepsPeer) else (name, method.forecast(state))
    for lead, field in zip(range(LEADS), fields, strict=False):
        np.save(_file(kept, name, lead), field)
    return made_by


def _file(kept: Path, name: str, lead: int) -> Path:
    return kept / f"{name}-{lead}.npy"
