"""One place: what the last hour was like and all leads of the nowcast, with the sentence that sums them up."""

import math
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
import xarray as xr
from fastapi import APIRouter, Query, Response

from nowcast.core.timeline import isoformat, parse_time
from nowcast.edr.cells import Outside, position
from nowcast.edr.times import valid_times
from nowcast.points import said, sight
from nowcast.serving.api.answers import headers, json_answer, provenance_fields
from nowcast.serving.api.stores import Opened, Served, Stores
from nowcast.store.query import observations
from nowcast.store.repository import StoreNotFound

router = APIRouter(tags=["point"])

PAST = timedelta(hours=1)

Lat = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, description="WGS 84 degrees north")]
Lon = Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, description="WGS 84 degrees east")]
RegionName = Annotated[
    str | None, Query(max_length=100, description="the first region that covers the point when absent")
]
InitTime = Annotated[str | None, Query(max_length=40, description="ISO 8601, UTC; the latest when absent")]


@router.get("/point")
def point(served: Served, lat: Lat, lon: Lon, region: RegionName = None, init_time: InitTime = None) -> Response:
    """Observed rain of the last hour, and rain rates, quantiles and chances of every lead at a place."""
    opened = served.open(region) if region else _covering(served, lat, lon)
    grid = opened.forecasts.grid
    pixel = position(grid, lon, lat)
    row, col = int(pixel.rows[0, 0]), int(pixel.cols[0, 0])
    nowcast = opened.nowcast(parse_time(init_time) if init_time else None)
    found, now = nowcast.isel(y=row, x=col).load(), opened.clock()
    past = _past(opened, lat, lon, opened.provenance(nowcast).init_time if init_time else now)
    told = provenance_fields(opened, nowcast)
    centre = grid.lonlat(row, col)
    place = {"lat": lat, "lon": lon, "pixel": {"row": row, "col": col, "lat": centre[1], "lon": centre[0]}}
    answer = told | {"now": isoformat(now)} | place | _figures(found, past, now)
    return json_answer(answer, headers=headers(told))


def _covering(served: Stores, lat: float, lon: float) -> Opened:
    """The first region whose grid holds the point; Outside when none does."""
    for name in served.names:
        try:
            opened = served.open(name)
            position(opened.forecasts.grid, lon, lat)
            return opened
        except (StoreNotFound, Outside):
            continue
    raise Outside(f"latitude {lat:g}, longitude {lon:g} lies in none of the regions {', '.join(served.names)}")


def _past(opened: Opened, lat: float, lon: float, until: datetime) -> list[tuple[datetime, float]]:
    """What was observed in the hour before."""
    return observations(opened.archive, lat, lon, until - PAST, until) if opened.archive is not None else []


def _figures(found: xr.Dataset, past: list[tuple[datetime, float]], now: datetime) -> dict[str, Any]:
    newest = next((one for one in reversed(past)), None)
    return {
        "units": "mm h-1",
        "radar_coverage": sight(found),
        "outlook": asdict(said(found, newest, now)),
        "observed": [{"time": isoformat(time), "rain_rate": _known(rate)} for time, rate in past],
        "lead_time_min": found.lead_time.values,
        "valid_time": [isoformat(time) for time in valid_times(found)],
        "rain_rate": _rounded(found.rain_rate),
        "rain_rate_quantile": _by_level(found, "rain_rate_quantile", "quantile"),
        "probability": _by_level(found, "probability", "threshold"),
    }


def _by_level(found: xr.Dataset, name: str, dim: str) -> dict[str, Any]:
    if name not in found:
        return {}
    return {f"{level:g}": _rounded(found[name].isel({dim: k})) for k, level in enumerate(found[dim].values)}


def _rounded(values: xr.DataArray) -> Any:
    return np.round(values.values.astype(np.float64), 2)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
