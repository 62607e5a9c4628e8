"""Other software finds its way around the stores by their CF attributes."""

from pathlib import Path

import numpy as np
import pytest
from fakes import FIVE, GRID, NOW, START, archive_in, file_id, forecasts_in, nowcast, scan
from pyproj import CRS, Transformer

from nowcast.core.grid import Grid
from nowcast.store import query
from nowcast.store.archive import append
from nowcast.store.forecasts import publish
from nowcast.store.query import Reader
from nowcast.store.template import Template, archive_template, forecast_template, grid_mapping

DEGREES = Grid("EPSG:4326", 24.0, 61.0, 0.01, 0.01, 2, 3)


def templates(grid: Grid) -> list[Template]:
    return [
        archive_template(grid, "rain_rate"),
        archive_template(grid, "reflectivity"),
        forecast_template(grid, (5,), (1.0,)),
    ]


@pytest.mark.parametrize("grid", [GRID, DEGREES], ids=["metres", "degrees"])
def test_every_field_names_a_grid_mapping_that_gives_the_projection_back(grid: Grid) -> None:
    for template in templates(grid):
        fields = [variable for variable in template.values() if variable.dims[-2:] == ("y", "x")]
        assert len(fields) == (3 if "lead_time" in template else 2)
        assert {field.attributes["grid_mapping"] for field in fields} == {"crs"}
        assert CRS.from_wkt(template["crs"].attributes["spatial_ref"]) == grid.projection


def test_axes_are_metres_on_a_projection_and_degrees_without() -> None:
    metres, degrees = (archive_template(grid, "rain_rate") for grid in (GRID, DEGREES))
    assert [metres[axis].attributes["units"] for axis in "yx"] == ["m", "m"]
    assert [degrees[axis].attributes["units"] for axis in "yx"] == ["degrees_north", "degrees_east"]
    assert [degrees[axis].attributes["standard_name"] for axis in "yx"] == ["latitude", "longitude"]


def test_a_mapping_has_what_cf_asks_for_and_pyproj_leaves_out() -> None:
    """The pole of polar stereographic projections with a standard parallel; Lambert's equal-area one on a sphere."""
    north = grid_mapping(Grid("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=25 +R=6371288", 0.0, 0.0, 1e3, 1e3, 2, 2))
    south = grid_mapping(Grid("EPSG:3031", 0.0, 0.0, 1e3, 1e3, 2, 2))
    assert [one["latitude_of_projection_origin"] for one in (north, south)] == [90.0, -90.0]
    lambert = grid_mapping(GRID)
    assert lambert["grid_mapping_name"] == "lambert_azimuthal_equal_area"
    assert [lambert[f"{axis}_of_projection_origin"] for axis in ("latitude", "longitude")] == [60.0, 25.0]
    known = {key: value for key, value in lambert.items() if key != "crs_wkt"}
    to_metres = Transformer.from_crs(GRID.projection.geodetic_crs, CRS.from_cf(known), always_xy=True)
    np.testing.assert_allclose(to_metres.transform(25.0, 60.0), (0.0, 0.0), atol=1e-6)


def test_flag_values_and_meanings_pair_up() -> None:
    for template in templates(GRID):
        for flags in (variable.attributes for variable in template.values() if "flag_values" in variable.attributes):
            assert len(flags["flag_values"]) == len(flags["flag_meanings"].split())


def test_group_attributes_place_the_raster(tmp_path: Path) -> None:
    for location in (archive_in(tmp_path).location, forecasts_in(tmp_path).location):
        found = Reader(location)
        attributes = found.dataset.attrs
        assert attributes["Conventions"] == "CF-1.11"
        assert attributes["spatial:shape"] == [4, 6]
        assert attributes["spatial:transform"] == [1000.0, 0.0, -3000.0, 0.0, -1000.0, 2000.0]
        assert attributes["spatial:bbox"] == [-3000.0, -2000.0, 3000.0, 2000.0]
        assert CRS.from_wkt(attributes["proj:wkt2"]) == GRID.projection
        assert found.grid == GRID


def test_xarray_decodes_times_and_leaves_uncovered_pixels_nan(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    append(archive, [scan(0), scan(1)], file_id(0), NOW)
    found = Reader(archive.location).dataset
    assert found.rain_rate.dims == ("time", "y", "x")
    assert found.time.values[1] == np.datetime64("2026-06-01T00:05:00")
    assert np.isnan(found.rain_rate.values[:, 0, 0]).all()
    assert (found.rain_rate.values[:, 1:] == 1.0).all()


def test_valid_time_is_init_time_plus_lead_in_every_answer(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(1), NOW)
    reader = Reader(forecasts.location)
    lon, lat = GRID.lonlat(2, 3)
    expected = np.array(["2026-06-01T00:10", "2026-06-01T00:15", "2026-06-01T00:20"], "datetime64[ns]")
    around = query.box(reader, lat - 1e-4, lon - 1e-4, lat + 1e-4, lon + 1e-4)
    for answer in (query.latest(reader), query.nowcast_at(reader, START + FIVE), query.point(reader, lat, lon), around):
        assert (answer.valid_time.values == expected).all()


@pytest.mark.parametrize("lead", [1, 2, 3])
def test_a_map_is_the_lead_that_was_asked_for(tmp_path: Path, lead: int) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(0), NOW)
    found = query.map_at(Reader(forecasts.location), lead * FIVE)
    assert found.rain_rate.dims == ("y", "x")
    assert found.rain_rate.values[1, 1] == lead
    assert found.valid_time.values == np.datetime64(f"2026-06-01T00:{lead * 5:02d}")
