"""Coasts, borders, meridians and parallels as lines on a grid. The coasts and borders are Natural Earth's, 1:50m."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from nowcast.core.grid import Grid

Kind = Literal["land", "border"]
Line = NDArray[np.float64]
"""(point, 2): x and y in the units of a grid's CRS, or longitude and latitude."""

FILE = Path(__file__).with_name("basemap.geojson")

SPACINGS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Degrees between parallels or meridians."""

MOST_PARALLELS = 6
"""On a map."""

HALF_A_TURN = 180.0
"""Degrees; no two neighbouring points of a line are so far apart but at the antimeridian."""

PADDING = 1.0
"""Degrees around a grid within which lines are looked at."""


class Meridian(NamedTuple):
    """A meridian or parallel: its degrees east or north, and its parts within the grid."""

    degrees: float
    lines: list[Line]


def lines(grid: Grid, kind: Kind) -> list[Line]:
    """Coasts ("land") or borders within a grid, in its CRS; none where there are none."""
    west, south, east, north = lonlat_bounds(grid)
    around = west - PADDING, south - PADDING, east + PADDING, north + PADDING
    near = _coordinates(shapely.clip_by_rect(_lines(kind), *around))
    return [part for line in near for part in clipped(grid, line)]


def graticule(grid: Grid) -> tuple[list[Meridian], list[Meridian]]:
    """Meridians and parallels within a grid, at round degrees, a handful each."""
    west, south, east, north = lonlat_bounds(grid)
    longitudes, latitudes = _marks(west, east), _marks(south, north)
    along_x, along_y = np.linspace(west, east, 200), np.linspace(south, north, 200)
    meridians = [(lon, np.column_stack([np.full(200, lon), along_y])) for lon in longitudes]
    parallels = [(lat, np.column_stack([along_x, np.full(200, lat)])) for lat in latitudes]
    by_kind = ([Meridian(at, clipped(grid, line)) for at, line in marks] for marks in (meridians, parallels))
    return next(by_kind), next(by_kind)


def lonlat_bounds(grid: Grid) -> tuple[float, float, float, float]:
    """(west, south, east, north) [degrees] of a box that holds the grid: all longitudes across the antimeridian."""
    west, south, east, north = grid.bbox
    return (west, south, east, north) if west < east else (-180.0, south, 180.0, north)


def clipped(grid: Grid, line: Line) -> list[Line]:
    """The parts within the grid of a line of longitudes and latitudes, in the grid's CRS."""
    points = np.column_stack(_from_lonlat(grid).transform(line[:, 0], line[:, 1]))
    whole = np.isfinite(points).all(axis=1)
    runs = (run[np.isfinite(run).all(axis=1)] for run in np.split(points, np.flatnonzero(~whole)))
    return _coordinates(shapely.clip_by_rect([shapely.LineString(run) for run in runs if len(run) > 1], *grid.bounds))


@cache
def _lines(kind: Kind) -> list[shapely.LineString]:
    """All lines of a kind, longitude and latitude; of land its outer and inner edges."""
    features = json.loads(FILE.read_text())["features"]
    found = [feature["geometry"]["coordinates"] for feature in features if feature["properties"]["kind"] == kind]
    nested = [line for part in found for line in part]
    if kind == "land":
        nested = [ring for polygon in nested for ring in polygon]
    return [shapely.LineString(part) for line in nested for part in _split(np.asarray(line)) if len(part) > 1]


def _split(line: Line) -> list[Line]:
    """The parts of a line of longitudes and latitudes between its crossings of the antimeridian."""
    return np.split(line, np.flatnonzero(np.abs(np.diff(line[:, 0])) > HALF_A_TURN) + 1)


def _coordinates(geometries: Sequence[shapely.Geometry]) -> list[Line]:
    """The points of each line that is left of clipped ones."""
    parts = shapely.get_parts(shapely.get_parts(geometries))
    return [points for part in parts if len(points := shapely.get_coordinates(part)) > 1]


def _marks(low: float, high: float) -> list[float]:
    """Round degrees between two, at most MOST_PARALLELS if any spacing gives so few."""
    spacing = next((s for s in SPACINGS if (high - low) / s <= MOST_PARALLELS), SPACINGS[-1])
    return [float(round(k * spacing, 6)) for k in range(int(np.ceil(low / spacing)), int(high // spacing) + 1)]


@cache
def _from_lonlat(grid: Grid) -> Transformer:
    return Transformer.from_crs("EPSG:4326", grid.projection, always_xy=True)
