"""Catchments: polygons on the Earth, and the exact part of every pixel that lies in one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Proj, Transformer

from nowcast.core.grid import Grid
from nowcast.core.types import FloatField

LEAST_SHARE = 0.8
"""An area mean stands for its catchment when at least this share of the catchment's area has values."""

EDGE_STEP = 0.02
"""Degrees, about 2 km: outlines are straight in longitude and latitude (RFC 7946), so they are projected in steps as
short as this; between two of them a line strays less than a metre."""

Areas = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Catchment:
    """A named polygon or multipolygon, WGS 84 (longitude, latitude) in degrees, valid in the sense of OGC."""

    catchment_id: str
    name: str
    outline: Any


@dataclass(frozen=True, eq=False)
class Weights:
    """The pixels of a grid that a catchment covers: indices `rows` and `cols` (n,), and `areas` (n,).

    `areas` is the true area [km2], on the WGS 84 ellipsoid, of the part of each pixel inside the outline; a pixel in
    two parts of a multipolygon stands there twice. `total_km2` counts what lies outside the grid as well.
    """

    catchment_id: str
    name: str
    rows: Indices
    cols: Indices
    areas: Areas
    total_km2: float

    @property
    def share_inside(self) -> float:
        """The share of the catchment's area inside the grid, 0 .. 1."""
        return min(1.0, float(self.areas.sum()) / self.total_km2)


def weigh(catchment: Catchment, grid: Grid) -> Weights:
    """The weights of a catchment on a grid; ValueError naming it when no part of it lies inside."""
    parts = [_weigh_part(part, grid, catchment.catchment_id) for part in _parts(catchment.outline)]
    rows, cols, areas = (np.concatenate([part[k] for part in parts]) for k in range(3))
    if not len(areas):
        raise ValueError(f"catchment {catchment.catchment_id} lies outside the grid {grid.describe()}")
    return Weights(catchment.catchment_id, catchment.name, rows, cols, areas, sum(part[3] for part in parts))


def area_means(weights: Weights, fields: FloatField) -> tuple[FloatField, FloatField]:
    """Area means over a catchment of fields (member, y, x), and the share of its area that has values; both (member,).

    NaN counts as no value, and so does what lies outside the grid. A mean is over the area with values alone, and NaN
    where their share is below LEAST_SHARE.
    """
    means, shares = np.full((2, len(fields)), np.nan, np.float32)
    for k, field in enumerate(fields):
        values = field[weights.rows, weights.cols].astype(np.float64)
        seen = np.isfinite(values)
        covered = weights.areas[seen]
        shares[k] = min(1.0, covered.sum() / weights.total_km2)
        if shares[k] >= LEAST_SHARE:
            means[k] = values[seen] @ covered / covered.sum()
    return means, shares


def _parts(outline: Any) -> Iterator[Any]:
    return iter(outline.geoms if outline.geom_type == "MultiPolygon" else [outline])


def _weigh_part(part: Any, grid: Grid, catchment_id: str) -> tuple[Indices, Indices, Areas, float]:
    """Rows, columns and areas [km2] of one polygon on the grid, and its whole area."""
    to_grid = _to_grid(grid)
    stepped = shapely.segmentize(part, EDGE_STEP)
    shape = shapely.transform(stepped, lambda lonlat: _pixel_coordinates(grid, *to_grid.transform(*lonlat.T)))
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        raise ValueError(f"catchment {catchment_id} cannot be projected to the grid {grid.describe()}")
    shape = shape if shape.is_valid else shapely.make_valid(shape)
    fractions, top, left = _fractions(shape, grid)
    rows, cols = np.nonzero(fractions)
    equal_area = _equal_area_around(part)
    areas = fractions[rows, cols] * _pixel_areas(grid, rows + top, cols + left, to_grid, equal_area)
    inside = shapely.box(0, 0, grid.width, grid.height).covers(shape)
    total = float(areas.sum()) if inside else _flat_area(stepped, equal_area)
    return rows + top, cols + left, areas, total


@lru_cache(maxsize=8)
def _to_grid(grid: Grid) -> Transformer:
    """From WGS 84 longitude and latitude; kept, since making one takes longer than its use."""
    return Transformer.from_crs("EPSG:4326", grid.projection, always_xy=True)


def _pixel_coordinates(grid: Grid, x: Areas, y: Areas) -> NDArray[np.float64]:
    """(n, 2) columns and rows, counted from the outer north-west corner, so that a pixel has area 1."""
    return np.stack([(x - grid.x0) / grid.dx, (grid.y0 - y) / grid.dy], axis=1)


def _fractions(shape: Any, grid: Grid) -> tuple[Areas, int, int]:
    """How much of each pixel around a shape it covers, 0 .. 1, in the smallest window; its first row and column."""
    west, north, east, south = shape.bounds
    top, left = max(0, int(np.floor(north))), max(0, int(np.floor(west)))
    bottom, right = min(grid.height, int(np.ceil(south))), min(grid.width, int(np.ceil(east)))
    fractions = np.zeros((max(0, bottom - top), max(0, right - left)))
    if fractions.size:
        _fill(fractions, shapely.intersection(shape, shapely.box(left, top, right, bottom)), top, left)
    return fractions, top, left


def _fill(fractions: Areas, shape: Any, top: int, left: int) -> None:
    """Halve a window until its parts lie inside the shape, outside it, or are a pixel whose part can be measured."""
    height, width = fractions.shape
    area = shape.area
    if height * width == 1 or area == 0 or area > height * width - 1e-9:
        fractions[...] = min(1.0, area / (height * width))
        return
    for rows, cols in _halves(height, width):
        box = shapely.box(left + cols.start, top + rows.start, left + cols.stop, top + rows.stop)
        _fill(fractions[rows, cols], shapely.intersection(shape, box), top + rows.start, left + cols.start)


def _halves(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """A window cut across its longer side."""
    if height >= width:
        yield from ((rows, slice(0, width)) for rows in (slice(0, height // 2), slice(height // 2, height)))
    else:
        yield from ((slice(0, height), cols) for cols in (slice(0, width // 2), slice(width // 2, width)))


def _equal_area_around(part: Any) -> Proj:
    """A projection that keeps areas on the WGS 84 ellipsoid: Lambert's, Snyder 1987, USGS PP 1395, p. 187."""
    centre = part.centroid
    return Proj(proj="laea", lat_0=centre.y, lon_0=centre.x, ellps="WGS84")


def _flat_area(lonlat: Any, equal_area: Proj) -> float:
    """km2 of a polygon in longitude and latitude."""
    return float(shapely.transform(lonlat, lambda points: np.stack(equal_area(*points.T), axis=1)).area) / 1e6


def _pixel_areas(grid: Grid, rows: Indices, cols: Indices, to_grid: Transformer, equal_area: Proj) -> Areas:
    """km2 of whole pixels (n,), from their four corners."""
    x = grid.x0 + (cols + np.array([[0], [1], [1], [0]])) * grid.dx
    y = grid.y0 - (rows + np.array([[0], [0], [1], [1]])) * grid.dy
    corners = np.stack(equal_area(*to_grid.transform(x, y, direction="INVERSE")))
    (x0, x1, x2, x3), (y0, y1, y2, y3) = corners
    return np.asarray(np.abs((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0)) / 2e6)
