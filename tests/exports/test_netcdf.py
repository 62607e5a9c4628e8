"""The NetCDF file, opened by xarray, netCDF4, GDAL and pysteps."""

import re
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr
from fakes import FIVE, GRID, NOW, START, TIMELINE, nowcast
from pyproj import CRS, Transformer

from nowcast.core.grid import Grid
from nowcast.exports.netcdf import Convention, write_netcdf
from nowcast.pysteps_exchange import from_pysteps, to_pysteps
from nowcast.store import query
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location

POLAR = Grid("+proj=stere +lat_0=90 +lon_0=25 +lat_ts=60 +R=6371288 +units=m", -3000.0, -3e6, 1000.0, 1000.0, 4, 6)
DEGREES = Grid("EPSG:4326", 24.0, 61.0, 0.01, 0.02, 4, 6)


def reader(folder: Path, grid: Grid = GRID) -> Reader:
    """0.37, 0.74 and 1.11 mm/h from 00:10; the north-west pixel has no forecast; chances are 0.25 at 1, 0 at 5 mm/h."""
    forecasts = create_forecasts(Location(str(folder / "forecasts")), grid, TIMELINE, 3, (1.0, 5.0))
    publish(forecasts, nowcast(2, rain_rate=0.37, grid=grid), NOW)
    return Reader(forecasts.location)


def written(found: xr.Dataset, folder: Path, convention: Convention = Convention.CF) -> Path:
    write_netcdf(found, folder / "nowcast.nc", convention)
    return folder / "nowcast.nc"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(query.latest(reader(tmp_path)), tmp_path)


def test_xarray_finds_the_numbers_the_times_and_the_projection(file: Path) -> None:
    with xr.open_dataset(file, decode_coords="all", decode_timedelta=False) as found:
        assert found.rain_rate.dims == ("time", "y", "x")
        assert found.probability.dims == ("time", "threshold", "y", "x")
        np.testing.assert_allclose(found.rain_rate[:, 2, 3], [0.37, 0.74, 1.11])
        assert found.rain_rate.isnull().sum() == 3
        assert found.rain_rate[:, 0, 0].isnull().all()
        assert found.probability.sel(threshold=1.0)[0, 2, 3] == 0.25
        assert found.time.values.tolist() == [int((START + k * FIVE).timestamp()) * 10**9 for k in (3, 4, 5)]
        assert found.init_time.values == np.datetime64("2026-06-01T00:10")
        assert found.lead_time.values.tolist() == [5, 10, 15]
        names = {name: found[name].attrs.get("standard_name") for name in ("time", "init_time", "lead_time")}
        assert names == {"time": "time", "init_time": "forecast_reference_time", "lead_time": "forecast_period"}
        assert found.rain_rate.encoding["grid_mapping"] == "crs"
        assert CRS.from_cf(found.crs.attrs) == GRID.projection
        assert found.attrs["Conventions"] == "CF-1.11"


def test_every_pixel_has_the_right_latitude_and_longitude(file: Path) -> None:
    with xr.open_dataset(file) as found:
        to_wgs84 = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True)
        lon, lat = to_wgs84.transform(found.x.values[3], found.y.values[2])
        np.testing.assert_allclose((found.lon[2, 3], found.lat[2, 3]), (lon, lat), atol=1e-9)
        np.testing.assert_allclose((found.lon[2, 3], found.lat[2, 3]), GRID.lonlat(2, 3), atol=1e-9)
        assert found.lat.attrs["units"] == "degrees_north"
        assert {"lat", "lon", "lead_time", "init_time"} <= set(found.rain_rate.coords)


def test_values_are_packed_as_in_the_store_and_coordinates_are_never_missing(file: Path) -> None:
    with netCDF4.Dataset(file) as found:
        rain = found["rain_rate"]
        assert (rain.dtype, rain.scale_factor, rain._FillValue) == (np.uint16, 0.01, 65535)
        assert found["probability"].dtype == np.uint8
        assert rain.filters()["zlib"]
        assert rain.coordinates.split() == ["init_time", "lat", "lead_time", "lon"]
        for name in ("x", "y", "lat", "lon", "time", "threshold"):
            assert "_FillValue" not in found[name].ncattrs()
        rain.set_auto_maskandscale(False)
        assert rain[:, 2, 3].tolist() == [37, 74, 111]
        assert rain[0, 0, 0] == 65535
        assert found["radar_coverage"].flag_values.dtype == found["radar_coverage"].dtype


def test_the_file_says_who_made_it_and_when(file: Path) -> None:
    with netCDF4.Dataset(file) as found:
        assert (found.model, found.rung, found.issued_time) == ("fake-1", "champion", "2026-06-02T00:00:00Z")
        assert found.input_age_s == 90
        assert re.fullmatch(r"2026-06-02T00:00:00Z nowcast \S+: issued by fake-1, read from .*", found.history)
        assert "reason" not in found.ncattrs()


@pytest.mark.parametrize(("grid", "pole"), [(POLAR, 90.0), (Grid("EPSG:3031", 0, 0, 1e3, 1e3, 4, 6), -90.0)])
def test_a_polar_stereographic_mapping_names_its_pole(tmp_path: Path, grid: Grid, pole: float) -> None:
    """CF asks for it; pyproj, where a standard parallel is given, does not write it."""
    with netCDF4.Dataset(written(query.latest(reader(tmp_path, grid)), tmp_path)) as found:
        assert found["crs"].grid_mapping_name == "polar_stereographic"
        assert found["crs"].latitude_of_projection_origin == pole


def test_gdal_places_it(file: Path) -> None:
    with rasterio.open(f"netcdf:{file}:rain_rate") as found:
        assert found.bounds == pytest.approx(GRID.bounds)
        lon, lat = GRID.lonlat(2, 3)
        x, y = Transformer.from_crs("EPSG:4326", found.crs.to_wkt(), always_xy=True).transform(lon, lat)
        assert found.index(x, y) == (2, 3)


def test_degrees_need_no_second_latitudes(tmp_path: Path) -> None:
    with xr.open_dataset(written(query.latest(reader(tmp_path, DEGREES)), tmp_path)) as found:
        assert "lat" not in found
        assert found.y.attrs["standard_name"] == "latitude"
        assert found.crs.attrs["grid_mapping_name"] == "latitude_longitude"


def test_writing_does_not_change_what_is_written(tmp_path: Path) -> None:
    found = query.latest(reader(tmp_path))
    told = {name: dict(found[name].attrs) for name in found.variables}
    written(found, tmp_path)
    assert {name: dict(found[name].attrs) for name in found.variables} == told
    assert found.rain_rate.encoding["dtype"] == np.uint16


def test_maps_boxes_points_and_members_can_be_written(tmp_path: Path) -> None:
    store = reader(tmp_path)
    lon, lat = GRID.lonlat(2, 3)
    box = query.box(store, lat - 1e-4, lon - 1e-4, lat + 1e-4, lon + 1e-4)
    rates, metadata, _ = to_pysteps(query.latest(store))
    members = from_pysteps(np.stack([rates, rates + 1]), metadata, START + 2 * FIVE, FIVE, "steps")
    cases = {
        "map": (query.map_at(store, FIVE), (4, 6), 0.37),
        "box": (box, (3, 1, 1), 0.37),
        "point": (query.point(store, lat, lon), (3,), 0.37),
        "members": (members, (2, 3, 4, 6), 0.37),
    }
    for name, (found, shape, first) in cases.items():
        with xr.open_dataset(written(found, tmp_path)) as opened:
            assert opened.rain_rate.shape == shape, name
            row, col = (2, 3) if shape[-2:] == (4, 6) else (0, 0)
            values = opened.rain_rate.values.reshape(-1, *(shape[-2:] if len(shape) > 1 else (1, 1)))
            assert values[0, row, col] == pytest.approx(first), name
            place = float(opened.lat.values.ravel()[row * shape[-1] + col if len(shape) > 1 else 0])
            assert place == pytest.approx(lat, abs=1e-9), name


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = query.latest(reader(tmp_path))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_netcdf(found, tmp_path / "nowhere" / "nowcast.nc")
    (tmp_path / "nowcast.nc").write_text("older")
    with pytest.raises(TypeError, match="Invalid value for attr 'title'"):
        write_netcdf(found.assign_attrs(title={}), tmp_path / "nowcast.nc")
    assert (tmp_path / "nowcast.nc").read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forecasts", "forecasts.lock", "nowcast.nc"]


class TestPysteps:
    def test_its_importer_reads_the_file(self, tmp_path: Path) -> None:
        importers = pytest.importorskip("pysteps.io.nowcast_importers")
        path = written(query.latest(reader(tmp_path, POLAR)), tmp_path, Convention.PYSTEPS)
        rates, metadata = importers.import_netcdf_pysteps(str(path), onerror="raise")
        np.testing.assert_allclose(rates[:, 2, 3], [0.37, 0.74, 1.11])
        assert np.isnan(rates[:, 0, 0]).all()
        assert metadata["leadtimes"].tolist() == [5, 10, 15]
        assert (metadata["unit"], metadata["accutime"], metadata["yorigin"]) == ("mm/h", 5.0, "upper")
        assert [metadata[edge] for edge in ("x1", "y1", "x2", "y2")] == list(POLAR.bounds)
        assert [str(time) for time in metadata["timestamps"][:1]] == [str(datetime(2026, 6, 1, 0, 15))]
        told = CRS(metadata["projection"])
        assert (told.to_dict()["lat_0"], told.to_dict()["lat_ts"], told.to_dict()["lon_0"]) == (90, 60, 25)

    def test_members_have_the_name_that_its_exporter_gives_them(self, tmp_path: Path) -> None:
        rates, metadata, _ = to_pysteps(query.latest(reader(tmp_path)))
        members = from_pysteps(np.stack([rates, rates + 1]), metadata, START + 2 * FIVE, FIVE)
        with netCDF4.Dataset(written(members, tmp_path, Convention.PYSTEPS)) as found:
            assert found["precip_intensity"].dimensions == ("ens_number", "time", "y", "x")
            assert found["precip_intensity"].grid_mapping in found.variables
            assert "probability" not in found.variables
