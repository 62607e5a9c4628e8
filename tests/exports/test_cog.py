"""The GeoTIFF: where it lies, what it says, and that it is cloud-optimised."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from fakes import GRID, NOW, TIMELINE, nowcast
from pyproj import Transformer

from nowcast.core.grid import Grid
from nowcast.exports.cog import write_cog
from nowcast.store import query
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location

LARGE = Grid(GRID.crs, 0.0, 0.0, 1000.0, 1000.0, 600, 520)


def latest(folder: Path, grid: Grid = GRID) -> xr.Dataset:
    """1, 2 and 3 mm/h; the north-west pixel has no forecast."""
    forecasts = create_forecasts(Location(str(folder / "forecasts")), grid, TIMELINE, 3, (1.0, 5.0))
    publish(forecasts, nowcast(0, grid=grid), NOW)
    return query.latest(Reader(forecasts.location))


def test_bands_are_leads_and_say_when_they_hold(tmp_path: Path) -> None:
    write_cog(latest(tmp_path), tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert (file.count, file.height, file.width, file.dtypes[0]) == (3, 4, 6, "float32")
        assert file.bounds == pytest.approx(GRID.bounds)
        assert np.isnan(file.nodata)
        assert np.isnan(file.read()[:, 0, 0]).all()
        assert np.isfinite(file.read()).sum() == 3 * 23
        assert file.read()[:, 1, 1].tolist() == [1.0, 2.0, 3.0]
        assert file.descriptions == ("rain rate +5 min", "rain rate +10 min", "rain rate +15 min")
        assert file.units == ("mm h-1",) * 3
        assert file.tags(2) == {"lead_time_min": "10", "valid_time": "2026-06-01T00:10:00Z"}
        assert file.tags()["model"] == "fake-1"
        assert file.tags()["init_time"] == "2026-06-01T00:00:00Z"


def test_a_known_pixel_lies_at_its_longitude_and_latitude(tmp_path: Path) -> None:
    found = latest(tmp_path).isel(y=slice(1, 4), x=slice(2, 6))
    write_cog(found, tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        x, y = file.xy(1, 1)
        lonlat = Transformer.from_crs(file.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
        np.testing.assert_allclose(lonlat, GRID.lonlat(2, 3), atol=1e-9)


def test_it_is_tiled_with_overviews_that_skip_what_is_missing(tmp_path: Path) -> None:
    write_cog(latest(tmp_path, LARGE).sel(lead_time=10), tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.profile["tiled"]
        assert file.block_shapes == [(256, 256)]
        assert file.overviews(1) == [2, 4]
        half = file.read(1, out_shape=(300, 260))
        assert half[0, 0] == 2.0
        assert np.isfinite(half).all()
        assert file.descriptions == ("rain rate +10 min",)


def test_what_is_no_map_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no map or box"):
        write_cog(latest(tmp_path).isel(y=0, x=0), tmp_path / "a.tif")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_cog(latest(tmp_path / "again"), tmp_path / "nowhere" / "a.tif")
    assert not list(tmp_path.glob("*.tif*"))
