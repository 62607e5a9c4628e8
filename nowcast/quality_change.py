"""Can a scan follow the one before it? Rain comes, goes and changes at most so fast; what changes faster is the radar.

Every limit is beyond what happens between any two scans in a row of seven centres (docs/decisions/023-feed-faults.md).
"""

from datetime import timedelta
from math import ceil

import numpy as np
from numpy.typing import NDArray

from nowcast.core.rain import WET
from nowcast.core.types import BoolField, FloatField
from nowcast.quality import ImplausibleScan

MEMORY = timedelta(minutes=15)
"""A scan is compared with the last one that is at most so much older, or a cadence if that is longer. What is still
there after that is believed: a radar that comes back costs three scans of five minutes at most."""

FASTEST_KM = 108.0
"""Kilometres that rain moves in an hour at most: 30 m/s."""

LIMITS, SHARE = ((1.0, 1000.0), (5.0, 300.0)), 0.001
"""Rain of so many mm/h may appear or vanish far from any other on so many square kilometres, or on this share of what
is observed: on a continent more happens at once."""

ALL = (WET, 1000.0)
"""What may vanish where no rain is left anywhere. The first rain after dry days may be wide, if it is weak."""

FEWEST, FACTOR = 500, 3.0
"""Pixels with some rain twice in a row, and the factor by which their rate may change in the middle."""

LINE_FROM, LINE_KM, LINE_WIDTH_KM, LINE_SHARE, LINE_STEP = 0.5, 40.0, 8.0, 0.8, 1.5
"""Rain of so many mm/h that appears is a ray, not rain, if this share of it lies in a straight strip of such length and
width, looked for every LINE_STEP degrees."""


def check_change(before: FloatField, after: FloatField, elapsed: timedelta, spacing_km: float) -> None:
    """Raise ImplausibleScan when rain rates [mm h-1] (y, x) cannot follow those before; NaN is not observed."""
    _require_same_unit(before, after)
    reach, area = ceil(FASTEST_KM * (elapsed / timedelta(hours=1)) / spacing_km) + 1, spacing_km**2
    came, went = far_from(after, before, reach), far_from(before, after, reach)
    allowed = SHARE * area * np.count_nonzero(after >= 0)
    for what, where, field, other in (("appears", came, after, before), ("vanishes", went, before, after)):
        limits = LIMITS if (other >= WET).any() or what == "appears" else (*LIMITS, ALL)
        for least, most in limits:
            if (size := np.count_nonzero(where & (field >= least)) * area) > max(most, allowed):
                raise ImplausibleScan(f"rain of {least:g} mm/h {what} on {size:.0f} km2 within {elapsed}")
    if length := _line(came & (after >= LINE_FROM), spacing_km):
        raise ImplausibleScan(f"rain appears along a line of {length:.0f} km within {elapsed}")


def _require_same_unit(before: FloatField, after: FloatField) -> None:
    both = (before > 0) & (after > 0) & (np.fmax(before, after) >= WET)
    if np.count_nonzero(both) < FEWEST:
        return
    factor = float(np.median(after[both] / before[both]))
    if not 1 / FACTOR <= factor <= FACTOR:
        raise ImplausibleScan(f"rain rates are {factor:.3g} times those before: another unit?")


def far_from(field: FloatField, other: FloatField, reach: int) -> BoolField:
    """Where a field rains and the other has observed everything within `reach` pixels and seen no rain there.

    Looked at in blocks, so that it may be up to half as far again.
    """
    block = max(1, reach // 4)
    near = _blocks(~(other < WET), block)
    far = ~_spread(near, ceil(reach / block) + 1).repeat(block, 0).repeat(block, 1)
    rows, columns = field.shape
    return np.asarray(far[:rows, :columns] & (field >= WET))


def _blocks(flags: BoolField, block: int) -> BoolField:
    """Whether any pixel of a square block has the flag; pixels beyond the edge have it."""
    rows, columns = (-side % block for side in flags.shape)
    padded = np.pad(flags, ((0, rows), (0, columns)), constant_values=True)
    height, width = padded.shape
    joined: BoolField = padded.reshape(height // block, block, width // block, block).any(axis=(1, 3))
    return joined


def _spread(flags: BoolField, reach: int) -> BoolField:
    """Whether any cell of the square that reaches so far has the flag; cells beyond the edge have it."""
    size = 2 * reach + 1
    sums = np.pad(flags, reach, constant_values=True).astype(np.int32).cumsum(0).cumsum(1)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    counts: NDArray[np.int32] = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    spread: BoolField = counts > 0
    return spread


def _line(flags: BoolField, spacing_km: float) -> float:
    """The length [km] of a straight narrow strip that most of the pixels lie in; 0 when there is none."""
    places = np.argwhere(flags) * spacing_km
    fewest = LINE_SHARE * len(places)
    if len(places) * spacing_km < LINE_KM:
        return 0.0
    for angle in np.radians(np.arange(0.0, 180.0, LINE_STEP)):
        across = places @ np.array([np.cos(angle), np.sin(angle)])
        ordered = np.sort(across)
        inside = np.searchsorted(ordered, ordered + LINE_WIDTH_KM, "right") - np.arange(len(ordered))
        edge = ordered[inside.argmax()]
        if inside.max() >= fewest:
            on = places[(across >= edge) & (across <= edge + LINE_WIDTH_KM)]
            if (length := float(np.ptp(on @ np.array([-np.sin(angle), np.cos(angle)])))) >= LINE_KM:
                return length
    return 0.0
