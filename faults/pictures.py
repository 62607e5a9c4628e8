"""Pictures that a radar, or whoever passes its scans on, gives when something is wrong, drawn on real ones."""

from dataclasses import replace
from datetime import timedelta
from math import ceil

import numpy as np

from faults.case import BEFORE, Case
from nowcast.core.rain import MARSHALL_PALMER, WET
from nowcast.core.scan import Scan
from nowcast.core.types import BoolField, FloatField
from nowcast.quality_change import FASTEST_KM, LIMITS, far_from

PLACES = 200
"""Places that are tried for a fault that needs room where it is dry."""


RAY = 2.0
"""Degrees of the widest ray."""


class NoRoom(ValueError):
    """The picture has no place for the fault; the message says what is lacking."""


def drawn(scan: Scan, rain_rate: FloatField) -> Scan:
    """The scan with other rain rates [mm h-1], NaN being "not covered"."""
    values = rain_rate.astype(np.float32)
    return replace(scan, quantity="rain_rate", values=values, coverage=np.isfinite(values), identity=b"")


def stuck(case: Case, dice: np.random.Generator) -> Scan:
    """The picture of the scan before under this one's time."""
    return replace(case.before, nominal_time=case.time(0), identity=b"")


def clutter(case: Case, dice: np.random.Generator) -> Scan:
    """Speckle of 8 to 60 mm/h on half of the pixels of a dry place: ground seen in an inversion."""
    rain_rate, dry = case.target.rain_rate.copy(), _dry(case)
    least = 2.5 * LIMITS[1][1]
    for _ in range(PLACES):
        place = _disc(case.target, dice, np.sqrt(least / np.pi) * dice.uniform(1.0, 1.5))
        speckle = place & np.isfinite(rain_rate) & (dice.random(place.shape) < 0.5)
        if (speckle & dry).sum() * case.target.grid.spacing_km**2 > LIMITS[1][1] * 1.05:
            rain_rate[speckle] = np.maximum(rain_rate[speckle], dice.uniform(8.0, 60.0, speckle.sum()))
            return drawn(case.target, rain_rate)
    raise NoRoom("no dry place that is large enough for clutter")


def spikes(case: Case, dice: np.random.Generator) -> Scan:
    """Up to 40 lonely pixels of 25 to 3000 mm/h where it is dry all around."""
    rain_rate = case.target.rain_rate.copy()
    places = np.argwhere(_kept(case) & ~_spread(~(rain_rate < WET), 2))
    if len(places) < 400:
        raise NoRoom("too few dry pixels for spikes")
    chosen: list[np.ndarray] = []
    for place in dice.permutation(places)[: int(dice.integers(1, 41))]:
        if all(np.abs(place - other).max() > 2 for other in chosen):
            chosen.append(place)
            rain_rate[tuple(place)] = 10 ** dice.uniform(1.4, 3.5)
    return drawn(case.target, rain_rate)


def ray(case: Case, dice: np.random.Generator) -> Scan:
    """A beam of 1 to 2 degrees and 1 to 20 mm/h."""
    return _beam(case, dice, float(dice.uniform(1.0, RAY)), float(10 ** dice.uniform(0.0, 1.3)))


def sector(case: Case, dice: np.random.Generator) -> Scan:
    """A sector of 15 to 40 degrees and 2 to 20 mm/h."""
    return _beam(case, dice, float(dice.uniform(15.0, 40.0)), float(10 ** dice.uniform(0.3, 1.3)))


def other_grid(case: Case, dice: np.random.Generator) -> Scan:
    """The whole grid ten pixels to the east or a third of one, or half as fine."""
    scan, choice = case.scans[BEFORE], dice.integers(3)
    grid = scan.grid
    if choice < 2:
        aside = (10.0, 1 / 3)[choice] * grid.dx
        return replace(scan, grid=replace(grid, x0=grid.x0 + aside), identity=b"")
    height, width = (length - length % 2 for length in grid.shape)
    coarse = replace(grid, dx=2 * grid.dx, dy=2 * grid.dy, height=height // 2, width=width // 2)
    half = np.s_[:height:2, :width:2]
    return replace(scan, grid=coarse, values=scan.values[half], coverage=scan.coverage[half], identity=b"")


def decibels(case: Case, dice: np.random.Generator) -> Scan:
    """Reflectivity where the rain rate should be."""
    _require_rain(case)
    rate = case.scans[BEFORE].rain_rate
    return drawn(case.scans[BEFORE], np.where(rate > 0, np.maximum(MARSHALL_PALMER.reflectivity(rate), 0), rate))


def metres(case: Case, dice: np.random.Generator) -> Scan:
    """A thousandth of every rate."""
    _require_rain(case)
    return drawn(case.scans[BEFORE], case.scans[BEFORE].rain_rate / np.float32(1000))


def scaled(case: Case, dice: np.random.Generator) -> Scan:
    """A digit too many or too few, sums of five minutes for rates or the other way round."""
    _require_rain(case)
    factor = np.float32(dice.choice((10.0, 12.0, 0.1, 1 / 12)))
    return drawn(case.scans[BEFORE], case.scans[BEFORE].rain_rate * factor)


def all_missing(case: Case, dice: np.random.Generator) -> Scan:
    """Nothing is covered."""
    return drawn(case.scans[BEFORE], np.full(case.scans[BEFORE].grid.shape, np.nan))


def all_dry(case: Case, dice: np.random.Generator) -> Scan:
    """Zero wherever it was covered."""
    _require_rain(case)
    return drawn(case.scans[BEFORE], np.where(case.scans[BEFORE].coverage, 0.0, np.nan))


def _beam(case: Case, dice: np.random.Generator, degrees: float, rate: float) -> Scan:
    """Rain in a sector from a radar in or near the picture, over enough of a dry place to be told from rain."""
    scan, dry = case.target, _dry(case)
    km = scan.grid.spacing_km
    rows, cols = np.indices(scan.grid.shape)
    for _ in range(PLACES):
        (row, col), angle = dice.uniform(-0.2, 1.2, 2) * scan.grid.shape, dice.uniform(0, 360)
        turned = (np.degrees(np.arctan2(rows - row, cols - col)) - angle + 180) % 360 - 180
        distance = np.hypot(rows - row, cols - col)
        inside = (np.abs(turned) <= degrees / 2) | (
            (np.abs(turned) < 90) & (np.abs(np.sin(np.radians(turned))) * distance <= 0.7)
        )
        inside &= scan.coverage & (distance * km >= 5)
        if _is_seen(inside & dry, km, degrees, rate):
            return drawn(scan, np.where(inside, np.maximum(np.nan_to_num(scan.rain_rate), rate), scan.rain_rate))
    raise NoRoom("no dry place that a beam crosses")


def _is_seen(dry: BoolField, km: float, degrees: float, rate: float) -> bool:
    """Whether a beam's dry part is large enough for the rule: beyond an area, or for a ray 50 km long."""
    area, places = dry.sum() * km**2, np.argwhere(dry) * km
    if any(area > 1.05 * most for least, most in LIMITS if rate >= least):
        return True
    return degrees <= RAY and len(places) > 0 and bool(np.hypot(*np.ptp(places, axis=0)) >= 50)


def _require_rain(case: Case) -> None:
    """Raise NoRoom unless it rains widely."""
    before = case.before.rain_rate[_inside(case)]
    dry = np.where(np.isfinite(before), np.float32(0), np.float32(np.nan))
    lost = far_from(before, dry, _reach(case))
    if lost.sum() * case.target.grid.spacing_km**2 < 1.05 * LIMITS[0][1] or (before >= WET).sum() < 1000:
        raise NoRoom("too little rain to tell a unit by")


def _inside(case: Case) -> tuple[slice, slice]:
    """The part of a written scan that the region keeps."""
    rows, cols = (
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(case.kept, case.written, strict=True)
    )
    return rows, cols


def _kept(case: Case) -> BoolField:
    """The pixels of a written scan that the region keeps."""
    kept = np.zeros(case.target.grid.shape, bool)
    kept[_inside(case)] = True
    return kept


def _dry(case: Case) -> BoolField:
    """Where rain would come from nowhere: kept, and farther from the rain before than rain moves."""
    inside, dry = _inside(case), np.zeros(case.target.grid.shape, bool)
    before = case.before.rain_rate[inside]
    dry[inside] = far_from(np.ones_like(before), before, _reach(case))
    return dry


def _reach(case: Case) -> int:
    """Pixels that rain moves in a cadence at most."""
    return ceil(FASTEST_KM * (case.cadence / timedelta(hours=1)) / case.target.grid.spacing_km) + 1


def _spread(flags: BoolField, reach: int) -> BoolField:
    padded, size = np.pad(flags, reach, constant_values=True), 2 * reach + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size)).any(axis=(2, 3))


def _disc(scan: Scan, dice: np.random.Generator, radius_km: float) -> BoolField:
    row, col = dice.uniform(0.1, 0.9, 2) * scan.grid.shape
    rows, cols = np.indices(scan.grid.shape)
    return np.hypot(rows - row, cols - col) * scan.grid.spacing_km <= radius_km
