"""What one forecast and one observation contribute to scores that look at neighbourhoods and at scales.

They cost many times what the contingency table does, so they are made where they are asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nowcast.core.rain import DB_FLOOR, to_db
from nowcast.core.types import BoolField, FloatField
from nowcast.verify.part import Counts, Part, at_lead, inner

SCALES = (1, 5, 10, 20)
"""Sides of the windows of the fractions skill score [pixels]."""

POOLS = (4, 16)
"""Sides of the blocks of the pooled CSI [pixels]; each divides the next."""

BANDS = ((2, 4), (4, 8), (8, 16), (16, 32), (32, 64), (64, 128))
"""Octaves of wavelength [pixels], the shorter end excluded."""

MARGIN = max(SCALES)


@dataclass(frozen=True, eq=False)
class Spatial(Part):
    """Sums of squared differences and of squares of fractions, (lead, threshold, scale); a contingency table of blocks,
    (lead, threshold, pool); power of forecast and observation [dB^2], (lead, band)."""

    fraction_error: Counts
    fraction_size: Counts
    pooled_hits: Counts
    pooled_misses: Counts
    pooled_false_alarms: Counts
    forecast_power: Counts
    observed_power: Counts


def no_spatial(leads: int, thresholds: int) -> Spatial:
    """Sums over no case."""
    windows, blocks = np.zeros((leads, thresholds, len(SCALES))), np.zeros((leads, thresholds, len(POOLS)))
    bands = np.zeros((leads, len(BANDS)))
    return Spatial(windows, windows, blocks, blocks, blocks, bands, bands)


def compare_spatially(
    forecasts: Mapping[str, FloatField],
    observed: FloatField,
    mask: BoolField,
    lead: int,
    leads: int,
    thresholds: Sequence[float],
) -> dict[str, Spatial]:
    """Sums per method of forecast fields (y, x) valid at the observation's time, counted under `lead` of `leads`.

    Only pixels where `mask` is True count; there all fields must be finite.
    """
    if not mask.any():
        return {name: no_spatial(leads, len(thresholds)) for name in forecasts}
    windows = fractions(forecasts, observed, mask, thresholds)
    blocks, power = pooled(observed, mask), band_power(observed, mask)
    found = {}
    for name, field in forecasts.items():
        tables = tables_of(pooled(field, mask), blocks, thresholds)
        values = (*windows[name], *tables, band_power(field, mask), power)
        found[name] = Spatial(*(at_lead(value, lead, leads) for value in values))
    return found


def fractions(
    forecasts: Mapping[str, FloatField], observed: FloatField, mask: BoolField, thresholds: Sequence[float]
) -> dict[str, tuple[Counts, Counts]]:
    """Sums of (f - o)^2 and of f^2 + o^2 per method, each (threshold, scale), as the fractions skill score needs them.

    f and o are the shares of a window's counted pixels that reach the threshold (Roberts and Lean 2008, Mon. Wea. Rev.
    136, eq. 2-7); a window is centred on every counted pixel, one of even side reaching further to the north-west.
    """
    names, fields = [*forecasts, ""], [*forecasts.values(), observed]
    share = [_share(mask, size) for size in SCALES]
    errors, sizes = (np.zeros((len(forecasts), len(thresholds), len(SCALES))) for _ in range(2))
    for k, threshold in enumerate(thresholds):
        wet = [(field >= threshold) & mask for field in fields]
        box = _surroundings(np.logical_or.reduce(wet))
        tables = [_summed_area(field[box]) for field in wet]
        for s, size in enumerate(SCALES):
            weight = share[s][box]
            mine = (_window_sums(table, size) * weight for table in tables[:-1])
            theirs = _window_sums(tables[-1], size) * weight
            errors[:, k, s], sizes[:, k, s] = zip(*_squares(mine, theirs), strict=True)
    return {name: (errors[i], sizes[i]) for i, name in enumerate(names[:-1])}


def pooled(field: FloatField, mask: BoolField) -> list[FloatField]:
    """The greatest counted value of every block of POOLS pixels a side; minus infinity where none counts.

    Blocks start at the north-west corner; those at the other edges may be smaller.
    """
    found, side = [np.where(mask, field, np.float32(-np.inf))], 1
    for size in POOLS:
        found.append(_block_maxima(found[-1], size // side))
        side = size
    return found[1:]


def tables_of(
    forecast: Sequence[FloatField], observed: Sequence[FloatField], thresholds: Sequence[float]
) -> tuple[Counts, Counts, Counts]:
    """Hits, misses and false alarms of fields at several poolings, each (threshold, pooling)."""
    tables = [np.zeros((len(thresholds), len(forecast))) for _ in range(3)]
    for p, (mine, theirs) in enumerate(zip(forecast, observed, strict=True)):
        for k, threshold in enumerate(thresholds):
            wet, rained = mine >= threshold, theirs >= threshold
            for table, cases in zip(tables, (wet & rained, ~wet & rained, wet & ~rained), strict=True):
                table[k, p] = np.count_nonzero(cases)
    return tables[0], tables[1], tables[2]


def band_power(field: FloatField, mask: BoolField) -> Counts:
    """Mean of the `spectrum` of a field over the rings of each of BANDS, (band,); 0 for one that holds no ring."""
    density = spectrum(field, mask)
    longest = max(field.shape)
    powers = np.zeros(len(BANDS))
    for k, (shorter, longer) in enumerate(BANDS):
        ring = np.arange(-(-longest // longer), (longest - 1) // shorter + 1)
        powers[k] = density[ring].mean() if len(ring) else 0.0
    return powers


def spectrum(field: FloatField, mask: BoolField) -> Counts:
    """Radially averaged power spectral density [dB^2] of rain rates [mm h-1] (y, x), by ring as `rapsd` gives it.

    The field is taken in dB above DB_FLOOR, 0 where it is dry or does not count.
    """
    return rapsd(np.where(mask, to_db(np.where(mask, field, 0.0).astype(np.float32)) - _DRY, np.float32(0.0)))


def rapsd(field: FloatField) -> Counts:
    """Radially averaged power spectral density of a field (y, x) without NaN, by ring.

    Ring r holds the frequencies that round to r cycles per longest side (Ruzanski and Chandrasekar 2011, IEEE Trans.
    Geosci. Remote Sens. 49); r is less than half that side in pixels.
    """
    ring, weight, count = _rings(field.shape)
    power = np.square(np.abs(np.fft.rfft2(field.astype(np.float64)))) / field.size * weight
    sums = np.bincount(ring.ravel(), power.ravel(), minlength=len(count))[: len(count)]
    return sums / count


_DRY = np.float32(10.0 * np.log10(DB_FLOOR))


@lru_cache(maxsize=1)
def _rings(shape: tuple[int, int]) -> tuple[NDArray[np.int32], NDArray[np.float32], Counts]:
    """Ring of each coefficient of `rfft2`, how many of the whole transform it stands for, coefficients per ring."""
    longest = max(shape)
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    ring: NDArray[np.int32] = np.round(np.hypot(rows, columns) * longest).astype(np.int32)
    once = (columns == 0) | (columns == 0.5)
    weight: FloatField = np.where(once, 1, 2).astype(np.float32)
    rings = (longest + 1) // 2
    count: Counts = np.bincount(ring.ravel(), np.broadcast_to(weight, ring.shape).ravel())[:rings].astype(np.float64)
    return ring, weight, count


def _share(mask: BoolField, size: int) -> FloatField:
    """1 over the counted pixels of the window around each counted pixel, 0 elsewhere."""
    counted = _window_sums(_summed_area(mask), size)
    return np.where(mask, 1.0 / np.maximum(counted, 1), 0.0).astype(np.float32)


def _squares(mine: Iterator[FloatField], theirs: FloatField) -> Iterator[tuple[float, float]]:
    """For each field the sum of squared differences and the sum of squares of both."""
    theirs_squared = inner(theirs, theirs)
    for field in mine:
        difference = field - theirs
        yield inner(difference, difference), inner(field, field) + theirs_squared


def _surroundings(wet: BoolField) -> tuple[slice, slice]:
    """Rows and columns outside which no window holds a wet pixel."""
    bounds = []
    for axis, side in enumerate(wet.shape):
        hit = np.flatnonzero(wet.any(axis=1 - axis))
        first, last = (int(hit[0]), int(hit[-1])) if len(hit) else (0, -1)
        bounds.append(slice(max(0, first - MARGIN), min(side, last + 1 + MARGIN) if len(hit) else 0))
    return bounds[0], bounds[1]


def _summed_area(field: BoolField) -> NDArray[np.int32]:
    """Entry (i, j) counts the True north-west of (i - MARGIN, j - MARGIN); nothing lies beyond the field's edge."""
    table = np.zeros([side + 2 * MARGIN + 1 for side in field.shape], np.int32)
    table[MARGIN + 1 : -MARGIN, MARGIN + 1 : -MARGIN] = field
    for axis in (0, 1):
        np.cumsum(table, axis=axis, out=table)
    return table


def _window_sums(table: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """How many are True in the window of `size` pixels a side around each pixel, (y, x)."""
    height, width = (side - 2 * MARGIN - 1 for side in table.shape)
    first = MARGIN - size // 2
    north, south = table[first : first + height], table[first + size : first + size + height]
    west, east = slice(first, first + width), slice(first + size, first + size + width)
    sums: NDArray[np.int32] = south[:, east] - north[:, east] - south[:, west] + north[:, west]
    return sums


def _block_maxima(field: FloatField, size: int) -> FloatField:
    for axis, side in enumerate(field.shape):
        field = np.maximum.reduceat(field, np.arange(0, side, size), axis=axis)
    return field
