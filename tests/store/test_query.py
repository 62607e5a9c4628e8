"""What users ask of the stores, and what they are told when there is no answer."""

from datetime import timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fakes import FIVE, GRID, NOW, START, archive_in, file_id, forecasts_in, nowcast, scan

from nowcast.store import query
from nowcast.store.archive import append
from nowcast.store.forecasts import publish
from nowcast.store.query import NoForecast, Reader


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    forecasts = forecasts_in(tmp_path)
    for slot in (0, 2):
        publish(forecasts, nowcast(slot, rain_rate=slot + 1.0), NOW)
    return Reader(forecasts.location)


def test_xarray_opens_the_store_with_cf_dims_and_units(reader: Reader) -> None:
    session = reader.repository.readonly_session("main")
    dataset = xr.open_zarr(session.store, consolidated=False)
    assert dataset.rain_rate.dims == ("init_time", "lead_time", "y", "x")
    assert dataset.rain_rate.attrs["units"] == "mm h-1"
    assert dataset.lead_time.attrs["standard_name"] == "forecast_period"
    assert dataset.init_time.attrs["standard_name"] == "forecast_reference_time"


def test_point_gives_all_leads_of_its_pixel(reader: Reader) -> None:
    lon, lat = GRID.lonlat(2, 3)
    found = query.point(reader, lat, lon)
    assert found.rain_rate.dims == ("lead_time",)
    np.testing.assert_allclose(found.rain_rate, [3.0, 6.0, 9.0])
    assert found.valid_time.values[0] == found.init_time.values + np.timedelta64(5, "m")


def test_map_and_box_are_parts_of_the_nowcast(reader: Reader) -> None:
    assert query.map_at(reader, timedelta(minutes=10)).rain_rate.shape == (4, 6)
    lon, lat = GRID.lonlat(2, 3)
    part = query.box(reader, lat - 1e-4, lon - 1e-4, lat + 1e-4, lon + 1e-4)
    assert part.rain_rate.shape == (3, 1, 1)
    assert part.x.values[0] == GRID.x[3]


def test_a_past_nowcast_is_found_by_its_time(reader: Reader) -> None:
    assert query.nowcast_at(reader, START).rain_rate.values[0, 1, 1] == 1.0
    with pytest.raises(NoForecast, match="2026-06-01T00:05:00Z"):
        query.nowcast_at(reader, START + FIVE)
    with pytest.raises(NoForecast, match="2026-06-02"):
        query.nowcast_at(reader, NOW)


def test_wrong_questions_name_what_is_wrong(reader: Reader) -> None:
    with pytest.raises(ValueError, match=r"no lead of 7 min, there are \[5, 10, 15\]"):
        query.map_at(reader, timedelta(minutes=7))
    with pytest.raises(ValueError, match="latitude 10, longitude 10 lies outside"):
        query.point(reader, 10, 10)
    with pytest.raises(ValueError, match="outside the grid"):
        query.box(reader, 10, 10, 11, 11)


def test_times_without_an_offset_are_utc_and_others_are_brought_to_it(reader: Reader) -> None:
    east = timezone(timedelta(hours=3))
    for time in (START.replace(tzinfo=None), START.astimezone(east)):
        assert query.nowcast_at(reader, time).rain_rate.values[0, 1, 1] == 1.0
        assert query.latest(reader, time).rain_rate.values[0, 1, 1] == 1.0
        with pytest.raises(NoForecast, match="2026-05-31T23:55:00Z"):
            query.nowcast_at(reader, time - FIVE)


def test_an_empty_store_has_no_latest(tmp_path: Path) -> None:
    with pytest.raises(NoForecast, match="holds no nowcast yet"):
        query.latest(Reader(forecasts_in(tmp_path).location))


def test_frames_between_two_times_include_missing_slots(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    for slot in (0, 2, 3):
        append(archive, [scan(slot)], file_id(slot), NOW)
    found = query.frames(Reader(archive.location), START + FIVE, START + 2 * FIVE)
    assert found.sizes["time"] == 2
    assert found.coverage.values.any(axis=(1, 2)).tolist() == [False, True]
