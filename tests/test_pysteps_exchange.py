"""To pysteps and back. What pysteps itself makes of it is tested where it is installed."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from fakes import FIVE, GRID, NOW, START, TIMELINE, archive_in, file_id, forecasts_in, nowcast, scan
from pyproj import CRS, Transformer

import nowcast as verbs
from nowcast.core.grid import Grid
from nowcast.core.rain import FMI
from nowcast.core.scan import Scan
from nowcast.store import query
from nowcast.store.archive import append, create_archive
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location

DEGREES = Grid("EPSG:4326", 24.0, 61.0, 0.01, 0.02, 4, 6)


def latest(folder: Path, grid: Grid = GRID) -> xr.Dataset:
    """A nowcast of 0.37, 0.74 and 1.11 mm/h; the north-west pixel has none."""
    forecasts = create_forecasts(Location(str(folder / "forecasts")), grid, TIMELINE, 3, (1.0, 5.0))
    publish(forecasts, nowcast(2, rain_rate=0.37, grid=grid), NOW)
    return query.latest(Reader(forecasts.location))


class TestTo:
    def test_a_nowcast_has_the_metadata_of_an_importer(self, tmp_path: Path) -> None:
        rates, metadata, times = verbs.to_pysteps(latest(tmp_path))
        assert (rates.shape, rates.dtype) == ((3, 4, 6), np.float64)
        np.testing.assert_allclose(rates[:, 1, 1], [0.37, 0.74, 1.11])
        assert np.isnan(rates[:, 0, 0]).all()
        assert np.isfinite(rates).sum() == 3 * 23
        assert times == [datetime(2026, 6, 1, 0, minute) for minute in (15, 20, 25)]
        assert metadata.pop("timestamps").tolist() == times
        assert metadata.pop("leadtimes").tolist() == [5.0, 10.0, 15.0]
        assert metadata == {
            "projection": GRID.crs,
            "x1": -3000.0,
            "y1": -2000.0,
            "x2": 3000.0,
            "y2": 2000.0,
            "xpixelsize": 1000.0,
            "ypixelsize": 1000.0,
            "cartesian_unit": "m",
            "yorigin": "upper",
            "institution": "",
            "product": "precipitation nowcasts",
            "accutime": 5.0,
            "unit": "mm/h",
            "transform": None,
            "zerovalue": 0.0,
            "threshold": 0.1,
        }

    def test_a_box_has_the_edges_of_its_part(self, tmp_path: Path) -> None:
        """Row 1 and 2, column 3 and 4 of pixels of a kilometre whose north-west corner is at -3, 2 km."""
        part = latest(tmp_path).isel(y=slice(1, 3), x=slice(3, 5))
        rates, metadata, _ = verbs.to_pysteps(part)
        assert rates.shape == (3, 2, 2)
        assert [metadata[edge] for edge in ("x1", "y1", "x2", "y2")] == [0.0, -1000.0, 2000.0, 1000.0]

    def test_a_map_is_a_sequence_of_one(self, tmp_path: Path) -> None:
        forecasts = forecasts_in(tmp_path)
        publish(forecasts, nowcast(0), NOW)
        rates, metadata, times = verbs.to_pysteps(query.map_at(Reader(forecasts.location), 2 * FIVE))
        assert (rates.shape, times, metadata["leadtimes"].tolist()) == ((1, 4, 6), [datetime(2026, 6, 1, 0, 10)], [10])

    def test_a_projection_given_by_code_becomes_proj_text(self, tmp_path: Path) -> None:
        _, metadata, _ = verbs.to_pysteps(latest(tmp_path, DEGREES))
        assert metadata["projection"].startswith("+proj=longlat")
        assert metadata["cartesian_unit"] == "degrees"
        assert (metadata["xpixelsize"], metadata["ypixelsize"]) == (0.01, 0.02)

    def test_frames_are_nan_where_a_scan_is_missing_or_does_not_cover(self, tmp_path: Path) -> None:
        archive = archive_in(tmp_path)
        for slot in (0, 2):
            append(archive, [scan(slot, slot + 1.0)], file_id(slot), NOW)
        rates, metadata, times = verbs.to_pysteps(query.frames(Reader(archive.location), START, START + 2 * FIVE))
        assert np.nan_to_num(rates[:, 1, 1], nan=-1.0).tolist() == [1.0, -1.0, 3.0]
        assert np.isnan(rates[:, 0, 0]).all()
        assert times[1] == datetime(2026, 6, 1, 0, 5)
        assert (metadata["unit"], metadata["zr_a"], metadata["zr_b"]) == ("mm/h", 200.0, 1.6)
        assert "leadtimes" not in metadata

    def test_reflectivity_becomes_rain_by_the_archive_s_own_relation(self, tmp_path: Path) -> None:
        archive = create_archive(Location(str(tmp_path / "archive")), GRID, TIMELINE, "reflectivity", FMI)
        values = np.full(GRID.shape, FMI.reflectivity(np.float32([2.0]))[0], np.float32)
        append(archive, [Scan("t", "t", START, "reflectivity", values, values > 0, GRID, FMI)], file_id(0), NOW)
        rates, *_ = verbs.to_pysteps(query.frames(Reader(archive.location), START, START))
        np.testing.assert_allclose(rates, 2.0, rtol=1e-3)

    def test_a_point_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no map or box"):
            verbs.to_pysteps(latest(tmp_path).isel(y=0, x=0))
        with pytest.raises(ValueError, match="are no part of"):
            verbs.to_pysteps(latest(tmp_path / "again").isel(x=slice(None, None, 2)))


class TestBack:
    @pytest.mark.parametrize("grid", [GRID, DEGREES], ids=["metres", "degrees"])
    def test_there_and_back_is_exact(self, tmp_path: Path, grid: Grid) -> None:
        found = latest(tmp_path, grid)
        rates, metadata, _ = verbs.to_pysteps(found)
        back = verbs.from_pysteps(rates, metadata, START + 2 * FIVE, FIVE)
        xr.testing.assert_equal(back.rain_rate.drop_vars("valid_time"), found.rain_rate.drop_vars("valid_time"))
        for name in ("lead_time", "y", "x", "init_time", "valid_time"):
            xr.testing.assert_identical(back[name].reset_coords(drop=True), found[name].reset_coords(drop=True))
        for name in ("spatial:bbox", "spatial:transform", "spatial:shape", "nowcast:cadence_s", "Conventions"):
            assert back.attrs[name] == found.attrs[name], name
        assert CRS.from_wkt(back.crs.attrs["crs_wkt"]).is_exact_same(CRS.from_wkt(back.attrs["proj:wkt2"]))
        to_grid = Transformer.from_crs(CRS(back.attrs["proj:wkt2"]), grid.projection, always_xy=True)
        np.testing.assert_allclose(to_grid.transform(back.x[2], back.y[1]), (grid.x[2], grid.y[1]))
        again, same, _ = verbs.to_pysteps(back)
        np.testing.assert_array_equal(again, rates)
        assert same.pop("product") == "nowcasts by pysteps"
        assert all(np.array_equal(value, metadata[name]) for name, value in same.items())

    def test_members_come_first(self, tmp_path: Path) -> None:
        rates, metadata, _ = verbs.to_pysteps(latest(tmp_path))
        back = verbs.from_pysteps(np.stack([rates, 2 * rates]), metadata, NOW, FIVE, "steps")
        assert back.rain_rate.dims == ("member", "lead_time", "y", "x")
        assert back.member.attrs == {"standard_name": "realization"}
        assert str(back.model.values) == "steps"
        again, *_ = verbs.to_pysteps(back)
        np.testing.assert_array_equal(again[1], 2 * rates)

    def test_what_starts_in_the_south_is_turned_over(self, tmp_path: Path) -> None:
        rates, metadata, _ = verbs.to_pysteps(latest(tmp_path))
        back = verbs.from_pysteps(rates[:, ::-1], metadata | {"yorigin": "lower"}, NOW, FIVE)
        np.testing.assert_array_equal(back.rain_rate, rates)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"unit": "dBZ", "transform": "dB"}, "'dBZ' with transform 'dB'"),
            ({"unit": "mm"}, "not in 'mm'"),
            ({"transform": "dB"}, "transform 'dB'"),
            ({"cartesian_unit": "km"}, "not in km"),
            ({"x2": 9999.0}, "do not fill x -3000.0 .. 9999.0"),
            ({"projection": "+proj=nowhere"}, "nowhere"),
        ],
    )
    def test_metadata_that_do_not_fit_are_named(self, tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
        rates, metadata, _ = verbs.to_pysteps(latest(tmp_path))
        with pytest.raises(ValueError, match=message):
            verbs.from_pysteps(rates, metadata | wrong, NOW, FIVE)

    def test_other_shapes_and_cadences_are_refused(self, tmp_path: Path) -> None:
        rates, metadata, _ = verbs.to_pysteps(latest(tmp_path))
        with pytest.raises(ValueError, match=r"\(4, 6\)"):
            verbs.from_pysteps(rates[0], metadata, NOW, FIVE)
        with pytest.raises(ValueError, match="0:00:30"):
            verbs.from_pysteps(rates, metadata, NOW, timedelta(seconds=30))
        with pytest.raises(ValueError, match="lacks projection, unit"):
            verbs.from_pysteps(rates, {k: v for k, v in metadata.items() if k not in ("projection", "unit")}, NOW, FIVE)


class TestPysteps:
    """A round shower of 10 mm/h at its centre goes 3 pixels east and 1 south per step over 96 x 128 pixels."""

    WIDE = Grid(GRID.crs, 0.0, 0.0, 1000.0, 1000.0, 96, 128)
    STEP = (3, 1)

    def shower(self, step: int) -> np.ndarray:
        y, x = np.mgrid[:96, :128]
        distance = np.hypot(x - 40 - self.STEP[0] * step, y - 40 - self.STEP[1] * step)
        return np.where(distance < 20, 10.0 * np.exp(-((distance / 8) ** 2)), 0.0).astype(np.float32)

    def frames(self, folder: Path) -> xr.Dataset:
        archive = create_archive(Location(str(folder / "archive")), self.WIDE, TIMELINE, "rain_rate", FMI)
        seen = np.ones(self.WIDE.shape, bool)
        for k in range(3):
            one = Scan("t", "t", START + k * FIVE, "rain_rate", self.shower(k), seen, self.WIDE)
            append(archive, [one], file_id(k), NOW)
        return query.frames(Reader(archive.location), START, START + 2 * FIVE)

    def test_extrapolation_of_our_frames_gives_the_known_shower(self, tmp_path: Path) -> None:
        pytest.importorskip("pysteps")
        from pysteps import motion, nowcasts

        rates, metadata, times = verbs.to_pysteps(self.frames(tmp_path))
        assert len(times) == 3
        known = np.stack([np.full(self.WIDE.shape, float(step)) for step in self.STEP])
        made = nowcasts.get_method("extrapolation")(rates[-1], known, 2)
        forecast = verbs.from_pysteps(made, metadata, START + 2 * FIVE, FIVE)
        known_part = forecast.rain_rate.values[:, 10:86, 10:118]
        np.testing.assert_allclose(known_part[0], self.shower(3)[10:86, 10:118], atol=1e-5)
        np.testing.assert_allclose(known_part[1], self.shower(4)[10:86, 10:118], atol=1e-5)
        felt = motion.get_method("LK")(rates)
        np.testing.assert_allclose(felt[:, 42, 46], self.STEP, atol=0.2)
