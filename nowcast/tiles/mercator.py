"""Web-mercator XYZ tiles: which pixel of a grid each of their pixels shows."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebpts1, chebvander
from numpy.typing import NDArray

from nowcast.core.grid import Grid

Points = NDArray[np.float64]
SIZES = (256, 512)
DEEPEST_ZOOM = 22
"""A pixel of it is 4 cm wide."""

NODES = 12
"""Points per side at which positions are computed exactly; a polynomial through them gives all others."""

MOST_ERROR = 0.01
"""Pixels of the grid that the polynomial may be off at the points between; where it is off by more, as in tiles that
hold a pole, every position is computed exactly."""

MARGIN = 0.02
"""Share of the grid's extent in degrees by which its box is widened, for edges that bulge between the points tried."""


@dataclass(frozen=True)
class Tile:
    """A square of `size` pixels, row 0 in the north. ValueError when there is no such tile."""

    z: int
    x: int
    y: int
    size: int = 256

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"tiles have {' or '.join(map(str, SIZES))} pixels a side, not {self.size}")
        if not 0 <= self.z <= DEEPEST_ZOOM:
            raise ValueError(f"zoom must be 0 to {DEEPEST_ZOOM}, not {self.z}")
        if not (0 <= self.x < 2**self.z and 0 <= self.y < 2**self.z):
            raise ValueError(f"x and y of zoom {self.z} are 0 to {2**self.z - 1}, not {self.x} and {self.y}")

    def lon(self, across: Points) -> Points:
        """Degrees east at shares 0 .. 1 of the way from its western to its eastern edge."""
        return np.asarray((self.x + across) / 2**self.z * 360.0 - 180.0)

    def lat(self, down: Points) -> Points:
        """Degrees north at shares 0 .. 1 of the way from its northern to its southern edge."""
        return np.asarray(np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * (self.y + down) / 2**self.z)))))


@dataclass(frozen=True, eq=False)
class Warp:
    """Where the pixels of a tile lie in `field[rows, cols]`, the part of a grid that the tile shows.

    `row`, `col` are fractional positions in that part, whose whole part is the pixel; `index` is the pixel's place in
    the flattened part, -1 outside the grid. All (size, size).
    """

    rows: slice
    cols: slice
    row: NDArray[np.float32]
    col: NDArray[np.float32]
    index: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.row.nbytes + self.col.nbytes + self.index.nbytes


def touches(grid: Grid, tile: Tile) -> bool:
    """Whether a tile and a grid can have a point in common, by their boxes in degrees alone."""
    west, south, east, north = grid.bbox
    width, height = (east - west) % 360.0 or 360.0, north - south
    edges = np.array([0.0, 1.0])
    (left, right), (top, bottom) = tile.lon(edges), tile.lat(edges)
    if bottom > north + MARGIN * height or top < south - MARGIN * height:
        return False
    start = west - MARGIN * width
    return bool((left - start) % 360.0 <= width * (1 + 2 * MARGIN) or (start - left) % 360.0 <= right - left)


def warp(grid: Grid, tile: Tile) -> Warp | None:
    """The way from a tile's pixel centres to a grid's pixels; None where the tile shows nothing of the grid."""
    if not touches(grid, tile):
        return None
    row, col = positions(grid, tile)
    with np.errstate(invalid="ignore"):
        inside = (row >= 0) & (row < grid.height) & (col >= 0) & (col < grid.width)
    if not inside.any():
        return None
    rows, cols = _span(row[inside], grid.height), _span(col[inside], grid.width)
    row, col = np.where(inside, row - rows.start, 0.0), np.where(inside, col - cols.start, 0.0)
    place = row.astype(np.int32) * np.int32(cols.stop - cols.start) + col.astype(np.int32)
    index = np.where(inside, place, np.int32(-1))
    return Warp(rows, cols, row.astype(np.float32), col.astype(np.float32), index)


def positions(grid: Grid, tile: Tile) -> tuple[Points, Points]:
    """`Grid.positions` of a tile's pixel centres, both (size, size), to within about MOST_ERROR pixels."""
    centres = (np.arange(tile.size) + 0.5) / tile.size
    nodes, between = _nodes(), np.linspace(0.0, 1.0, NODES + 1)
    exact = _exact(grid, tile, nodes)
    if all(np.isfinite(part).all() for part in exact):
        tried = zip(_through(exact, between), _exact(grid, tile, between), strict=True)
        if all(np.abs(guess - true).max() <= MOST_ERROR for guess, true in tried):
            return _through(exact, centres)
    return _exact(grid, tile, centres)


def _exact(grid: Grid, tile: Tile, shares: Points) -> tuple[Points, Points]:
    lon, lat = np.meshgrid(tile.lon(shares), tile.lat(shares))
    return grid.positions(lat, lon)


def _through(exact: tuple[Points, Points], shares: Points) -> tuple[Points, Points]:
    """The polynomials through exact positions at the nodes, at other shares of the way."""
    weights = chebvander(2.0 * shares - 1.0, NODES - 1) @ _inverse()
    row, col = (weights @ part @ weights.T for part in exact)
    return row, col


@cache
def _nodes() -> Points:
    return (chebpts1(NODES) + 1.0) / 2.0


@cache
def _inverse() -> Points:
    """Chebyshev coefficients from values at the nodes."""
    return np.asarray(np.linalg.inv(chebvander(chebpts1(NODES), NODES - 1)), np.float64)


def _span(positions: NDArray[Any], length: int) -> slice:
    """Pixels that hold positions, and one more on each side, for blending with neighbours."""
    return slice(max(0, int(positions.min()) - 1), min(length, int(positions.max()) + 2))
