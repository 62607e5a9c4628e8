"""What falls on a catchment: area means by member and lead, and what follows from them as plain functions of arrays.

Arrays of members are (member, lead). Lead k is valid at init_time + lead_times[k]. A deterministic nowcast is an
ensemble of one member; then every chance is 0 or 1, and the quantiles are alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nowcast.catchments.polygons import Weights, area_means
from nowcast.core.timeline import require_utc
from nowcast.core.types import FloatField

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Origin:
    """The nowcast that something was made from: `rung` of the ladder, `input_age` of its newest scan at issue."""

    region: str
    init_time: datetime
    lead_times: tuple[timedelta, ...]
    model: str
    rung: str = ""
    input_age: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        require_utc(self.init_time)
        edges = (timedelta(0), *self.lead_times)
        if not self.lead_times or any(a >= b for a, b in pairwise(edges)):
            raise ValueError(f"lead times must be positive and ascending, not {self.lead_times}")


@dataclass(frozen=True, eq=False)
class CatchmentOutlook:
    """Area-mean `rain_rate` [mm h-1] and `coverage_share`, both (member, lead) float32.

    `coverage_share` is the share of the catchment's area that has a forecast; where it is too small (LEAST_SHARE of
    nowcast.catchments.polygons), the rain rate is NaN. `area_km2` is the catchment's whole area.
    """

    catchment_id: str
    name: str
    area_km2: float
    origin: Origin
    rain_rate: FloatField
    coverage_share: FloatField

    def __post_init__(self) -> None:
        members, leads = len(self.rain_rate), len(self.origin.lead_times)
        for name, values in (("rain_rate", self.rain_rate), ("coverage_share", self.coverage_share)):
            if values.shape != (members, leads) or not members:
                raise ValueError(f"{name} of {self.catchment_id} is {values.shape}, not (member, {leads})")

    @property
    def members(self) -> int:
        """How many forecasts the chances rest on."""
        return len(self.rain_rate)


def outlooks(
    weights: Sequence[Weights], members_by_lead: Iterable[FloatField], origin: Origin
) -> tuple[CatchmentOutlook, ...]:
    """The outlook of every catchment from fields (member, y, x) [mm h-1], NaN where there is no forecast.

    Fields are taken lead by lead and not kept; ValueError when there are more or fewer than the leads.
    """
    if not weights:
        return ()
    by_lead = [[area_means(one, fields) for one in weights] for fields in members_by_lead]
    if len(by_lead) != len(origin.lead_times):
        raise ValueError(f"{len(by_lead)} fields for {len(origin.lead_times)} leads")
    made = []
    for k, one in enumerate(weights):
        rain_rate, share = (np.stack([lead[k][part] for lead in by_lead], axis=1) for part in (0, 1))
        made.append(CatchmentOutlook(one.catchment_id, one.name, one.total_km2, origin, rain_rate, share))
    return tuple(made)


def accumulations(
    rain_rate: FloatField, lead_times: Sequence[timedelta], window: timedelta | None = None
) -> FloatField:
    """Millimetres that fall in the `window` that ends at each lead, (member, lead); since init_time when it is None.

    The rate of a lead holds from the lead before up to it, as scans are summed over their cadence. Rain before
    init_time is not counted: windows that reach back there are cut. NaN where any rate in the window is NaN. ValueError
    when a window would begin between two leads.
    """
    edges = [timedelta(0), *lead_times]
    hours = np.diff([edge / HOUR for edge in edges])
    depths = rain_rate.astype(np.float64) * hours
    sums = np.empty(depths.shape)
    for k, lead in enumerate(lead_times):
        begin = timedelta(0) if window is None else max(timedelta(0), lead - window)
        if begin not in edges:
            raise ValueError(f"a window of {window} ending at lead {lead} begins between two leads")
        sums[:, k] = depths[:, edges.index(begin) : k + 1].sum(axis=1)
    return np.asarray(sums, np.float32)


def quantiles(values: FloatField, levels: Sequence[float] = QUANTILES) -> tuple[float, ...]:
    """Quantiles over members (member,), linear between two (Hyndman and Fan 1996, type 7); NaN when any member is."""
    return tuple(float(v) for v in np.quantile(values, levels))


def chance(values: FloatField, threshold: float) -> float:
    """The share of members (member,) at or above a threshold; NaN when any member is NaN."""
    return float("nan") if np.isnan(values).any() else float((values >= np.float32(threshold)).mean())


@dataclass(frozen=True)
class Crossing:
    """When and how surely a threshold is reached within the leads.

    The chance lies between `least`, the share of members that reach it, and `most`, which adds members that do not but
    have leads without a value. `minutes` after init_time of the first lead that reaches it, 10, 50 and 90 %, are those
    of the members that do; NaN when none does.
    """

    least: float
    most: float
    minutes: tuple[float, float, float]

    @property
    def probability(self) -> float:
        """The chance, NaN when members without a value leave it open."""
        return self.least if self.least == self.most else float("nan")


def first_reached(values: FloatField, threshold: float, lead_times: Sequence[timedelta]) -> NDArray[np.float64]:
    """Minutes to the first lead at which each member (member, lead) is at or above a threshold, (member,).

    Infinite for a member that never is, NaN for one that is not at any lead that has a value, others having none.
    """
    minutes = np.array([lead / MINUTE for lead in lead_times])
    reached = values >= np.float32(threshold)
    first = np.where(reached, minutes, np.inf).min(axis=1)
    return np.where(np.isinf(first) & np.isnan(values).any(axis=1), np.nan, first)


def crossing(values: FloatField, threshold: float, lead_times: Sequence[timedelta]) -> Crossing:
    """How members (member, lead) of a rate or a running accumulation reach a threshold.

    Times are leads of members: quantiles by the inverse of the empirical distribution (Hyndman and Fan 1996, type 1).
    """
    first = first_reached(values, threshold, lead_times)
    crossed = first[np.isfinite(first)]
    least, unknown = len(crossed) / len(first), int(np.isnan(first).sum())
    times = np.quantile(crossed, QUANTILES, method="inverted_cdf") if len(crossed) else (np.nan,) * 3
    early, middle, late = (float(v) for v in times)
    return Crossing(least, (len(crossed) + unknown) / len(first), (early, middle, late))
