"""Tiles per second from a field in memory to PNG: ours, and with GDAL's warp for every tile, as tile servers do it.

`python benchmarks/tiles.py` needs no files. Both draw the same tiles of a synthetic field of 760 x 1226 pixels, with
the same classes and the same PNG encoder, on one thread; they differ in how they find the field's pixels.
"""

from collections.abc import Callable
from time import perf_counter

import numpy as np
from measure import Row, machine, show
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.warp import Resampling, reproject

from nowcast.core.grid import Grid
from nowcast.tiles.mercator import Tile, Warp, touches, warp
from nowcast.tiles.palettes import palette
from nowcast.tiles.raster import classes, hundredths, png, tile_classes

GRID = Grid(
    "+proj=stere +lat_0=90 +lon_0=25 +lat_ts=60 +R=6371288 +units=m +no_defs", -380e3, -2170e3, 1e3, 1e3, 1226, 760
)
ZOOMS, MOST_TILES, FRAMES, REPEATS = (4, 6, 8, 10), 30, 12, 3
OURS, MERCATOR = CRS.from_user_input(GRID.crs), CRS.from_epsg(3857)
EDGE = 20037508.342789244
"""Half the width of the web-mercator plane, in metres."""

Field = NDArray[np.uint16]


def rows() -> list[Row]:
    """Per zoom, the first frame on a grid and the next ones, and the share of pixels on which both agree."""
    frames, measured = [field(seed) for seed in range(FRAMES)], []
    for z in ZOOMS:
        ways = shown(z)
        tiles = list(ways)
        peer = rate(lambda tile, frame: png(drawn_by_gdal(frame, tile), palette("rain").colours), tiles, frames[:2])
        first = rate(lambda tile, frame: ours(frame, tile), tiles, frames[:1])
        following = rate(lambda tile, frame, ways=ways: ours(frame, tile, ways[tile]), tiles, frames)
        alike = f"{np.mean([agreement(frames[0], tile, ways[tile]) for tile in tiles]):.3%} of pixels alike"
        for what, mine in (("first frame", first), ("next frames", following)):
            told = f"{mine:.0f} tiles/s", f"GDAL's warp per tile, {peer:.0f} tiles/s"
            best = f"best of {REPEATS}; {alike}"
            measured.append(Row(f"tiles, zoom {z}, {what}", *told, round(mine / peer, 1), "-", None, best, machine()))
    return measured


def field(seed: int) -> Field:
    """Showers as the store packs them: hundredths of mm/h, a fifth of the field missing."""
    random = np.random.default_rng(seed)
    coarse = random.gamma(0.3, 2.0, (GRID.height // 8 + 1, GRID.width // 8 + 1))
    fine = np.kron(coarse, np.ones((8, 8)))[: GRID.height, : GRID.width] * random.random(GRID.shape)
    packed = (fine * 100).astype(np.uint16)
    packed[:, : GRID.width // 5] = 65535
    return packed


def shown(z: int) -> dict[Tile, Warp]:
    """At most MOST_TILES tiles that show some of the grid, evenly among all, and the ways to it."""
    near = [tile for x in range(2**z) for y in range(2**z) if touches(GRID, tile := Tile(z, x, y))]
    ways = [(tile, way) for tile in near if (way := warp(GRID, tile)) is not None]
    return dict(ways[:: -(-len(ways) // MOST_TILES)])


def ours(frame: Field, tile: Tile, way: Warp | None = None) -> bytes:
    """One tile, by a way that was found before or is found now."""
    return png(drawn_by_us(frame, way or warp(GRID, tile)), palette("rain").colours)


def drawn_by_us(frame: Field, way: Warp | None) -> NDArray[np.uint8]:
    """Classes of one tile."""
    assert way is not None
    return tile_classes(frame[way.rows, way.cols], way, palette("rain"), hundredths("uint16"))


def drawn_by_gdal(frame: Field, tile: Tile) -> NDArray[np.uint8]:
    """Classes of one tile, warped with GDAL's usual tolerance of an eighth of a pixel."""
    warped, side = np.full((256, 256), 65535, np.uint16), 2 * EDGE / 2**tile.z
    reproject(
        frame,
        warped,
        src_transform=Affine(*GRID.affine),
        src_crs=OURS,
        src_nodata=65535,
        dst_transform=Affine(side / 256, 0, tile.x * side - EDGE, 0, -side / 256, EDGE - tile.y * side),
        dst_crs=MERCATOR,
        dst_nodata=65535,
        resampling=Resampling.nearest,
        num_threads=1,
    )
    return classes(warped, palette("rain"), hundredths("uint16"))


def agreement(frame: Field, tile: Tile, way: Warp) -> float:
    """Share of a tile's pixels that both put into the same class."""
    return float(np.mean(drawn_by_us(frame, way) == drawn_by_gdal(frame, tile)))


def rate(draw: Callable[[Tile, Field], bytes], tiles: list[Tile], frames: list[Field]) -> float:
    """Tiles per second, the best of some repeats."""
    draw(tiles[0], frames[0])
    seconds = []
    for _ in range(REPEATS):
        start = perf_counter()
        for frame in frames:
            for tile in tiles:
                draw(tile, frame)
        seconds.append(perf_counter() - start)
    return len(tiles) * len(frames) / min(seconds)


if __name__ == "__main__":
    show(rows())
