"""Area means over polygons on 4 x 6 pixels of 1 km: x from -3 to 3 km, y from -2 to 2 km, row 0 in the north."""

from typing import Any

import numpy as np
import pytest
import shapely
from fakes import GRID
from polygons import catchment, rectangle
from pyproj import Geod, Proj, Transformer
from radar import needs_radar, sample

from nowcast.catchments.polygons import Catchment, Weights, area_means, weigh
from nowcast.core.grid import Grid
from nowcast.sources import decode

COLUMNS = np.tile(np.arange(6, dtype=np.float32), (4, 1))
"""It rains c mm/h in column c."""

KNMI = "+proj=stere +lat_0=90 +lon_0=0 +lat_ts=60 +a=6378140 +b=6356750 +x_0=0 +y_0=0"
PROJECTIONS = {
    "laea": Grid("EPSG:3035", 3.6e6, 3.6e6, 1000, 1000, 700, 700),
    "laea sphere": Grid("+proj=laea +lat_0=52 +lon_0=5 +R=6371000", -350_000, 350_000, 1000, 1000, 700, 700),
    "stere": Grid(KNMI, 0, -3_650_000, 1000, 1000, 765, 700),
    "latlon": Grid("EPSG:4326", 0, 55, 0.01, 0.01, 700, 1000),
}


def share_of_pixels(weights: Weights, grid: Grid = GRID) -> np.ndarray:
    """Areas as a field, in units of a pixel of the sphere that the grid lies on."""
    field = np.zeros(grid.shape)
    np.add.at(field, (weights.rows, weights.cols), weights.areas)
    return field / PIXEL


PIXEL = float(weigh(catchment(rectangle(0, 0, 1000, 1000)), GRID).areas.sum())


class TestWeights:
    def test_whole_and_half_pixels(self) -> None:
        """From x = -3 to -0.5 km in the two northern rows: columns 0 and 1, and half of column 2."""
        found = share_of_pixels(weigh(catchment(rectangle(-3000, 0, -500, 2000)), GRID))
        expected = np.zeros(GRID.shape)
        expected[:2] = [1, 1, 0.5, 0, 0, 0]
        np.testing.assert_allclose(found, expected, atol=5e-4)

    def test_a_triangle_cuts_pixels_in_half(self) -> None:
        """Corners at (0, 0), (2, 0), (0, 2) km: one whole pixel, the two on the diagonal half."""
        found = share_of_pixels(weigh(catchment([(0, 0), (2000, 0), (0, 2000), (0, 0)]), GRID))
        expected = np.zeros(GRID.shape)
        expected[0, 3], expected[1, 3], expected[1, 4] = 0.5, 1, 0.5
        np.testing.assert_allclose(found, expected, atol=5e-4)

    def test_a_hole_is_left_out(self) -> None:
        """A hole of a quarter pixel in the middle of one."""
        hole = rectangle(250, 250, 750, 750)
        found = share_of_pixels(weigh(catchment(rectangle(0, 0, 2000, 1000), hole), GRID))
        expected = np.zeros(GRID.shape)
        expected[1, 3:5] = 0.75, 1
        np.testing.assert_allclose(found, expected, atol=5e-4)

    def test_parts_add_up(self) -> None:
        """Two parts in one pixel."""
        parts = [catchment(rectangle(x, 0, x + 250, 1000)).outline for x in (0, 500)]
        found = share_of_pixels(weigh(Catchment("two", "two", shapely.MultiPolygon(parts)), GRID))
        assert found[1, 3] == pytest.approx(0.5, abs=2e-4)
        assert found.sum() == pytest.approx(0.5, abs=2e-4)

    @pytest.mark.parametrize("grid", PROJECTIONS.values(), ids=PROJECTIONS)
    def test_they_add_up_to_the_geodesic_area(self, grid: Grid) -> None:
        """A star of 200 km with a hole, anywhere on Earth the same area: measured 1e-8 to 2e-7."""
        angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        radius = 1 + 0.3 * np.sin(5 * angle)
        star = np.stack([5 + 1.5 * radius * np.cos(angle), 52 + radius * np.sin(angle)], axis=1)
        hole = [(4.8, 51.8), (5.2, 51.8), (5.0, 52.2)]
        outline = shapely.geometry.polygon.orient(shapely.Polygon(star, [hole]))
        steps = shapely.segmentize(outline, 0.02)
        geodesic = Geod(ellps="WGS84").geometry_area_perimeter(steps)[0] / 1e6
        weights = weigh(Catchment("star", "star", outline), grid)
        assert weights.areas.sum() == pytest.approx(geodesic, rel=1e-6)
        assert weights.total_km2 == pytest.approx(geodesic, rel=1e-6)
        assert weights.share_inside == 1.0

    def test_pixels_of_a_degree_weigh_what_they_measure(self) -> None:
        """Pixels at 60 degrees are half as wide as those at the equator: 3 mm/h there and 0 here make 2 mm/h."""
        grid = Grid("EPSG:4326", 0, 61, 1, 1, 61, 1)
        boxes = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(0, 59.5, 1, 60.5)])
        field = np.zeros((1, *grid.shape), np.float32)
        field[0, -1] = 3
        means, _ = area_means(weigh(Catchment("two", "two", boxes), grid), field)
        assert means[0] == pytest.approx(2.0, rel=1e-2)

    def test_edges_are_straight_in_longitude_and_latitude(self) -> None:
        """RFC 7946: the northern edge of a box follows its parallel, which bulges on a polar grid."""
        grid = PROJECTIONS["stere"]
        weights = weigh(Catchment("box", "box", shapely.box(2, 51, 8, 53)), grid)
        at_edge = [grid.locate(52.99, lon) for lon in (2.5, 5.0, 7.5)]
        assert set(at_edge) <= set(zip(weights.rows.tolist(), weights.cols.tolist(), strict=True))

    def test_a_catchment_elsewhere_is_refused_by_name(self) -> None:
        with pytest.raises(ValueError, match="catchment river lies outside the grid"):
            weigh(catchment(rectangle(10_000, 0, 11_000, 1000)), GRID)


class TestAreaMeans:
    def test_mean_of_columns(self) -> None:
        """Columns 3 and 4 whole, half of column 5: (3 + 4 + 2.5) / 2.5."""
        weights = weigh(catchment(rectangle(0, -1900, 2500, 1900)), GRID)
        means, shares = area_means(weights, np.stack([COLUMNS, 10 * COLUMNS]))
        np.testing.assert_allclose(means, [3.8, 38.0], rtol=1e-4)
        assert shares.tolist() == [1.0, 1.0]

    def test_the_same_rain_everywhere_is_its_own_mean(self) -> None:
        weights = weigh(catchment([(0, 0), (2000, 100), (300, 1700), (0, 0)]), GRID)
        assert area_means(weights, np.full((1, *GRID.shape), 0.7, np.float32))[0][0] == np.float32(0.7)

    def test_a_sixth_without_forecast_is_left_out(self) -> None:
        """The last of six columns: the mean of 0, 1, 2, 3 and 4."""
        field = COLUMNS.copy()
        field[:, 5] = np.nan
        means, shares = area_means(weigh(catchment(rectangle(-2999, -1900, 2999, 1900)), GRID), field[None])
        assert means[0] == pytest.approx(2, rel=1e-3)
        assert shares[0] == pytest.approx(5 / 6, rel=1e-3)

    def test_with_more_missing_there_is_no_mean(self) -> None:
        field = COLUMNS.copy()
        field[:, 4:] = np.nan
        means, shares = area_means(weigh(catchment(rectangle(-2999, -1900, 2999, 1900)), GRID), field[None])
        assert np.isnan(means[0])
        assert shares[0] == pytest.approx(4 / 6, rel=1e-3)

    def test_each_member_has_its_own_coverage(self) -> None:
        fields = np.stack([COLUMNS, np.full(GRID.shape, np.nan, np.float32)])
        means, shares = area_means(weigh(catchment(rectangle(0, 0, 1000, 1000)), GRID), fields)
        assert (means[0], shares.tolist()) == (3.0, [1.0, 0.0])
        assert np.isnan(means[1])

    def test_a_sixth_outside_the_grid_has_no_forecast(self) -> None:
        """Columns 1 to 5 lie inside, one more does not."""
        weights = weigh(catchment(rectangle(-2000, 0, 4000, 1000)), GRID)
        means, shares = area_means(weights, COLUMNS[None])
        assert weights.share_inside == pytest.approx(5 / 6, rel=1e-3)
        assert shares[0] == pytest.approx(5 / 6, rel=1e-3)
        assert means[0] == pytest.approx(3, rel=1e-3)

    def test_with_half_of_it_outside_there_is_no_mean(self) -> None:
        weights = weigh(catchment(rectangle(1000, 0, 5000, 1000)), GRID)
        assert weights.share_inside == pytest.approx(0.5, rel=1e-3)
        assert np.isnan(area_means(weights, COLUMNS[None])[0][0])


REAL = {"fmi-pgm": (24.5, 61.0), "knmi-rap": (5.3, 52.2)}
"""Sample -> the middle of a catchment in it."""


@needs_radar
@pytest.mark.parametrize("name", REAL)
def test_a_real_frames_mean_is_that_of_many_points(name: str) -> None:
    """Every pixel cut into 8 x 8 points, each in or out by longitude and latitude, weighed by PROJ's own scale."""
    scan = decode(sample(name))[0]
    grid, (lon, lat) = scan.grid, REAL[name]
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = 0.5 + 0.15 * np.sin(3 * angle)
    outline = shapely.Polygon(np.stack([lon + 1.6 * radius * np.cos(angle), lat + radius * np.sin(angle)], axis=1))
    rain_rate = scan.rain_rate
    means, shares = area_means(weigh(Catchment("star", "star", outline), grid), rain_rate[None])
    west, south, east, north = outline.bounds
    rows, cols = grid.window(south, west, north, east)
    expected, share = mean_of_points(grid, rows, cols, outline, rain_rate)
    assert means[0] == pytest.approx(expected, rel=1e-3)
    assert shares[0] == pytest.approx(share, rel=1e-3)


def mean_of_points(
    grid: Grid, rows: slice, cols: slice, outline: Any, rain_rate: np.ndarray, cut: int = 8
) -> tuple[float, float]:
    """The mean over points with a value inside an outline, and their share."""
    down = rows.start + (np.arange((rows.stop - rows.start) * cut) + 0.5) / cut
    across = cols.start + (np.arange((cols.stop - cols.start) * cut) + 0.5) / cut
    row, col = np.meshgrid(down, across, indexing="ij")
    lonlat = Transformer.from_crs(grid.projection, "EPSG:4326", always_xy=True)
    lon, lat = lonlat.transform(grid.x0 + col * grid.dx, grid.y0 - row * grid.dy)
    inside = shapely.contains_xy(outline, lon, lat)
    scale = Proj(grid.projection).get_factors(lon[inside], lat[inside]).areal_scale
    values = rain_rate[row[inside].astype(int), col[inside].astype(int)]
    seen = np.isfinite(values)
    return float((values[seen] / scale[seen]).sum() / (1 / scale[seen]).sum()), float(seen.mean())
