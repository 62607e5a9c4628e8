"""Where the pixels of a field lie on the Earth."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

METRES_PER_DEGREE = 111_195.0
"""One degree of latitude on a sphere of 6371 km."""


class GridMismatch(ValueError):
    """Two fields that must share a grid do not; the message names the difference."""


@dataclass(frozen=True)
class Grid:
    """A regular north-up raster: row 0 is the northernmost, column 0 the westernmost.

    `crs` is anything pyproj reads (PROJ text, WKT, EPSG code) with axes in metres or degrees;
    `x0`, `y0` is the outer north-west corner of the north-west pixel; `dx`, `dy` > 0 are pixel sizes.
    """

    crs: str
    x0: float
    y0: float
    dx: float
    dy: float
    height: int
    width: int

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in (self.x0, self.y0, self.dx, self.dy)):
            raise ValueError(f"corner and pixel size must be finite, not {self.x0}, {self.y0}, {self.dx}, {self.dy}")
        if self.dx <= 0 or self.dy <= 0:
            raise ValueError(f"pixel size must be positive, not dx={self.dx}, dy={self.dy}")
        if self.height <= 0 or self.width <= 0:
            raise ValueError(f"shape must be positive, not {self.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.height, self.width

    @property
    def affine(self) -> tuple[float, float, float, float, float, float]:
        """(a, b, c, d, e, f) with x = a col + b row + c and y = d col + e row + f, for pixel corners."""
        return self.dx, 0.0, self.x0, 0.0, -self.dy, self.y0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) outer edges in the units of the CRS."""
        return self.x0, self.y0 - self.height * self.dy, self.x0 + self.width * self.dx, self.y0

    @cached_property
    def x(self) -> NDArray[np.float64]:
        """Pixel-centre x, shape (width,)."""
        return self.x0 + (np.arange(self.width, dtype=np.float64) + 0.5) * self.dx

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """Pixel-centre y, shape (height,), decreasing."""
        return self.y0 - (np.arange(self.height, dtype=np.float64) + 0.5) * self.dy

    @cached_property
    def projection(self) -> CRS:
        """The CRS as a pyproj object."""
        return CRS.from_user_input(self.crs)

    @cached_property
    def _from_lonlat(self) -> Transformer:
        return Transformer.from_crs("EPSG:4326", self.projection, always_xy=True)

    @cached_property
    def bbox(self) -> tuple[float, float, float, float]:
        """WGS 84 (west, south, east, north) around the whole grid, its curved edges included."""
        west, south, east, north = self._from_lonlat.transform_bounds(
            *self.bounds, densify_pts=101, direction="INVERSE"
        )
        return float(west), float(south), float(east), float(north)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that two equal grids share."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:16]

    @property
    def spacing_km(self) -> float:
        """Mean pixel size near the grid's centre, in kilometres."""
        if not self.projection.is_geographic:
            return (self.dx + self.dy) / 2000.0
        mid_latitude = np.radians(self.y0 - self.height * self.dy / 2)
        return float((self.dx * np.cos(mid_latitude) + self.dy) / 2 * METRES_PER_DEGREE / 1000.0)

    def lonlat(self, row: float, col: float) -> tuple[float, float]:
        """WGS 84 (longitude, latitude) of a pixel centre given by (fractional) row and column."""
        x, y = self.x0 + (col + 0.5) * self.dx, self.y0 - (row + 0.5) * self.dy
        lon, lat = self._from_lonlat.transform(x, y, direction="INVERSE")
        return float(lon), float(lat)

    def lonlat_at(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """WGS 84 (longitudes, latitudes) of points in the grid's own CRS, in the points' shape."""
        lon, lat = self._from_lonlat.transform(x, y, direction="INVERSE")
        return lon, lat

    def positions(
        self, lat: NDArray[np.float64], lon: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fractional (rows, cols) of WGS 84 points, in the points' shape: (0.5, 0.5) is the centre of pixel (0, 0).

        Not finite where the projection has no such point.
        """
        x, y = self._from_lonlat.transform(lon, lat)
        if self.projection.is_geographic:
            middle = self.x0 + self.width * self.dx / 2
            x = middle + (x - middle + 180.0) % 360.0 - 180.0
        return (self.y0 - y) / self.dy, (x - self.x0) / self.dx

    def locate(self, lat: float, lon: float) -> tuple[int, int]:
        """(row, col) of the pixel that holds a WGS 84 point; ValueError when it lies outside."""
        x, y = self._from_lonlat.transform(lon, lat)
        row, col = (self.y0 - y) / self.dy, (x - self.x0) / self.dx
        if not (0 <= row < self.height and 0 <= col < self.width):
            raise ValueError(f"latitude {lat}, longitude {lon} lies outside the grid {self.describe()}")
        return int(row), int(col)

    def pixels(self, lat: NDArray[np.float64], lon: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(rows, cols) of the pixels that hold WGS 84 points, in the points' shape, -1 outside the grid."""
        return self.pixels_at(*self._from_lonlat.transform(lon, lat))

    def pixels_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same for points in the grid's own CRS."""
        row, col = np.floor((self.y0 - y) / self.dy), np.floor((x - self.x0) / self.dx)
        inside = (row >= 0) & (row < self.height) & (col >= 0) & (col < self.width)
        return np.where(inside, row, -1).astype(np.int64), np.where(inside, col, -1).astype(np.int64)

    def window(self, south: float, west: float, north: float, east: float) -> tuple[slice, slice]:
        """(rows, columns) of the smallest part that holds a WGS 84 box; ValueError when it holds none."""
        if south >= north or west >= east:
            raise ValueError(f"empty box: south {south} .. north {north}, west {west} .. east {east}")
        x_min, y_min, x_max, y_max = self._from_lonlat.transform_bounds(west, south, east, north)
        rows = slice(max(0, int((self.y0 - y_max) // self.dy)), min(self.height, int((self.y0 - y_min) // self.dy) + 1))
        cols = slice(max(0, int((x_min - self.x0) // self.dx)), min(self.width, int((x_max - self.x0) // self.dx) + 1))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            raise ValueError(f"box {south}..{north} N, {west}..{east} E lies outside the grid {self.describe()}")
        return rows, cols

    def crop(self, rows: slice, cols: slice) -> "Grid":
        """The grid of `field[rows, cols]`; both slices have explicit bounds and step 1."""
        x0, y0 = self.x0 + cols.start * self.dx, self.y0 - rows.start * self.dy
        return Grid(self.crs, x0, y0, self.dx, self.dy, rows.stop - rows.start, cols.stop - cols.start)

    def mismatch(self, other: "Grid") -> str:
        """What differs, in words; empty when the grids are the same to a thousandth of a pixel."""
        if self.shape != other.shape:
            return f"shape {other.shape} is not {self.shape}"
        if self.crs != other.crs and self.projection != other.projection:
            return f"crs {other.crs!r} is not {self.crs!r}"
        for mine, theirs in zip(self.bounds, other.bounds, strict=True):
            if abs(mine - theirs) > 1e-3 * min(self.dx, self.dy):
                return f"extent {other.bounds} is not {self.bounds}"
        return ""

    def require(self, other: "Grid") -> None:
        """Raise GridMismatch naming the difference unless `other` is this grid."""
        if difference := self.mismatch(other):
            raise GridMismatch(difference)

    def describe(self) -> str:
        """One line for people: shape, spacing and crs."""
        return f"{self.height}x{self.width} at {self.spacing_km:.3g} km ({self.crs})"

    def to_json(self) -> dict[str, Any]:
        """A dict that `from_json` reads back equal."""
        return asdict(self) | {name: float(getattr(self, name)) for name in ("x0", "y0", "dx", "dy")}

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> "Grid":
        return Grid(**fields)
