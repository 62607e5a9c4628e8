"""Cells that a question cuts out, on a regular lattice of longitudes and latitudes or on the grid itself."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from nowcast.core.grid import METRES_PER_DEGREE, Grid

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
NATIVE = "native"
SPELLINGS = {CRS84: CRS84, "CRS84": CRS84, "OGC:CRS84": CRS84, "EPSG:4326": CRS84, NATIVE: NATIVE}
"""How a question may name either; longitude always comes first."""

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells:
    """Cell centres `x` (nx,) and `y` (ny,) in a CRS, and the pixel that each takes its value from.

    `rows` and `cols` are (ny, nx), -1 outside of the grid or of the area that was asked for.
    """

    crs: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    rows: Index
    cols: Index
    is_place: bool = False
    """Whether it is one pixel that holds a place, which then stands in its stead."""

    @property
    def count(self) -> int:
        return self.rows.size


class Outside(ValueError):
    """A place lies outside the grid; the message names both."""


class TooMany(ValueError):
    """A box has more cells than may be asked for; the message names both numbers."""


def lattice(grid: Grid) -> Grid:
    """Longitudes and latitudes that cover a grid in about its spacing."""
    west, south, east, north = grid.bbox
    dy = grid.spacing_km * 1000 / METRES_PER_DEGREE
    dx = dy / max(0.05, float(np.cos(np.radians((south + north) / 2))))
    return Grid("OGC:CRS84", west, north, dx, dy, -int(-(north - south) // dy), -int(-(east - west) // dx))


def position(grid: Grid, x: float, y: float, crs: str = CRS84) -> Cells:
    """The pixel that holds a place; Outside when there is none."""
    at_x, at_y = np.array([[x]]), np.array([[y]])
    rows, cols = _pixels(grid, at_x, at_y, crs)
    if rows[0, 0] < 0:
        raise Outside(f"{x:g}, {y:g} lies outside the grid {grid.describe()}")
    return Cells(crs, at_x[0], at_y[:, 0], rows, cols, is_place=True)


def box(grid: Grid, west: float, south: float, east: float, north: float, crs: str = CRS84, most: int = 0) -> Cells:
    """The cells that a box touches; Outside when there are none.

    Raises ValueError for a box turned about, TooMany for one with more than `most` cells when that is above 0.
    """
    if south > north or west > east:
        raise ValueError(f"empty box: south {south:g} .. north {north:g}, west {west:g} .. east {east:g}")
    of = grid if crs == NATIVE else lattice(grid)
    left, right = _span((west - of.x0) / of.dx, (east - of.x0) / of.dx, of.width)
    top, bottom = _span((of.y0 - north) / of.dy, (of.y0 - south) / of.dy, of.height)
    if left >= right or top >= bottom:
        raise Outside(f"the box {west:g},{south:g},{east:g},{north:g} lies outside the grid {grid.describe()}")
    if 0 < most < (count := (right - left) * (bottom - top)):
        raise TooMany(f"the box has {count} cells, more than {most}")
    x, y = of.x[left:right], of.y[top:bottom]
    rows, cols = _pixels(grid, *np.meshgrid(x, y), crs)
    return Cells(crs, x, y, rows, cols)


def area(grid: Grid, polygon: shapely.Geometry, crs: str = CRS84, most: int = 0) -> Cells:
    """The cells whose centres a polygon holds, as part of the box around it; raises as `box` does."""
    west, south, east, north = polygon.bounds
    found = box(grid, west, south, east, north, crs, most)
    shapely.prepare(polygon)
    held = shapely.contains_xy(polygon, *np.meshgrid(found.x, found.y))
    outside = np.where(held, 0, -1)
    return Cells(crs, found.x, found.y, np.where(held, found.rows, outside), np.where(held, found.cols, outside))


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """The half-open range of cells from the one that holds `low` to the one that holds `high`."""
    return int(np.clip(np.floor(low), 0, size)), int(np.clip(np.floor(high) + 1, 0, size))


def _pixels(grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64], crs: str) -> tuple[Index, Index]:
    return grid.pixels_at(x, y) if crs == NATIVE else grid.pixels(y, x)
