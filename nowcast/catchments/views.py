"""Outlooks of catchments as xarray with CF attributes, and as JSON."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import xarray as xr

from nowcast.catchments.outlooks import MINUTE, CatchmentOutlook, Crossing, accumulations, chance, crossing, quantiles
from nowcast.catchments.polygons import LEAST_SHARE
from nowcast.core.timeline import isoformat
from nowcast.core.types import FloatField

WINDOWS = tuple(timedelta(minutes=m) for m in (15, 30, 60))
DEPTHS = (1.0, 5.0, 10.0, 20.0, 50.0)
"""mm whose chances are given."""

RATES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""mm h-1 whose first crossings are given."""

_FIELDS: Mapping[str, Mapping[str, str]] = {
    "rain_rate": {"standard_name": "rainfall_rate", "units": "mm h-1", "cell_methods": "area: mean"},
    "accumulation": {
        "standard_name": "thickness_of_rainfall_amount",
        "long_name": "rain since init_time",
        "units": "mm",
        "cell_methods": "area: mean lead_time: sum",
    },
    "coverage_share": {"long_name": "share of the catchment's area that has a forecast", "units": "1"},
    "area": {"standard_name": "cell_area", "long_name": "area of the catchment", "units": "km2"},
    "init_time": {"standard_name": "forecast_reference_time"},
    "lead_time": {"standard_name": "forecast_period", "units": "minutes"},
    "valid_time": {"standard_name": "time"},
    "member": {"standard_name": "realization", "units": "1"},
    "catchment": {"cf_role": "timeseries_id", "long_name": "catchment"},
}


def to_dataset(outlooks: Sequence[CatchmentOutlook]) -> xr.Dataset:
    """Outlooks from one nowcast, dims (catchment, member, lead_time); ValueError when there are none."""
    if not outlooks:
        raise ValueError("no outlook to make a dataset of")
    origin = outlooks[0].origin
    init_time = np.datetime64(origin.init_time.replace(tzinfo=None), "ns")
    minutes = np.array([lead / MINUTE for lead in origin.lead_times])
    dims = ("catchment", "member", "lead_time")
    rates = np.stack([one.rain_rate for one in outlooks])
    sums = np.stack([accumulations(one.rain_rate, origin.lead_times) for one in outlooks])
    shares = np.stack([one.coverage_share for one in outlooks])
    found = xr.Dataset(
        {"rain_rate": (dims, rates), "accumulation": (dims, sums), "coverage_share": (dims, shares)},
        {
            "catchment": [one.catchment_id for one in outlooks],
            "member": np.arange(rates.shape[1]),
            "lead_time": minutes,
            "init_time": init_time,
            "valid_time": ("lead_time", init_time + np.array(origin.lead_times, "timedelta64[ns]")),
            "area": ("catchment", [one.area_km2 for one in outlooks]),
        },
        {"Conventions": "CF-1.11", "featureType": "timeSeries", "source": origin.model, "region": origin.region},
    )
    for name, attributes in _FIELDS.items():
        found[name].attrs.update(attributes)
    return found


def to_json(outlook: CatchmentOutlook) -> dict[str, Any]:
    """An outlook with its products; NaN as null, chances 0 .. 1, leads in minutes after init_time."""
    origin = outlook.origin
    crossings = {f"{rate:g}": crossing(outlook.rain_rate, rate, origin.lead_times) for rate in RATES}
    return {
        "catchment": outlook.catchment_id,
        "name": outlook.name,
        "area_km2": round(outlook.area_km2, 3),
        "region": origin.region,
        "init_time": isoformat(origin.init_time),
        "model": origin.model,
        "rung": origin.rung,
        "input_age_s": int(origin.input_age.total_seconds()),
        "members": outlook.members,
        "basis": basis(outlook.members),
        "least_coverage_share": LEAST_SHARE,
        "lead_time_min": [lead / MINUTE for lead in origin.lead_times],
        "rain_rate_mm_h": _plain(outlook.rain_rate),
        "coverage_share": _plain(outlook.coverage_share),
        "accumulation_mm": [_accumulated(outlook, window) for window in windows(origin.lead_times)],
        "rate_reached_mm_h": {rate: crossing_json(one) for rate, one in crossings.items()},
    }


def basis(members: int) -> str:
    """What chances rest on, in words."""
    return "one member: chances are 0 or 1" if members == 1 else f"{members} members"


def windows(lead_times: Sequence[timedelta]) -> list[timedelta]:
    """The windows from init_time on that end at a lead, the whole horizon last."""
    return [window for window in WINDOWS if window in lead_times[:-1]] + [lead_times[-1]]


def _accumulated(outlook: CatchmentOutlook, window: timedelta) -> dict[str, Any]:
    """What falls from init_time to the end of a window."""
    lead_times = outlook.origin.lead_times
    sums = accumulations(outlook.rain_rate, lead_times)[:, lead_times.index(window)]
    low, middle, high = quantiles(sums)
    return {
        "to_min": window / MINUTE,
        "mean": number(float(sums.mean(dtype=np.float64))),
        "p10": number(low),
        "p50": number(middle),
        "p90": number(high),
        "probability": {f"{depth:g}": number(chance(sums, depth)) for depth in DEPTHS},
    }


def crossing_json(one: Crossing) -> dict[str, Any]:
    """A crossing; `probability` is null when leads without a value leave it between `least` and `most`."""
    early, middle, late = (number(minutes) for minutes in one.minutes)
    return {
        "probability": number(one.probability),
        "least": number(one.least),
        "most": number(one.most),
        "p10_min": early,
        "median_min": middle,
        "p90_min": late,
    }


def number(value: float) -> float | None:
    """Four decimals, None for NaN."""
    return None if math.isnan(value) else round(value, 4)


def _plain(values: FloatField) -> list[list[float | None]]:
    return [[number(float(v)) for v in row] for row in values]
