"""Members and chances of methods side by side: the same starts, the same scans in, the same pixels.

The starts are those of `evaluation`. A grid larger than a window is judged in a window in its middle, which is all that
any method sees.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Frames
from nowcast.core.types import BoolField, FloatField
from nowcast.desk import device, nowcaster
from nowcast.evaluation import Substituted
from nowcast.evaluation_event import LEADS, SCANS_IN, Event, gather
from nowcast.forecast import evenly, stepped
from nowcast.models.baselines import Persistence
from nowcast.models.exceedance import RATES
from nowcast.models.noise import correlated
from nowcast.models.outlook import Uncertain
from nowcast.models.pysteps_peers import PystepsPeer, steps_ensemble
from nowcast.settings import Region
from nowcast.store.archive import Archive, read_frames
from nowcast.verify.chances import Chances, compare_chances
from nowcast.verify.ensemble import Members, compare_members, shares
from nowcast.verify.part import Counts, Part, at_lead
from nowcast.verify.statistics import merged

BLOCK = 16
"""Side [pixels] of the areas over which means are judged as well: members that are coherent in space spread there."""

METHODS = ("champion", "advection", "steps", "lk", "persistence")


@dataclass(frozen=True, eq=False)
class Made:
    """A method's forecast at one lead: `rain_rate` [mm h-1] (y, x), `members` [mm h-1] (m, y, x), and `chances`
    (k, y, x) of reaching each of RATES. NaN where no forecast is possible, None where the method makes no such thing.
    """

    rain_rate: FloatField | None = None
    members: FloatField | None = None
    chances: FloatField | None = None

    def known(self) -> Iterator[BoolField]:
        """Where each of them has a value, (y, x)."""
        for field in (self.rain_rate, self.members, self.chances):
            if field is not None:
                yield np.logical_and.reduce(np.isfinite(field).reshape(-1, *field.shape[-2:]))


Maker = Callable[[Frames, int], tuple[str, Iterator[Made]]]
"""Frames and a seed -> the name of who made it, the method or what stood in for it, and the forecast by lead."""


@dataclass(frozen=True, eq=False)
class Judged(Part):
    """Sums of one method: pixels and absolute error [mm h-1] of its rain rate, (lead,), of its members by pixel and of
    their means over blocks, of its chances of reaching RATES."""

    pixels: Counts
    absolute_error: Counts | None
    members: Members | None
    blocks: Members | None
    chances: Chances | None


Assessed = Mapping[str, Judged]
"""By method."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Sums per method over an event's starts, their times, minutes of a lead step, and who stood in for a method."""

    judged: Assessed
    starts: tuple[datetime, ...]
    minutes: float
    described: str
    substituted: Substituted


def makers(names: Iterable[str], model: str, on: str, count: int) -> Mapping[str, Maker]:
    """By name champion (the `model`) and advection, each with `count` members, pysteps' steps with as many, and what
    makes none: pysteps' lk, and persistence.

    Raises ValueError for an unknown name, for fewer than 2 members, and for a pysteps method without pysteps.
    """
    if count < 2:
        raise ValueError(f"an ensemble has 2 members or more, not {count}")
    return {name: _maker(name, model, on, count) for name in names}


def _maker(name: str, model: str, on: str, count: int) -> Maker:
    if name in ("champion", "advection"):
        region = Region(name="evaluation", model=model if name == "champion" else name)
        return partial(_own, name, nowcaster(region, device(on)), count)
    if name == "steps":
        return partial(_steps, PystepsPeer("lk"), count)
    if name == "lk":
        return partial(_lk, PystepsPeer("lk"))
    if name == "persistence":
        return _persistence
    raise ValueError(f"no method {name!r}, there are {', '.join(METHODS)}")


def evaluate_folder(
    folder: Path, contestants: Mapping[str, Maker], most_starts: int, window: int, progress: Callable[[int, int], None]
) -> Evaluated:
    """Sums per method over at most so many starts of a folder of scans; ValueError when none can be judged.

    `progress` is called with (starts done, starts in all).
    """
    with tempfile.TemporaryDirectory(prefix="nowcast-") as temporary:
        event = gather(folder, Path(temporary))
        return _evaluated(event, contestants, evenly(event.starts, most_starts), window, progress)


def _evaluated(
    event: Event,
    contestants: Mapping[str, Maker],
    starts: list[int],
    window: int,
    progress: Callable[[int, int], None],
) -> Evaluated:
    archive = event.archive
    totals: Assessed = {}
    view, substituted = middle(archive.grid.shape, window), Counter[tuple[str, str]]()
    for done, slot in enumerate(starts, 1):
        sums, stood_in = one_start(archive, slot, contestants, view)
        totals = merged(totals, sums)
        substituted.update(stood_in)
        progress(done, len(starts))
    times = tuple(archive.timeline.time(slot) for slot in starts)
    return Evaluated(totals, times, archive.sampling.minutes, archive.description, dict(substituted))


def one_start(
    archive: Archive, slot: int, contestants: Mapping[str, Maker], view: tuple[slice, slice]
) -> tuple[Assessed, list[tuple[str, str]]]:
    """Sums per method of the forecasts from one slot, made and judged in a view (rows, columns), and who stood in."""
    seen = read_frames(archive, slot + 1 - SCANS_IN, slot)
    rain_rate, coverage = np.ascontiguousarray(seen.rain_rate[:, *view]), np.ascontiguousarray(seen.coverage[:, *view])
    frames = Frames(seen.times, rain_rate, coverage, seen.scan_ids, seen.sampling)
    runs = {name: maker(frames, slot) for name, maker in contestants.items()}
    totals: Assessed = {}
    for lead, made in zip(range(LEADS), zip(*(forecast for _, forecast in runs.values()), strict=False), strict=False):
        later = read_frames(archive, slot + 1 + lead, slot + 1 + lead)
        truth = later.rain_rate[0, *view], later.coverage[0, *view]
        totals = merged(totals, judge(dict(zip(runs, made, strict=True)), *truth, lead))
    return totals, [(name, by) for name, (by, _) in runs.items() if by != name]


def judge(made: Mapping[str, Made], observed: FloatField, coverage: BoolField, lead: int) -> Assessed:
    """Sums of forecasts valid at the time of the observation [mm h-1] (y, x), on the covered pixels that all have."""
    mask = np.logical_and.reduce([coverage, *(known for one in made.values() for known in one.known())])
    return {name: _judged(one, observed, mask, lead) for name, one in made.items()}


def middle(shape: tuple[int, int], window: int) -> tuple[slice, slice]:
    """Rows and columns of a window in the middle of a grid, or all of a smaller one."""
    starts = [max(0, (side - window) // 2) for side in shape]
    return slice(starts[0], starts[0] + window), slice(starts[1], starts[1] + window)


def block_means(values: FloatField, mask: BoolField, size: int = BLOCK) -> tuple[FloatField, BoolField]:
    """Means (n, by, bx) over blocks of fields (n, y, x), and which blocks lie in the mask (y, x) as a whole.

    What is left over at the south and east is not judged.
    """
    rows, cols = (side // size for side in mask.shape)
    whole = np.s_[: rows * size, : cols * size]

    def parted(field: Any) -> Any:
        return field[whole].reshape(rows, size, cols, size)

    inside = parted(mask).all(axis=(1, 3))
    means = np.stack([parted(np.where(mask, field, np.float32(0.0))).mean(axis=(1, 3)) for field in values])
    return means.astype(np.float32), inside


def _judged(made: Made, observed: FloatField, mask: BoolField, lead: int) -> Judged:
    pixels = at_lead(float(mask.sum()), lead, LEADS)
    error = members = blocks = chances = None
    if made.rain_rate is not None:
        wrong = np.abs(made.rain_rate[mask].astype(np.float64) - observed[mask]).sum()
        error = at_lead(float(wrong), lead, LEADS)
    if made.members is not None:
        members = compare_members(made.members, observed, mask, lead, LEADS)
        (means, inside), (truth, _) = block_means(made.members, mask), block_means(observed[None], mask)
        blocks = compare_members(means, truth[0], inside, lead, LEADS)
    if made.chances is not None:
        chances = compare_chances(made.chances, observed, mask, lead, LEADS, RATES)
    return Judged(pixels, error, members, blocks, chances)


def _own(name: str, method: Nowcaster[Any], count: int, frames: Frames, seed: int) -> tuple[str, Iterator[Made]]:
    return name, _drawn(method, count, frames, seed)


def _drawn(method: Nowcaster[Any], count: int, frames: Frames, seed: int) -> Iterator[Made]:
    assert isinstance(method, Uncertain)
    state = stepped(method, frames)
    for outlook, normal in zip(method.outlook(state), correlated(method.track(state), count, seed), strict=False):
        chances = np.stack([outlook.chance(rate) for rate in RATES])
        yield Made(outlook.rain_rate, outlook.members(normal), chances)


def _lk(peer: PystepsPeer, frames: Frames, seed: int) -> tuple[str, Iterator[Made]]:
    name, rain_rates = peer.attempt(stepped(peer, frames))
    return name, map(Made, rain_rates)


def _persistence(frames: Frames, seed: int) -> tuple[str, Iterator[Made]]:
    method = Persistence()
    return method.model_id, map(Made, method.forecast(stepped(method, frames)))


def _steps(peer: PystepsPeer, count: int, frames: Frames, seed: int) -> tuple[str, Iterator[Made]]:
    """The fields lie in temporary files as long as the iterator is held."""
    kept = tempfile.TemporaryDirectory(prefix="nowcast-")
    made_by, members = steps_ensemble(stepped(peer, frames), frames.sampling, count, seed, Path(kept.name))
    return made_by, _read(members, kept)


def _read(members: Iterator[FloatField], kept: "tempfile.TemporaryDirectory[str]") -> Iterator[Made]:
    with kept:
        for some in members:
            yield Made(members=some, chances=shares(some, RATES))
