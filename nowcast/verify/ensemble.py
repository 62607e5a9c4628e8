"""What the members of one ensemble and one observation contribute to the scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nowcast.core.types import BoolField, FloatField
from nowcast.verify.part import Counts, Part, at_lead, inner

BLOCK = 65536
"""About how many pixels are compared at a time, so that memory holds few copies of them."""


@dataclass(frozen=True, eq=False)
class Members(Part):
    """Per lead: pixels, and sums over them [mm h-1] of the mean absolute error of a member, of the mean absolute
    difference of two members, [mm2 h-2] of the variance of the members (over m - 1), of the squared error of their
    mean. Per lead and rank, (lead, m + 1): observations above so many members.

    An observation that equals members, as dry ones often do, is shared evenly by all ranks that it may take.
    """

    pixels: Counts
    absolute_error: Counts
    difference: Counts
    variance: Counts
    squared_error: Counts
    ranks: Counts


def no_members(leads: int, members: int) -> Members:
    """Sums over no case of an ensemble of so many members."""
    line = np.zeros(leads)
    return Members(line, line, line, line, line, np.zeros((leads, members + 1)))


def compare_members(members: FloatField, observed: FloatField, mask: BoolField, lead: int, leads: int) -> Members:
    """Sums of the members (m, y, x) of an ensemble valid at the time of the observation (y, x), rain rates [mm h-1],
    counted under index `lead` of `leads`.

    Only pixels where `mask` is True count; there all fields must be finite. Raises ValueError for fewer than 2 members.
    """
    count, (height, width) = len(members), mask.shape
    if count < 2:
        raise ValueError(f"an ensemble has 2 members or more, not {count}")
    lines, places = np.zeros(5), np.zeros((count + 1, count + 1))
    step = max(1, BLOCK // max(1, width))
    for rows in (slice(top, top + step) for top in range(0, height, step)):
        mine = members[:, rows][:, mask[rows]].astype(np.float64)
        theirs = observed[rows][mask[rows]].astype(np.float64)
        assert np.isfinite(mine).all()
        assert np.isfinite(theirs).all()
        lines += _lines(mine, theirs)
        places += _places(mine, theirs)
    return Members(*(at_lead(values, lead, leads) for values in (*lines, _shared(places))))


def shares(members: FloatField, thresholds: Sequence[float]) -> FloatField:
    """Chances of reaching thresholds [mm h-1], (threshold, y, x): shares of the members (m, y, x) that do.

    NaN where any member is.
    """
    found = np.empty((len(thresholds), *members.shape[1:]), np.float32)
    unknown = ~np.isfinite(members.sum(axis=0))
    for share, threshold in zip(found, thresholds, strict=True):
        share[:] = np.count_nonzero(members >= np.float64(threshold), axis=0) / len(members)
        share[unknown] = np.nan
    return found


def _lines(members: Counts, observed: Counts) -> Counts:
    """All sums but the ranks, in the order of the fields, of members (m, n) and observations (n,)."""
    count, pixels = members.shape
    weight = 2.0 * np.arange(count) - (count - 1)
    difference = inner(weight, np.sort(members, axis=0).sum(axis=1)) * 2.0 / (count * (count - 1))
    deviation = members - observed
    mean = deviation.mean(axis=0)
    absolute_error, squared_error = np.abs(deviation).sum() / count, inner(mean, mean)
    deviation -= mean
    return np.array([pixels, absolute_error, difference, inner(deviation, deviation) / (count - 1), squared_error])


def _places(members: Counts, observed: Counts) -> NDArray[np.int64]:
    """How many observations lie above i members and equal j, (i, j)."""
    side = len(members) + 1
    below, level = (np.count_nonzero(cases, axis=0) for cases in (members < observed, members == observed))
    counted: NDArray[np.int64] = np.bincount(below * side + level, minlength=side * side).reshape(side, side)
    return counted


def _shared(places: NDArray[Any]) -> Counts:
    """Observations per rank: one that lies above i members and equals j counts 1 / (j + 1) at each rank i to i + j."""
    side = len(places)
    runs = (np.convolve(places[: side - j, j], np.full(j + 1, 1.0 / (j + 1))) for j in range(side))
    ranks: Counts = np.sum(list(runs), axis=0)
    return ranks
