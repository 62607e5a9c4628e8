"""The STAC item, and the folder of files that it describes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from fakes import GRID, NOW, TIMELINE, nowcast
from shapely.geometry import Point, shape
from stac_pydantic import Item
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.core.grid import Grid
from nowcast.exports.folder import export
from nowcast.exports.outline import outline
from nowcast.exports.stac import item, items
from nowcast.store import query
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with region `here`: nowcasts of 00:00 and 00:10, three leads."""
    folder = tmp_path_factory.mktemp("home")
    location = Location(str(folder / "store" / "here" / "forecasts"))
    forecasts = create_forecasts(location, GRID, TIMELINE, 3, (1.0, 5.0))
    for slot in (0, 2):
        publish(forecasts, nowcast(slot, rain_rate=slot + 1.0), NOW)
    return folder


@pytest.fixture(scope="module")
def latest(home: Path) -> xr.Dataset:
    return query.latest(Reader(Location(str(home / "store" / "here" / "forecasts"))))


def test_an_item_is_valid_and_tells_times_place_and_makers(latest: xr.Dataset) -> None:
    made = json.loads(json.dumps(item(latest, "here", zarr="../zarr/here")))
    valid = Item.model_validate(made)
    assert valid.id == "here-20260601T001000Z"
    told = made["properties"]
    assert (told["datetime"], told["start_datetime"]) == ("2026-06-01T00:15:00Z",) * 2
    assert told["end_datetime"] == "2026-06-01T00:25:00Z"
    assert told["forecast:reference_datetime"] == "2026-06-01T00:10:00Z"
    assert (told["forecast:horizon"], told["forecast:duration"]) == ("PT5M", "PT10M")
    assert told["created"] == "2026-06-02T00:00:00Z"
    assert (told["nowcast:model"], told["nowcast:rung"]) == ("fake-1", "champion")
    assert told["nowcast:snapshot"] == latest.attrs["nowcast:snapshot"]
    assert set(told["processing:software"]) == {"nowcast"}
    assert (told["proj:shape"], told["proj:bbox"]) == ([4, 6], [-3000.0, -2000.0, 3000.0, 2000.0])
    assert told["proj:transform"] == [1000.0, 0.0, -3000.0, 0.0, -1000.0, 2000.0]
    assert {name: one["href"] for name, one in made["assets"].items()} == {
        "netcdf": "./nowcast.nc",
        "rain-rate-5": "./lead-5.tif",
        "rain-rate-10": "./lead-10.tif",
        "rain-rate-15": "./lead-15.tif",
        "zarr": "../zarr/here",
    }
    assert made["assets"]["rain-rate-15"]["forecast:horizon"] == "PT15M"
    assert made["assets"]["rain-rate-15"]["datetime"] == "2026-06-01T00:25:00Z"


def test_items_make_a_feature_collection(latest: xr.Dataset) -> None:
    made = items([item(latest, "here"), item(latest, "there")])
    assert [Item.model_validate(one).id[:5] for one in made["features"]] == ["here-", "there"]


class TestOutline:
    def test_corners_and_edges_lie_where_the_grid_does(self) -> None:
        """A grid of 2000 km: its northern edge bulges north of the straight line between its corners."""
        grid = Grid(GRID.crs, -1e6, 1e6, 1e5, 1e5, 20, 20)
        bbox, geometry = outline(grid)
        ring = shape(geometry)
        assert ring.is_valid
        assert ring.exterior.is_ccw
        for row, col in ((-0.4, 9.5), (-0.4, -0.4), (19.4, 9.5), (10, 19.4)):
            assert ring.contains(Point(grid.lonlat(row, col)))
            row_out, col_out = (v - 0.3 if v < 0 else v + 0.3 for v in (row, col))
            if (row, col) != (10, 19.4):
                assert not ring.contains(Point(grid.lonlat(row_out, col)))
            else:
                assert not ring.contains(Point(grid.lonlat(row, col_out)))
        np.testing.assert_allclose(bbox, grid.bbox, atol=0.02)

    def test_it_is_cut_at_the_antimeridian(self) -> None:
        grid = Grid("EPSG:3460", 1_900_000.0, 4_100_000.0, 10_000.0, 10_000.0, 60, 40)
        bbox, geometry = outline(grid)
        assert geometry["type"] == "MultiPolygon"
        assert bbox[0] > 170 > -170 > bbox[2]
        lonlats = [grid.lonlat(row, col) for row in (0, 30, 59) for col in (0, 20, 39)]
        assert all(shape(geometry).covers(Point(one)) for one in lonlats)
        assert {lon > 0 for lon, _ in lonlats} == {True, False}

    def test_a_grid_around_the_pole_has_none(self) -> None:
        with pytest.raises(ValueError, match="a pole lies inside"):
            outline(Grid("EPSG:3413", -1e6, 1e6, 1e5, 1e5, 20, 20))


class TestCommand:
    def run(self, home: Path, *words: str) -> Any:
        runner = CliRunner(env={"NOWCAST_STORE": str(home / "store"), "NOWCAST_REGIONS": str(home)})
        return runner.invoke(app, ["export", "--region", "here", *words], catch_exceptions=False)

    def test_the_item_s_assets_lie_beside_it(self, home: Path, tmp_path: Path) -> None:
        result = self.run(home, "--out", str(tmp_path), "--init-time", "2026-06-01T00:00")
        assert result.exit_code == 0, result.output
        folder = tmp_path / "here-20260601T000000Z"
        assert [Path(line).name for line in result.stdout.split()][-1] == "stac.json"
        made = json.loads((folder / "stac.json").read_text())
        Item.model_validate(made)
        assert len(list(folder.iterdir())) == 5
        for asset in made["assets"].values():
            assert (folder / asset["href"]).is_file()
        with rasterio.open(folder / "lead-10.tif") as file, xr.open_dataset(folder / "nowcast.nc") as opened:
            np.testing.assert_allclose(file.read(1), opened.rain_rate[1])
            assert file.read(1)[2, 3] == 2.0

    def test_only_what_is_asked_for_is_written(self, home: Path, tmp_path: Path) -> None:
        result = self.run(home, "--out", str(tmp_path), "--formats", "netcdf, stac", "--convention", "pysteps")
        assert result.exit_code == 0, result.output
        folder = tmp_path / "here-20260601T001000Z"
        assert sorted(path.name for path in folder.iterdir()) == ["nowcast.nc", "stac.json"]
        assert list(json.loads((folder / "stac.json").read_text())["assets"]) == ["netcdf"]
        with xr.open_dataset(folder / "nowcast.nc") as opened:
            assert "precip_intensity" in opened

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--formats", "grib"), "no format grib, there are netcdf, cog, stac"),
            (("--convention", "cmor"), "'cmor'"),
            (("--init-time", "2026-06-01T00:05"), "no nowcast was issued at 2026-06-01T00:05:00Z"),
            (("--init-time", "noon"), "noon"),
            (("--store", "nowhere"), "no store at nowhere"),
        ],
    )
    def test_a_wrong_wish_ends_with_code_2(
        self, home: Path, tmp_path: Path, words: tuple[str, ...], message: str
    ) -> None:
        result = self.run(home, "--out", str(tmp_path / "out"), *words)
        assert result.exit_code == 2
        assert message in result.stderr
        assert not (tmp_path / "out").exists()

    def test_a_folder_that_is_a_file_is_named(self, latest: xr.Dataset, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        with pytest.raises(OSError, match="out"):
            list(export(latest, "here", tmp_path / "out"))
