"""One pixel of a nowcast and of the scans before it, read from packed blocks that stay at hand."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from nowcast.core.types import FloatField
from nowcast.serving.api.fields import Shelf, Stored
from nowcast.serving.api.sequence import Frame, Issue, observed, picture
from nowcast.serving.api.stores import Opened
from nowcast.store.template import RADAR_UNKNOWN, TILE
from nowcast.tiles.raster import decoded, hundredths


@dataclass(frozen=True, eq=False)
class Pixel:
    """All leads at one pixel: rain rates [mm h-1] (lead,), chances (lead, threshold), quantiles [mm h-1] (lead,
    quantile), NaN where there is no forecast, and the flag of radar coverage."""

    times: list[datetime]
    rain_rate: FloatField
    probability: FloatField
    quantile: FloatField
    radar_coverage: int


class Seen(NamedTuple):
    """A slot of the archive at one pixel: the rain rate [mm h-1], NaN where nothing was seen, and whether there is a
    scan."""

    time: datetime
    rain_rate: float
    is_scan: bool


def pixel(shelf: Shelf, issue: Issue, row: int, col: int) -> Pixel:
    """What a nowcast says of a pixel."""
    leads = len(issue.leads)
    nothing = np.empty((leads, 0), np.uint16)
    rain = _at(shelf, issue, "rain_rate", row, col, nothing)
    chances = _at(shelf, issue, "probability", row, col, nothing)
    quantiles = _at(shelf, issue, "rain_rate_quantile", row, col, nothing)
    return Pixel(
        times=[issue.provenance.init_time + timedelta(minutes=lead) for lead in issue.leads],
        rain_rate=decoded(rain, hundredths("uint16")),
        probability=decoded(chances.astype(np.uint8), hundredths("uint8")),
        quantile=decoded(quantiles, hundredths("uint16")),
        radar_coverage=int(_at(shelf, issue, "radar_coverage", row, col, np.uint8(RADAR_UNKNOWN))),
    )


def past(opened: Opened, shelf: Shelf, start: datetime, end: datetime, row: int, col: int) -> list[Seen]:
    """Every slot of the archive between two times, both included, at a pixel."""
    return [_seen(opened, shelf, frame, row, col) for frame in observed(opened, start, end)]


def _seen(opened: Opened, shelf: Shelf, frame: Frame, row: int, col: int) -> Seen:
    if frame.kind == "missing":
        return Seen(frame.time, math.nan, False)
    stored = picture(opened, shelf, frame.name).layers["rain"]
    return Seen(frame.time, decoded(shelf.window(stored, _one(row), _one(col)), stored.coding).item(), True)


def _at(shelf: Shelf, issue: Issue, name: str, row: int, col: int, absent: Any) -> NDArray[Any]:
    """The stored numbers of one array at a pixel; `absent` where the store has no such array."""
    array: zarr.Array[Any] | None = issue.arrays.get(name)
    if array is None:
        return np.asarray(absent)
    key: Hashable = (issue.url, issue.slot, issue.version, name, "all")
    at: tuple[int | slice, ...] = (issue.slot, *[slice(None)] * (array.ndim - 3))
    return shelf.window(Stored(key, array, at, TILE, None), _one(row), _one(col))[..., 0, 0]


def _one(place: int) -> slice:
    return slice(place, place + 1)
