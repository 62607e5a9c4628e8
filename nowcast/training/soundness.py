"""Is an archive fit to learn from and to judge by? Faults that no single scan shows, each named with its day (UTC)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from nowcast.core.types import BoolField, FloatField
from nowcast.store.archive import Archive, read_frames, read_slots, uninterrupted

Run = tuple[int, int]
"""First and last slot of an uninterrupted run."""

FEWEST_SCANS = 3
"""A fault of fewer scans of a day is let pass."""

WILD_SHARE = 0.005
"""Share of the covered pixels that may stand out; in real composites it is below 0.0001."""

WILD_RATE, WILD_FACTOR, CALM_RATE = 10.0, 10.0, 0.5
"""A pixel stands out at this rate [mm h-1] and above, when it is this many times the median of its eight neighbours,
or of the calm rate where that is more."""

FEWEST_WET = 50
"""Pixels with rain that it takes to see in which unit they are."""

UNIT_QUANTILES, UNIT_FACTORS, WEAKEST_FACTOR = (0.01, 0.5, 0.99), (3.0, 5.0, 3.0), 30.0
"""The unit is doubted when these quantiles of the rates all differ from those of most scans by their factors, in one
direction, or the weakest by the last: storms change the median 17-fold within a day and a lost radar the weakest
14-fold, but not all three at once."""

VANISHED_SHARE, LONGEST_STEP_MIN = 0.1, 15.0
"""Rain on this share of the view cannot come or go altogether within so many minutes."""

AROUND = [(row, col) for row in (0, 1, 2) for col in (0, 1, 2) if (row, col) != (1, 1)]


class Look(NamedTuple):
    """A scan at a glance: the share of its pixels with any rain, UNIT_QUANTILES of the rates there [mm h-1], empty when
    they are too few, and the share of wild pixels."""

    day: date
    slot: int
    wet: float
    rates: tuple[float, ...]
    wild: float
    is_repeated: bool


def complaints(archive: Archive, learned: Sequence[Run], judged: Sequence[Run]) -> tuple[str, ...]:
    """What is wrong with the scans of these runs; empty when they are sound."""
    seen = {what: list(looks(archive, runs)) for what, runs in (("learned", learned), ("judged", judged))}
    everything = sorted((*seen["learned"], *seen["judged"]), key=lambda look: look.slot)
    dry = [f"no rain anywhere in the scans to be {what}" for what, some in seen.items() if not any(s.wet for s in some)]
    days = {day: list(of_day) for day, of_day in groupby(everything, key=lambda look: look.day)}
    is_strange = _strange(everything)
    minutes = archive.sampling.minutes
    found = (
        f"{day}: {fault}"
        for day, of_day in days.items()
        for fault in (_stuck(of_day), _wild(of_day), _other_unit(of_day, is_strange), _vanished(of_day, minutes))
        if fault
    )
    return (*dry, *stuck(archive), *found)


def stuck(archive: Archive) -> tuple[str, ...]:
    """Where the archive met one picture time and again. It took the repeats for no observation, but such a feed is not
    to be trusted."""
    runs = uninterrupted(read_slots(archive).stuck, FEWEST_SCANS)
    days = [(archive.timeline.time(first).date(), last - first + 2) for first, last in runs]
    return tuple(f"{day}: stuck, the same rain in {scans} scans on end" for day, scans in days)


def looks(archive: Archive, runs: Iterable[Run]) -> Iterator[Look]:
    """Every covered scan of the runs at a glance."""
    for first, last in runs:
        before = np.empty(0, np.float32)
        for slot in range(first, last + 1):
            frames = read_frames(archive, slot, slot)
            rain_rate, coverage = frames.rain_rate[0], frames.coverage[0]
            if coverage.any():
                is_repeated = np.array_equal(rain_rate, before, equal_nan=True)
                yield _look(archive.timeline.time(slot).date(), slot, rain_rate, coverage, is_repeated)
            before = rain_rate


def _look(day: date, slot: int, rain_rate: FloatField, coverage: BoolField, is_repeated: bool) -> Look:
    rates = rain_rate[coverage]
    wet = rates[rates > 0]
    quantiles = tuple(np.quantile(wet, UNIT_QUANTILES).tolist()) if len(wet) >= FEWEST_WET else ()
    wild = (_outstanding(np.nan_to_num(rain_rate)) + np.count_nonzero(rates < 0)) / len(rates)
    return Look(day, slot, len(wet) / len(rates), quantiles, wild, bool(is_repeated and len(wet)))


def _outstanding(rain_rate: FloatField) -> int:
    """How many pixels tower over the eight around them."""
    rows, cols = np.nonzero(rain_rate >= WILD_RATE)
    if not len(rows):
        return 0
    framed = np.pad(rain_rate, 1)
    around = np.median([framed[rows + row, cols + col] for row, col in AROUND], axis=0)
    return int(np.count_nonzero(rain_rate[rows, cols] > WILD_FACTOR * np.maximum(around, CALM_RATE)))


def _strange(everything: Sequence[Look]) -> Mapping[int, bool]:
    """Slot -> whether its rates look like another unit than those of most scans."""
    known = [look for look in everything if look.rates]
    if not known:
        return {}
    rates = np.array([look.rates for look in known])
    apart = np.log(rates / np.median(rates, axis=0))
    all_of_them = (np.abs(apart) > np.log(UNIT_FACTORS)).all(axis=1) & (np.abs(np.sign(apart).sum(axis=1)) == 3)
    strange = all_of_them | (np.abs(apart[:, 0]) > np.log(WEAKEST_FACTOR))
    return {look.slot: bool(is_strange) for look, is_strange in zip(known, strange, strict=True)}


def _stuck(of_day: Sequence[Look]) -> str:
    runs = [len(list(same)) for is_repeated, same in groupby(of_day, key=lambda look: look.is_repeated) if is_repeated]
    longest = max(runs, default=0)
    return f"stuck, the same rain in {longest + 1} scans on end" if longest >= FEWEST_SCANS else ""


def _wild(of_day: Sequence[Look]) -> str:
    shares = [look.wild for look in of_day if look.wild > WILD_SHARE]
    return (
        f"wild pixels, {max(shares):.1%} of the covered, in {len(shares)} scans" if len(shares) >= FEWEST_SCANS else ""
    )


def _other_unit(of_day: Sequence[Look], is_strange: Mapping[int, bool]) -> str:
    strange = [look.rates[1] for look in of_day if is_strange.get(look.slot)]
    if len(strange) < FEWEST_SCANS:
        return ""
    return f"another unit, median rain {np.median(strange):.3g} mm/h in {len(strange)} scans, unlike that of most scans"


def _vanished(of_day: Sequence[Look], minutes: float) -> str:
    if minutes > LONGEST_STEP_MIN:
        return ""
    for one, other in pairwise(of_day):
        shares = sorted((one.wet, other.wet))
        if other.slot == one.slot + 1 and shares[0] == 0 and shares[1] >= VANISHED_SHARE:
            return f"zeros, between two scans rain on {shares[1]:.0%} of the view came or went altogether"
    return ""
