"""One place: what the last hour was like and all leads of the nowcast, with the sentence that sums them up."""

import math
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from nowcast.catchments.sentence import RAIN, Step, sentence
from nowcast.core.timeline import isoformat, parse_time
from nowcast.core.types import FloatField
from nowcast.edr.cells import Outside, position
from nowcast.provenance import fields
from nowcast.serving.api.answers import headers, json_answer
from nowcast.serving.api.fields import Kept
from nowcast.serving.api.pixel import Pixel, Seen, past, pixel
from nowcast.serving.api.sequence import Issue, issue
from nowcast.serving.api.shapes import PointAnswer
from nowcast.serving.api.stores import Opened, Served, Stores
from nowcast.store.repository import StoreNotFound
from nowcast.store.template import RADAR_FLAGS

router = APIRouter(tags=["point"])

PAST = timedelta(hours=1)

Lat = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, description="WGS 84 degrees north")]
Lon = Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, description="WGS 84 degrees east")]
RegionName = Annotated[
    str | None, Query(max_length=100, description="the first region that covers the point when absent")
]
InitTime = Annotated[str | None, Query(max_length=40, description="ISO 8601, UTC; the latest when absent")]


@router.get("/point", response_model=PointAnswer)
def point(
    served: Served, shelf: Kept, lat: Lat, lon: Lon, region: RegionName = None, init_time: InitTime = None
) -> Response:
    """Observed rain of the last hour, and rain rates, quantiles and chances of every lead at a place."""
    opened = served.open(region) if region else _covering(served, lat, lon)
    grid = opened.forecasts.grid
    held = position(grid, lon, lat)
    row, col = int(held.rows[0, 0]), int(held.cols[0, 0])
    found = issue(opened, shelf, parse_time(init_time) if init_time else None)
    now = found.provenance.init_time if init_time else opened.clock()
    before = past(opened, shelf, now - PAST, now, row, col)
    told = fields(found.provenance, opened.clock())
    centre = grid.lonlat(row, col)
    place = {"lat": lat, "lon": lon, "pixel": {"row": row, "col": col, "lat": centre[1], "lon": centre[0]}}
    figures = _figures(found, pixel(shelf, found, row, col), before, now)
    return json_answer(told | {"now": isoformat(now)} | place | figures, headers=headers(told))


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


def _figures(of: Issue, found: Pixel, before: list[Seen], now: datetime) -> dict[str, Any]:
    chances = (
        found.probability[:, of.thresholds.index(RAIN)] if RAIN in of.thresholds else np.full(len(of.leads), np.nan)
    )
    leads = [Step(*step) for step in zip(found.times, found.rain_rate.tolist(), chances.tolist(), strict=True)]
    newest = next((Step(one.time, one.rain_rate) for one in reversed(before) if one.is_scan), None)
    return {
        "units": "mm h-1",
        "radar_coverage": RADAR_FLAGS[found.radar_coverage],
        "outlook": asdict(sentence(leads, now, newest)),
        "observed": [{"time": isoformat(time), "rain_rate": _known(rate)} for time, rate, _ in before],
        "lead_time_min": of.leads,
        "valid_time": [isoformat(time) for time in found.times],
        "rain_rate": found.rain_rate,
        "rain_rate_quantile": _by_level(found.quantile, of.quantiles),
        "probability": _by_level(found.probability, of.thresholds),
    }


def _by_level(values: FloatField, levels: tuple[float, ...]) -> dict[str, Any]:
    return {f"{level:g}": np.ascontiguousarray(values[:, k]) for k, level in enumerate(levels)}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
