from dataclasses import replace

import numpy as np
import pytest

from nowcast.core.grid import Grid, GridMismatch

LATLON = Grid("EPSG:4326", 0.0, 60.0, 1.0, 1.0, 10, 20)
METRES = Grid("EPSG:3067", 200_000.0, 7_000_000.0, 1000.0, 2000.0, 40, 30)


def test_pixel_centres_start_half_a_pixel_inside_the_corner() -> None:
    assert LATLON.x[[0, -1]].tolist() == [0.5, 19.5]
    assert LATLON.y[[0, -1]].tolist() == [59.5, 50.5]
    assert LATLON.bounds == (0.0, 50.0, 20.0, 60.0)
    assert LATLON.shape == (10, 20)


def test_affine_maps_the_last_corner() -> None:
    a, b, c, d, e, f = METRES.affine
    col, row = METRES.width, METRES.height
    assert (a * col + b * row + c, d * col + e * row + f) == (230_000.0, 6_920_000.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"dx": 0.0}, "positive"),
        ({"dy": -1.0}, "positive"),
        ({"height": 0}, "shape"),
        ({"x0": float("inf")}, "finite"),
        ({"dx": float("nan")}, "finite"),
    ],
)
def test_refuses_impossible_geometry(change: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Grid(**(LATLON.to_json() | change))


def test_spacing_is_in_kilometres_whatever_the_unit() -> None:
    """At 60 N a degree of longitude is half a degree of latitude: mean of 55.6 and 111.2 km."""
    assert METRES.spacing_km == 1.5
    assert Grid("EPSG:4326", 0.0, 60.5, 1.0, 1.0, 1, 1).spacing_km == pytest.approx(83.4, abs=0.1)


def test_fingerprint_is_shared_by_equal_grids_only() -> None:
    same = Grid("EPSG:4326", 0, 60, 1, 1, 10, 20)
    assert same == LATLON
    assert same.fingerprint == LATLON.fingerprint
    assert len(LATLON.fingerprint) == 16
    assert replace(LATLON, x0=0.1).fingerprint != LATLON.fingerprint


def test_json_roundtrip() -> None:
    assert Grid.from_json(METRES.to_json()) == METRES


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (replace(METRES, width=31), "shape"),
        (replace(METRES, crs="EPSG:3035"), "crs"),
        (replace(METRES, x0=METRES.x0 + 2.0), "extent"),
        (replace(METRES, dx=METRES.dx * 1.01), "extent"),
    ],
)
def test_mismatch_is_named(other: Grid, word: str) -> None:
    assert word in METRES.mismatch(other)
    with pytest.raises(GridMismatch, match=word):
        METRES.require(other)


def test_same_place_in_other_words_is_no_mismatch() -> None:
    METRES.require(METRES)
    METRES.require(replace(METRES, x0=METRES.x0 + 0.5))
    METRES.require(replace(METRES, crs=METRES.projection.to_wkt()))


@pytest.mark.parametrize(("row", "col"), [(0, 0), (39, 29), (17, 3)])
@pytest.mark.parametrize("grid", [METRES, replace(LATLON, height=40, width=30)])
def test_locate_undoes_lonlat(grid: Grid, row: int, col: int) -> None:
    lon, lat = grid.lonlat(row, col)
    assert grid.locate(lat, lon) == (row, col)


def test_lonlat_of_a_degree_grid_is_the_pixel_centre() -> None:
    assert LATLON.lonlat(0, 3) == pytest.approx((3.5, 59.5))


@pytest.mark.parametrize(("lat", "lon"), [(60.1, 5.0), (49.9, 5.0), (55.0, -0.1), (55.0, 20.1), (-90.0, 5.0)])
def test_locate_refuses_points_outside(lat: float, lon: float) -> None:
    with pytest.raises(ValueError, match="outside the grid"):
        LATLON.locate(lat, lon)


def test_window_holds_the_box_and_crop_follows() -> None:
    rows, cols = LATLON.window(south=55.5, west=2.5, north=57.5, east=4.5)
    assert (rows, cols) == (slice(2, 5), slice(2, 5))
    part = LATLON.crop(rows, cols)
    assert part.bounds == (2.0, 55.0, 5.0, 58.0)
    np.testing.assert_array_equal(part.x, LATLON.x[cols])
    np.testing.assert_array_equal(part.y, LATLON.y[rows])


def test_window_is_cut_at_the_edges() -> None:
    assert LATLON.window(-10, -10, 80, 80) == (slice(0, 10), slice(0, 20))


@pytest.mark.parametrize(
    ("box", "word"), [((40, 0, 45, 5), "outside"), ((52, 30, 53, 31), "outside"), ((55, 5, 55, 6), "empty box")]
)
def test_window_refuses_boxes_that_hold_nothing(box: tuple[float, float, float, float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        LATLON.window(*box)


def test_describe_names_shape_spacing_and_crs() -> None:
    assert METRES.describe() == "40x30 at 1.5 km (EPSG:3067)"
