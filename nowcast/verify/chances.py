"""What one forecast of chances and one observation contribute to the scores of probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nowcast.core.types import BoolField, FloatField
from nowcast.verify.part import Counts, Part, at_lead, inner

BINS = 10
"""How many bins of equal width the probabilities fall into; each holds its lower end, the last holds 1 as well."""

ROUNDING = 1e-6
"""Bins by which a probability may lie below a bin's lower end and still be in it: 0.7 in float32 is less than 7/10."""

TAIL = 1.5
"""The distribution ends at this multiple of the highest rate that it is given at."""


@dataclass(frozen=True, eq=False)
class Chances(Part):
    """Per lead and threshold, (lead, threshold): squared errors and squares of the probabilities. Per bin of
    probability, (lead, threshold, bin): pixels, sum of probabilities, observed events. Per lead: the CRPS [mm h-1].

    An event is observed >= threshold [mm h-1]. The CRPS is that of `crps_of_exceedance` at the thresholds.
    """

    thresholds: tuple[float, ...]
    squared_error: Counts
    probability_squared: Counts
    bin_pixels: Counts
    bin_probability: Counts
    bin_events: Counts
    crps: Counts

    @property
    def pixels(self) -> Counts:
        """How many pixels counted, (lead, threshold)."""
        total: Counts = self.bin_pixels.sum(axis=-1)
        return total

    @property
    def events(self) -> Counts:
        """How many of them reached the threshold, (lead, threshold)."""
        total: Counts = self.bin_events.sum(axis=-1)
        return total


def no_chances(leads: int, thresholds: Sequence[float]) -> Chances:
    """Sums over no case."""
    table, bins = np.zeros((leads, len(thresholds))), np.zeros((leads, len(thresholds), BINS))
    return Chances(tuple(thresholds), table, table, bins, bins, bins, np.zeros(leads))


def compare_chances(
    probability: FloatField,
    observed: FloatField,
    mask: BoolField,
    lead: int,
    leads: int,
    thresholds: Sequence[float],
) -> Chances:
    """Sums of the probabilities (threshold, y, x) of reaching each threshold [mm h-1], against the rain rate (y, x)
    observed at that time, counted under index `lead` of `leads`.

    Only pixels where `mask` is True count; there the observation must be finite, the probabilities within 0 and 1.
    Raises ValueError unless there is one field per threshold, and thresholds are positive and ascend.
    """
    chances, rain = probability[:, mask], observed[mask].astype(np.float64)
    assert ((chances >= 0) & (chances <= 1)).all()
    assert np.isfinite(rain).all()
    tables, bins = np.zeros((2, len(thresholds))), np.zeros((3, len(thresholds), BINS))
    for k, (field, threshold) in enumerate(zip(chances, thresholds, strict=True)):
        chance, event = field.astype(np.float64), rain >= threshold
        error = chance - event
        tables[:, k] = inner(error, error), inner(chance, chance)
        bins[:, k] = _binned(chance, event)
    crps = crps_of_exceedance(chances, thresholds, rain).sum()
    return Chances(tuple(thresholds), *(at_lead(values, lead, leads) for values in (*tables, *bins, crps)))


def crps_of_exceedance(
    exceedance: NDArray[np.floating[Any]], rates: Sequence[float], observed: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Continuous ranked probability score [mm h-1] of chances (k, ...) to reach ascending `rates` [mm h-1], (...).

    The exact integral of (F(x) - 1[x >= observed])^2 over x (Gneiting and Raftery 2007, J. Amer. Stat. Assoc. 102,
    eq. 20) of this distribution F: what does not reach the first rate is dry; between rates the chance falls linearly,
    and from the last one to TAIL times it, where it is 0. The observed rain rates (...) are not negative.
    Raises ValueError unless the rates are positive and ascend.
    """
    if not all(one < other for one, other in pairwise((0.0, *rates))):
        raise ValueError(f"rates must be positive and ascend, not {tuple(rates)}")
    knots = (0.0, *rates, TAIL * rates[-1])
    crps: NDArray[np.float64] = np.maximum(observed - knots[-1], 0.0).astype(np.float64)
    first = 1.0 - exceedance[0].astype(np.float64)
    for k, (start, end) in enumerate(pairwise(knots)):
        last = 1.0 - exceedance[k].astype(np.float64) if k < len(rates) else np.ones_like(first)
        share = np.clip((observed - start) / (end - start), 0.0, 1.0)
        between = first + share * (last - first)
        squares = share * _mean_square(first, between) + (1.0 - share) * _mean_square(1.0 - between, 1.0 - last)
        crps += (end - start) * squares
        first = last
    return crps


def _binned(chance: NDArray[np.float64], event: NDArray[np.bool_]) -> list[NDArray[Any]]:
    """Pixels, sum of probabilities and events per bin, each (bin,)."""
    place = np.minimum((chance * BINS + ROUNDING).astype(np.int64), BINS - 1)
    weights = np.ones_like(chance), chance, event
    return [np.bincount(place, weight, minlength=BINS) for weight in weights]


def _mean_square(first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the square of what goes linearly from one value to the other."""
    return (first * first + first * last + last * last) / 3.0
