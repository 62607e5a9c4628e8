"""What one forecast and one observation contribute to the scores: sums that add up over any set of cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nowcast.core.types import BoolField, FloatField

Counts = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Per lead and threshold, shape (lead, threshold): the contingency table. Per lead: pixels and summed errors.

    A hit is forecast >= threshold and observed >= threshold. Errors are in mm h-1, forecast minus observed.
    """

    thresholds: tuple[float, ...]
    hits: Counts
    misses: Counts
    false_alarms: Counts
    pixels: Counts
    error: Counts
    absolute_error: Counts

    def __add__(self, other: "Sums") -> "Sums":
        if self.thresholds != other.thresholds or self.hits.shape != other.hits.shape:
            raise ValueError(f"sums over {self.thresholds}{self.hits.shape} and {other.thresholds}{other.hits.shape}")
        return Sums(
            self.thresholds,
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_alarms + other.false_alarms,
            self.pixels + other.pixels,
            self.error + other.error,
            self.absolute_error + other.absolute_error,
        )


Assessment = Mapping[str, Sums]
"""Sums per method, all over the same pixels."""


def zero(leads: int, thresholds: Sequence[float]) -> Sums:
    """Sums over no case."""
    table, line = np.zeros((leads, len(thresholds))), np.zeros(leads)
    return Sums(tuple(thresholds), table, table, table, line, line, line)


def compare(
    forecast: FloatField, observed: FloatField, mask: BoolField, lead: int, leads: int, thresholds: Sequence[float]
) -> Sums:
    """Sums of one forecast field (y, x) valid at the observation's time, counted under index `lead` of `leads`.

    Only pixels where `mask` is True count; there both fields must be finite.
    """
    mine, theirs = forecast[mask].astype(np.float64), observed[mask].astype(np.float64)
    assert np.isfinite(mine).all()
    assert np.isfinite(theirs).all()
    sums = zero(leads, thresholds)
    tables = [np.zeros_like(sums.hits) for _ in range(3)]
    lines = [np.zeros_like(sums.pixels) for _ in range(3)]
    for k, threshold in enumerate(thresholds):
        wet, rained = mine >= threshold, theirs >= threshold
        for table, cases in zip(tables, (wet & rained, ~wet & rained, wet & ~rained), strict=True):
            table[lead, k] = np.count_nonzero(cases)
    for line, value in zip(lines, (mine.size, (mine - theirs).sum(), np.abs(mine - theirs).sum()), strict=True):
        line[lead] = value
    return Sums(tuple(thresholds), *tables, *lines)


def compare_all(
    forecasts: Mapping[str, FloatField], observed: FloatField, coverage: BoolField, thresholds: Sequence[float]
) -> dict[str, Sums]:
    """Sums per method; forecasts, observed and coverage are (lead, y, x).

    A pixel counts where it was observed and every method made a forecast.
    """
    leads = len(observed)
    counted = coverage & np.all([np.isfinite(fields) for fields in forecasts.values()], axis=0)
    return {
        name: sum(
            (compare(fields[k], observed[k], counted[k], k, leads, thresholds) for k in range(leads)),
            zero(leads, thresholds),
        )
        for name, fields in forecasts.items()
    }


def merged(one: Assessment, other: Assessment) -> Assessment:
    """Sums over both sets of cases; an empty assessment adds nothing."""
    if not one or not other:
        return one or other
    return {name: one[name] + other[name] for name in one}
