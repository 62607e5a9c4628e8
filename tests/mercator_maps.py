"""Grids in three kinds of projection, and where a place lies on a web map, by the formulas of its definition."""

import math

from pyproj import CRS, Transformer

from nowcast.core.grid import Grid

GRIDS = {
    "equal area": Grid("+proj=laea +lat_0=60 +lon_0=25 +R=6371000 +units=m +no_defs", -3000.0, 2000.0, 1e3, 1e3, 4, 6),
    "polar": Grid(
        "+proj=stere +lat_0=90 +lon_0=25 +lat_ts=60 +R=6371288 +units=m +no_defs", -4e3, -2.9e6, 1e3, 999.0, 5, 7
    ),
    "geographic": Grid("EPSG:4326", 6.0, 48.0, 0.02, 0.01, 5, 4),
    "ellipsoid": Grid("EPSG:3067", 380_000.0, 6_680_000.0, 1e3, 1e3, 4, 6),
}


def centre(grid: Grid, row: int, col: int) -> tuple[float, float]:
    """Longitude and latitude of a pixel's centre, straight from the corner and the pixel size."""
    to_lonlat = Transformer.from_crs(CRS(grid.crs), "EPSG:4326", always_xy=True)
    x, y = grid.x0 + (col + 0.5) * grid.dx, grid.y0 - (row + 0.5) * grid.dy
    lon, lat = to_lonlat.transform(x, y)
    return lon, lat


def on_map(lon: float, lat: float, z: int, size: int = 256) -> tuple[int, int, int, int]:
    """Tile x and y, and the row and column in it, of a place (OpenStreetMap, Slippy map tilenames)."""
    across = (lon + 180.0) / 360.0 * 2**z
    radians = math.radians(lat)
    down = (1.0 - math.log(math.tan(radians) + 1.0 / math.cos(radians)) / math.pi) / 2.0 * 2**z
    return int(across), int(down), int(down % 1 * size), int(across % 1 * size)
