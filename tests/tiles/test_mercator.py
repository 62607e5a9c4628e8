"""Tiles show the pixels of a grid where they lie on the Earth."""

import numpy as np
import pytest
from mercator_maps import GRIDS, centre, on_map
from rasterio import Affine
from rasterio.warp import Resampling, reproject

from nowcast.core.grid import Grid
from nowcast.tiles.mercator import MOST_ERROR, Tile, positions, touches, warp

FINLAND = Grid(
    "+proj=stere +lat_0=90 +lon_0=25 +lat_ts=60 +R=6371288 +units=m +no_defs", -380e3, -2170e3, 1e3, 1e3, 1226, 760
)
ANTIMERIDIAN = Grid("+proj=laea +lat_0=0 +lon_0=180 +R=6371000 +units=m", -500e3, 500e3, 1e4, 1e4, 100, 100)
POLE = Grid("+proj=stere +lat_0=90 +lon_0=0 +R=6371000 +units=m", -500e3, 500e3, 1e4, 1e4, 100, 100)
EASTWARD = Grid("EPSG:4326", 230.0, 55.0, 0.05, 0.05, 600, 1200)
"""Longitudes counted from 0 to 360."""

EDGE = 20037508.342789244
"""Half the width of the web-mercator plane, in metres."""


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("at", [(0, 0), (0, 3), (2, 1), (3, 3)])
@pytest.mark.parametrize("size", [256, 512])
def test_a_pixel_lies_where_its_longitude_and_latitude_say(name: str, at: tuple[int, int], size: int) -> None:
    grid = GRIDS[name]
    x, y, row, col = on_map(*centre(grid, *at), z=13, size=size)
    found = warp(grid, Tile(13, x, y, size))
    assert found is not None
    numbers = np.arange(grid.height * grid.width).reshape(grid.shape)[found.rows, found.cols]
    assert numbers.ravel()[found.index[row, col]] == at[0] * grid.width + at[1]


@pytest.mark.parametrize("name", GRIDS)
def test_a_tile_is_what_gdal_warps_it_to(name: str) -> None:
    grid = GRIDS[name]
    field = np.arange(1, grid.height * grid.width + 1, dtype=np.int32).reshape(grid.shape)
    z, (x, y, _, _) = 11, on_map(*centre(grid, 2, 2), z=11)
    side = 2 * EDGE / 2**z
    expected = np.zeros((256, 256), np.int32)
    reproject(
        field,
        expected,
        src_transform=Affine(*grid.affine),
        src_crs=grid.crs,
        dst_transform=Affine(side / 256, 0, x * side - EDGE, 0, -side / 256, EDGE - y * side),
        dst_crs="EPSG:3857",
        resampling=Resampling.nearest,
        tolerance=0.0,
    )
    found = warp(grid, Tile(z, x, y))
    assert found is not None
    ours = np.where(found.index < 0, 0, field[found.rows, found.cols].ravel()[found.index])
    assert (ours > 0).any()
    in_doubt = np.any([np.abs(part - np.rint(part)) < 0.01 for part in positions(grid, Tile(z, x, y))], axis=0)
    assert in_doubt.mean() < 0.05
    assert np.array_equal(ours[~in_doubt], expected[~in_doubt])


@pytest.mark.parametrize("grid", [FINLAND, ANTIMERIDIAN, POLE, EASTWARD], ids=["polar", "180 E", "pole", "0..360"])
def test_positions_are_as_exact_as_promised(grid: Grid) -> None:
    for z in (0, 1, 2, 3, 5, 8):
        lon, lat = grid.lonlat(grid.height / 3, grid.width / 4)
        tile = Tile(z, *on_map((lon + 180) % 360 - 180, min(lat, 85.0), z)[:2])
        centres = (np.arange(256) + 0.5) / 256
        exact = grid.positions(*np.meshgrid(tile.lat(centres), tile.lon(centres), indexing="ij"))
        for found, true in zip(positions(grid, tile), exact, strict=True):
            near = np.isfinite(true) & (true > -1000) & (true < 3000)
            assert np.abs(found - true)[near].max() <= MOST_ERROR


@pytest.mark.parametrize("grid", [FINLAND, ANTIMERIDIAN, POLE, EASTWARD], ids=["polar", "180 E", "pole", "0..360"])
def test_no_tile_of_the_grid_is_passed_over(grid: Grid) -> None:
    for z in range(8):
        for row, col in ((0, 0), (0, grid.width - 1), (grid.height - 1, 0), (grid.height - 1, grid.width - 1), (9, 9)):
            lon, lat = grid.lonlat(row, col)
            if abs(lat) < 85:
                tile = Tile(z, *on_map((lon + 180) % 360 - 180, lat, z)[:2])
                assert touches(grid, tile)
                assert warp(grid, tile) is not None


def test_tiles_far_off_are_told_by_their_box() -> None:
    assert not touches(FINLAND, Tile(5, 0, 0))
    assert not touches(ANTIMERIDIAN, Tile(4, 8, 8))
    assert warp(FINLAND, Tile(5, 0, 0)) is None
    assert sum(touches(FINLAND, Tile(5, x, y)) for x in range(32) for y in range(32)) <= 16


@pytest.mark.parametrize(
    ("tile", "wrong"),
    [
        ((3, 8, 0), "0 to 7"),
        ((3, 0, -1), "0 to 7"),
        ((23, 0, 0), "zoom"),
        ((-1, 0, 0), "zoom"),
        ((3, 0, 0, 9), "256"),
    ],
)
def test_a_tile_that_cannot_be_is_refused(tile: tuple[int, ...], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Tile(*tile)
