"""`nowcast query` on 16 x 16 km west of Greenwich, where it rains c mm/h in column c.

The method is persistence, so all leads are alike; the four western columns were never observed.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from pyproj import CRS, Transformer
from typer.testing import CliRunner, Result

from nowcast.cli import app
from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.sources.odim_hdf5 import write

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
GRID = Grid("+proj=laea +lat_0=50 +lon_0=-5 +R=6371000 +units=m +no_defs", -8000.0, 8000.0, 1000.0, 1000.0, 16, 16)
SEEN = np.tile(np.arange(16) >= 4, (16, 1))
RAIN = np.where(SEEN, np.arange(16.0), np.nan).astype(np.float32)

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of 12:00 and 12:05, the second without rain in row 0, both with a nowcast of 3 leads."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("scans", "regions"):
        (folder / name).mkdir()
    (folder / "regions" / "here.yaml").write_text("model: persistence\nleads: 3\nthresholds: [1, 9.5]\n")
    dry_north = np.where(SEEN & (np.arange(16)[:, None] == 0), np.float32(0), RAIN)
    for number, values in enumerate((RAIN, dry_north)):
        scan = Scan("t", "t", START + timedelta(minutes=5 * number), "rain_rate", values, SEEN, GRID)
        write(scan, folder / "scans" / f"t_20260601120{5 * number}.h5")
    return folder


@pytest.fixture(scope="module")
def nowcast(home: Path) -> Command:
    """Runs `nowcast` in that home, on a wide terminal, after both nowcasts were made."""
    environment = {"NOWCAST_STORE": str(home / "store"), "NOWCAST_REGIONS": str(home / "regions"), "COLUMNS": "300"}
    runner = CliRunner(env=environment)
    for words in (["ingest", str(home / "scans")], ["issue"]):
        assert runner.invoke(app, [*words, "--region", "here"], catch_exceptions=False).exit_code == 0
    return lambda *words: runner.invoke(app, [str(word) for word in words], catch_exceptions=False)


def place(row: int, col: int) -> tuple[str, str]:
    """(latitude, longitude) a little off the centre of a pixel, as text."""
    lon, lat = GRID.lonlat(row + 0.2, col - 0.2)
    return f"{lat:.5f}", f"{lon:.5f}"


def point(nowcast: Command, row: int, col: int, *options: str) -> Result:
    """`query point` at a pixel; longitudes here are negative, so they stand behind `--`."""
    result = nowcast("query", "point", "--region", "here", *options, "--", *place(row, col))
    assert result.exit_code == 0, result.output
    return result


def small_box(nowcast: Command, *options: str) -> Result:
    """`query box` around the centres of rows 5 .. 7 and columns 3 .. 5: parts of 3 x 3 pixels."""
    (south, west), (north, east) = place(7, 3), place(5, 5)
    result = nowcast("query", "box", "--region", "here", *options, "--", south, west, north, east)
    assert result.exit_code == 0, result.output
    return result


def lines(result: Result) -> list[list[str]]:
    """The cells of a printed table's body."""
    cells = (line.strip("│").split("│") for line in result.stdout.splitlines() if line.startswith("│"))
    return [[cell.strip() for cell in row] for row in cells]


class TestTable:
    def test_point_has_a_line_per_lead(self, nowcast: Command) -> None:
        result = point(nowcast, 8, 9)
        assert "init 2026-06-01T12:05Z by persistence" in result.stdout
        assert [row[:2] for row in lines(result)] == [["+5", "9.00"], ["+10", "9.00"], ["+15", "9.00"]]

    def test_chances_of_certain_rain(self, nowcast: Command) -> None:
        """At 12:00 all that was observed is 4 mm/h or more; beside the forecast stand quantiles, then chances."""
        result = point(nowcast, 8, 12, "--init-time", "2026-06-01T12:00")
        assert "P(>=1)" in result.stdout
        assert "P(>=9.5)" in result.stdout
        for row in lines(result):
            low, median, high = (float(cell) for cell in row[2:5])
            assert 1 < low < median < high
            assert float(row[5].strip("%")) >= 90

    def test_a_place_never_observed_has_no_number(self, nowcast: Command) -> None:
        result = point(nowcast, 8, 2)
        assert "no radar coverage here" in result.stdout
        assert lines(result) == []

    def test_a_place_that_radars_do_not_see_now_is_told_from_one_they_never_saw(
        self, nowcast: Command, tmp_path: Path
    ) -> None:
        """Columns 8 .. 15 are missing in the scan of 12:05."""
        seen_now = SEEN & (np.arange(16) < 8)
        for number, seen in enumerate((SEEN, seen_now)):
            values = np.where(seen, RAIN, np.float32(np.nan))
            scan = Scan("t", "t", START + timedelta(minutes=5 * number), "rain_rate", values, seen, GRID)
            write(scan, tmp_path / f"t_20260601120{5 * number}.h5")
        region = ("--region", "hole")
        nowcast("ingest", tmp_path, *region)
        nowcast("issue", *region)
        told = {col: nowcast("query", "point", *region, "--", *place(8, col)).stdout for col in (2, 5, 12)}
        assert "no radar coverage here" in told[2]
        assert "radar temporarily unavailable" in told[12]
        assert "radar" not in told[5]
        found = nowcast("query", "point", *region, "--format", "json", "--", *place(8, 12))
        assert json.loads(found.stdout)["radar_coverage"] == "unavailable"

    def test_a_fallback_says_why(self, nowcast: Command) -> None:
        result = nowcast("query", "point", "--region", "hole", "--init-time", "2026-06-01T12:00", "--", *place(8, 5))
        assert "by persistence (persistence: 1 scan, motion needs 2)" in result.stdout

    def test_map_gives_mean_and_maximum(self, nowcast: Command) -> None:
        """Columns 4 .. 15 have a mean of 9.5 and a maximum of 15."""
        result = nowcast("query", "map", 10, "--region", "here", "--init-time", "2026-06-01T12:00")
        assert result.exit_code == 0
        assert [row[:3] for row in lines(result)] == [["+10", "9.50", "15.00"]]

    def test_box_gives_mean_and_maximum_per_lead(self, nowcast: Command) -> None:
        """Column 3 is not observed; 4 and 5 have a mean of 4.5."""
        expected = [["+5", "4.50", "5.00"], ["+10", "4.50", "5.00"], ["+15", "4.50", "5.00"]]
        assert [row[:3] for row in lines(small_box(nowcast))] == expected


class TestSentence:
    """Above the table. It rained in row 0 at 12:00 and no longer at 12:05."""

    def said(self, nowcast: Command, row: int, col: int, *options: str) -> str:
        return point(nowcast, row, col, *options).stdout.splitlines()[0]

    def test_now_is_the_initial_time_that_is_asked_for(self, nowcast: Command) -> None:
        said = self.said(nowcast, 0, 9, "--init-time", "2026-06-01T12:00")
        assert said == "rain for the whole forecast (15 min)"
        assert self.said(nowcast, 0, 9, "--init-time", "2026-06-01T12:05") == "no rain in the next 15 min"

    def test_the_newest_scan_says_what_it_does_now(self, nowcast: Command) -> None:
        """The nowcast of 12:00 expects rain at 12:10; the scan of 12:05 is dry."""
        said = self.said(nowcast, 0, 9, "--init-time", "2026-06-01T12:00", "--now", "2026-06-01T12:05")
        assert said == "rain in 5 min, to the end of the forecast (10 min)"

    def test_a_place_never_observed(self, nowcast: Command) -> None:
        assert self.said(nowcast, 8, 2, "--now", "2026-06-01T12:05") == "no radar coverage here"

    def test_a_forecast_that_has_run_out(self, nowcast: Command) -> None:
        assert self.said(nowcast, 8, 9, "--now", "2026-06-01T12:20") == "the forecast is past"


class TestJson:
    def test_point(self, nowcast: Command) -> None:
        found = json.loads(point(nowcast, 8, 9, "--format", "json").stdout)
        assert found == {
            "init_time": "2026-06-01T12:05:00Z",
            "model": "persistence",
            "rung": "persistence",
            "reason": "",
            "radar_coverage": "ok",
            "units": "mm h-1",
            "dims": ["lead_time"],
            "lead_time_min": [5, 10, 15],
            "rain_rate": [9.0, 9.0, 9.0],
            "rain_rate_quantile": found["rain_rate_quantile"],
            "probability": found["probability"],
            "outlook": found["outlook"],
        }

    def test_point_has_quantiles_and_chances_by_lead(self, nowcast: Command) -> None:
        found = json.loads(point(nowcast, 8, 9, "--format", "json").stdout)
        assert list(found["rain_rate_quantile"]) == ["0.1", "0.5", "0.9"]
        assert list(found["probability"]) == ["1", "9.5"]
        for low, high in zip(found["rain_rate_quantile"]["0.1"], found["rain_rate_quantile"]["0.9"], strict=True):
            assert low < high

    def test_point_sums_up_what_happens_after_a_given_now(self, nowcast: Command) -> None:
        """Persistence of 9 mm/h from 12:05; at 12:09 the leads to 12:20 are 1, 6 and 11 min ahead."""
        text = point(nowcast, 8, 9, "--format", "json", "--now", "2026-06-01T12:09").stdout
        assert json.loads(text)["outlook"] == {
            "text": "rain for the whole forecast (11 min)",
            "weather": "lasting",
            "starts_min": 0,
            "ends_min": None,
            "horizon_min": 11,
            "chance": None,
            "certainty": None,
            "now": "2026-06-01T12:09:00Z",
        }

    def test_what_is_not_known_is_null(self, nowcast: Command) -> None:
        text = point(nowcast, 8, 2, "--format", "json").stdout
        assert json.loads(text)["rain_rate"] == [None, None, None]
        assert "NaN" not in text

    def test_map(self, nowcast: Command) -> None:
        found = json.loads(nowcast("query", "map", 15, "--region", "here", "--format", "json").stdout)
        assert (found["dims"], found["lead_time_min"]) == (["y", "x"], [15])
        assert found["rain_rate"][0] == [None] * 4 + [0.0] * 12
        assert found["rain_rate"][15] == [None] * 4 + [float(column) for column in range(4, 16)]

    def test_box(self, nowcast: Command) -> None:
        found = json.loads(small_box(nowcast, "--format", "json").stdout)
        assert found["dims"] == ["lead_time", "y", "x"]
        assert found["rain_rate"] == [[[None, 4.0, 5.0]] * 3] * 3

    def test_init_time_chooses_the_nowcast(self, nowcast: Command) -> None:
        """It rained in row 0 at 12:00 and no longer at 12:05; a time with an offset is brought to UTC."""
        for text, rate in (("2026-06-01T12:00", 9.0), ("2026-06-01T14:00+02:00", 9.0), ("2026-06-01T12:05Z", 0.0)):
            found = json.loads(point(nowcast, 0, 9, "--format", "json", "--init-time", text).stdout)
            assert found["rain_rate"] == [rate] * 3


class TestNetcdf:
    def test_map_is_cf_and_lies_where_it_should(self, nowcast: Command, tmp_path: Path) -> None:
        out = tmp_path / "map.nc"
        result = nowcast("query", "map", 5, "--region", "here", "--format", "netcdf", "--out", out)
        assert result.exit_code == 0, result.output
        with xr.open_dataset(out) as found:
            assert found.attrs["Conventions"].startswith("CF-")
            assert found.rain_rate.attrs["units"] == "mm h-1"
            assert found.x.attrs["standard_name"] == "projection_x_coordinate"
            assert found.init_time.values == np.datetime64("2026-06-01T12:05")
            np.testing.assert_array_equal(found.rain_rate.values[1:], RAIN[1:])
            mapping = found.rain_rate.attrs.get("grid_mapping") or found.rain_rate.encoding["grid_mapping"]
            to_metres = Transformer.from_crs("EPSG:4326", CRS.from_cf(found[mapping].attrs), always_xy=True)
            lon, lat = GRID.lonlat(3, 11)
            np.testing.assert_allclose(to_metres.transform(lon, lat), (found.x[11], found.y[3]), atol=0.01)

    def test_point_and_box_hold_the_same_numbers(self, nowcast: Command, tmp_path: Path) -> None:
        point(nowcast, 8, 9, "--format", "netcdf", "--out", str(tmp_path / "point.nc"))
        small_box(nowcast, "--format", "netcdf", "--out", str(tmp_path / "box.nc"))
        with xr.open_dataset(tmp_path / "point.nc") as one, xr.open_dataset(tmp_path / "box.nc") as part:
            assert one.rain_rate.values.tolist() == [9.0, 9.0, 9.0]
            np.testing.assert_array_equal(part.rain_rate[0], RAIN[5:8, 3:6])
            ends = np.array(["2026-06-01T12:10", "2026-06-01T12:15", "2026-06-01T12:20"], "datetime64[ns]")
            np.testing.assert_array_equal(one.time, ends)


class TestGeotiff:
    def test_map_lies_where_it_should(self, nowcast: Command, tmp_path: Path) -> None:
        out = tmp_path / "map.tif"
        result = nowcast("query", "map", 5, "--region", "here", "--format", "geotiff", "--out", out)
        assert result.exit_code == 0, result.output
        with rasterio.open(out) as file:
            assert np.isnan(file.nodata)
            assert file.bounds == pytest.approx((-8000, -8000, 8000, 8000), abs=0.01)
            lon, lat = GRID.lonlat(3, 11)
            x, y = Transformer.from_crs("EPSG:4326", file.crs, always_xy=True).transform(lon, lat)
            assert file.index(x, y) == (3, 11)
            np.testing.assert_array_equal(file.read(1)[1:], RAIN[1:])

    def test_box_has_a_band_per_lead(self, nowcast: Command, tmp_path: Path) -> None:
        small_box(nowcast, "--format", "geotiff", "--out", str(tmp_path / "box.tif"))
        with rasterio.open(tmp_path / "box.tif") as file:
            assert (file.count, file.height, file.width) == (3, 3, 3)
            assert file.bounds == pytest.approx((-5000, 0, -2000, 3000), abs=0.01)
            np.testing.assert_array_equal(file.read(3), RAIN[5:8, 3:6])


HERE = ("--region", "here")
CENTRE = ("--", "50", "-5")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("map", "7", *HERE), "no lead of 7 min, there are [5, 10, 15]"),
        (("point", *HERE, "--", "51", "-5"), "latitude 51.0, longitude -5.0 lies outside the grid"),
        (("box", *HERE, "--", "51", "-5", "52", "-4"), "lies outside the grid"),
        (("box", *HERE, "--", "50.1", "-5", "50", "-4"), "empty box"),
        (("point", "--region", "nobody", *CENTRE), "no store at"),
        (("point", *HERE, "--init-time", "2026-06-01T11:00", *CENTRE), "no nowcast was issued at 2026-06-01T11:00:00Z"),
        (("point", *HERE, "--init-time", "noon", *CENTRE), "noon"),
        (("point", *HERE, "--format", "geotiff", "--out", "OUT", *CENTRE), "no map or box"),
        (("map", "5", *HERE, "--format", "netcdf"), "--format netcdf needs --out FILE"),
        (("map", "5", *HERE, "--format", "geotiff"), "--format geotiff needs --out FILE"),
        (("map", "5", *HERE, "--format", "netcdf", "--out", "nowhere/a.nc"), "nowhere"),
        (("map", "5", *HERE, "--format", "geotiff", "--out", "nowhere/a.tif"), "nowhere"),
        (("map", "5", *HERE, "--format", "grib"), "'grib' is not one of"),
        (("point", *HERE, "50", "-5"), "No such option"),
        (("point", *HERE, "--", "nan", "-5"), "outside the grid"),
    ],
)
def test_a_wrong_question_ends_with_code_2_and_says_why(
    nowcast: Command, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result = nowcast("query", *(str(tmp_path / "out.tif") if word == "OUT" else word for word in words))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.tif").exists()


def test_before_the_first_nowcast_there_is_no_store(nowcast: Command, home: Path) -> None:
    assert nowcast("ingest", home / "scans", "--region", "fresh").exit_code == 0
    result = nowcast("query", "point", "--region", "fresh", *CENTRE)
    assert result.exit_code == 2
    assert "no store at" in result.stderr


def test_history_lists_every_nowcast_and_the_layout(nowcast: Command) -> None:
    found = json.loads(nowcast("query", "history", *HERE, "--json").stdout)
    assert len(found) == 3
    assert "2026-06-01T12:05" in found[0]["message"]
    assert [set(one) for one in found] == [{"snapshot", "time", "message"}] * 3
    assert len(json.loads(nowcast("query", "history", *HERE, "--json", "--most", "1").stdout)) == 1
    assert nowcast("query", "history", *HERE, "--most", "0").exit_code == 2
