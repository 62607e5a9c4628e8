"""The outline of a grid as GeoJSON has it: WGS 84, edges as curved as they are, cut at the antimeridian."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, box
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, mapping
from shapely.geometry.polygon import orient

from nowcast.core.grid import Grid

POINTS_PER_EDGE = 20
DECIMALS = 6
"""A tenth of a metre."""

Box = tuple[float, float, float, float]


def outline(grid: Grid) -> tuple[Box, dict[str, Any]]:
    """(west, south, east, north) and geometry of a grid; west > east where it crosses the antimeridian (RFC 7946).

    ValueError for a grid that holds a pole, which has no such outline.
    """
    lon, lat = _ring(grid)
    if abs(lon[-1] - lon[0]) > 180:
        raise ValueError(f"a pole lies inside {grid.describe()}")
    whole = Polygon(np.round(np.column_stack([lon, lat]), DECIMALS))
    west, south, east, north = whole.bounds
    shifts = [turn for turn in (-360, 0, 360) if east + turn > -180 and west + turn < 180]
    parts = [orient(translate(whole, turn).intersection(box(-180, -90, 180, 90))) for turn in shifts]
    shape = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    return (_wrapped(west), south, _wrapped(east), north), mapping(shape)


def _ring(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes, without jumps, and latitudes along the outer edge, counter-clockwise from the south-west, closed."""
    west, south, east, north = grid.bounds
    t = np.arange(POINTS_PER_EDGE) / POINTS_PER_EDGE
    right, up, none = west + t * (east - west), south + t * (north - south), np.zeros_like(t)
    x = np.concatenate([right, none + east, right[::-1] + right[1] - right[0], none + west, [west]])
    y = np.concatenate([none + south, up, none + north, up[::-1] + up[1] - up[0], [south]])
    lon, lat = grid.lonlat_at(x, y)
    return np.unwrap(lon, period=360), lat


def _wrapped(longitude: float) -> float:
    """Between -180 and 180."""
    return longitude - 360 * float(np.floor((longitude + 180) / 360)) if abs(longitude) > 180 else longitude
