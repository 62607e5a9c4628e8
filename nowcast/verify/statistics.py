"""What one forecast and one observation contribute to the scores: sums that add up over any set of cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from nowcast.core.types import BoolField, FloatField
from nowcast.verify.chances import Chances, compare_chances, no_chances
from nowcast.verify.ensemble import Members
from nowcast.verify.part import Counts, Part, at_lead, inner
from nowcast.verify.spatial import Spatial, compare_spatially, no_spatial


@dataclass(frozen=True, eq=False)
class Sums(Part):
    """Per lead and threshold, shape (lead, threshold): the contingency table. Per lead: counts, and sums over pixels.

    A hit is forecast >= threshold and observed >= threshold. `cases` are the fields in which any pixel counted. Rain
    rates are in mm h-1, errors forecast minus observed. `spatial` is None unless it was asked for, `chances` and
    `members` unless the forecast is one of probabilities or of an ensemble.
    """

    thresholds: tuple[float, ...]
    hits: Counts
    misses: Counts
    false_alarms: Counts
    cases: Counts
    pixels: Counts
    error: Counts
    absolute_error: Counts
    squared_error: Counts
    forecast: Counts
    observed: Counts
    forecast_squared: Counts
    observed_squared: Counts
    product: Counts
    spatial: Spatial | None = field(default=None, kw_only=True)
    chances: Chances | None = field(default=None, kw_only=True)
    members: Members | None = field(default=None, kw_only=True)


Summed = TypeVar("Summed", bound=Part)

Assessment = Mapping[str, Sums]
"""Sums per method, all over the same pixels."""


def zero(leads: int, thresholds: Sequence[float], spatial: bool = False) -> Sums:
    """Sums over no case."""
    table, line = np.zeros((leads, len(thresholds))), np.zeros(leads)
    extent = no_spatial(leads, len(thresholds)) if spatial else None
    return Sums(tuple(thresholds), *(3 * [table]), *(10 * [line]), spatial=extent)


def compare(
    forecast: FloatField, observed: FloatField, mask: BoolField, lead: int, leads: int, thresholds: Sequence[float]
) -> Sums:
    """Sums of one forecast field (y, x) valid at the observation's time, counted under index `lead` of `leads`.

    Only pixels where `mask` is True count; there both fields must be finite.
    """
    mine, theirs = forecast[mask].astype(np.float64), observed[mask].astype(np.float64)
    assert np.isfinite(mine).all()
    assert np.isfinite(theirs).all()
    tables = np.zeros((3, len(thresholds)))
    for k, threshold in enumerate(thresholds):
        wet, rained = mine >= threshold, theirs >= threshold
        tables[:, k] = [np.count_nonzero(cases) for cases in (wet & rained, ~wet & rained, wet & ~rained)]
    error = mine - theirs
    errors = error.sum(), np.abs(error).sum(), inner(error, error)
    moments = mine.sum(), theirs.sum(), inner(mine, mine), inner(theirs, theirs), inner(mine, theirs)
    lines = (mine.size > 0, mine.size, *errors, *moments)
    return Sums(tuple(thresholds), *(at_lead(values, lead, leads) for values in (*tables, *lines)))


def compare_all(
    forecasts: Mapping[str, FloatField],
    observed: FloatField,
    coverage: BoolField,
    thresholds: Sequence[float],
    spatial: bool = False,
) -> Assessment:
    """Sums per method as `compare_at` makes them, over all leads; forecasts, observed and coverage are (lead, y, x)."""
    leads = len(observed)
    totals: Assessment = {name: zero(leads, thresholds, spatial) for name in forecasts}
    for lead in range(leads):
        fields = {name: field[lead] for name, field in forecasts.items()}
        totals = merged(totals, compare_at(fields, observed[lead], coverage[lead], lead, leads, thresholds, spatial))
    return totals


def compare_at(
    forecasts: Mapping[str, FloatField],
    observed: FloatField,
    coverage: BoolField,
    lead: int,
    leads: int,
    thresholds: Sequence[float],
    spatial: bool = False,
    chances: Mapping[str, FloatField] | None = None,
) -> Assessment:
    """Sums per method at one lead of `leads`; forecasts, observed and coverage are (y, x).

    A pixel counts where it was observed and every method made a forecast. `spatial` asks for the costly sums as well.
    With `chances`, probabilities (threshold, y, x) by method, those are scored too; a method without any is sure of its
    forecast.
    """
    fields = [*forecasts.values(), *(field for stack in (chances or {}).values() for field in stack)]
    mask = coverage & np.logical_and.reduce([np.isfinite(field) for field in fields])
    sums = {name: compare(field, observed, mask, lead, leads, thresholds) for name, field in forecasts.items()}
    if chances is not None:
        scored = {
            name: compare_chances(stack, observed, mask, lead, leads, thresholds) for name, stack in chances.items()
        }
        sums = {name: replace(one, chances=scored.get(name) or certain(one)) for name, one in sums.items()}
    if not spatial:
        return sums
    extents = compare_spatially(forecasts, observed, mask, lead, leads, thresholds)
    return {name: replace(one, spatial=extents[name]) for name, one in sums.items()}


def certain(sums: Sums) -> Chances:
    """The sums of a forecast that is sure of itself: every probability is 0 or 1, the CRPS is the absolute error."""
    wet = sums.hits + sums.false_alarms
    none = no_chances(len(sums.pixels), sums.thresholds)
    pixels, probability, events = (np.zeros_like(none.bin_pixels) for _ in range(3))
    pixels[..., 0], events[..., 0] = sums.pixels[:, None] - wet, sums.misses
    pixels[..., -1], probability[..., -1], events[..., -1] = wet, wet, sums.hits
    errors = sums.misses + sums.false_alarms
    return Chances(sums.thresholds, errors, wet, pixels, probability, events, sums.absolute_error)


def merged(one: Mapping[str, Summed], other: Mapping[str, Summed]) -> Mapping[str, Summed]:
    """Sums by method over both sets of cases; where one is empty it adds nothing."""
    if not one or not other:
        return one or other
    return {name: one[name] + other[name] for name in one}
