"""All stores on an S3-compatible server."""

from collections.abc import Iterator

import pytest
from bucket import new_bucket, s3_server
from fakes import GRID, NOW, START, TIMELINE, file_id, nowcast, scan

from nowcast.store import days, query, repository
from nowcast.store.archive import append, create_archive, open_archive, read_frames
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location
from nowcast.store.rows import row
from nowcast.verify.statistics import zero


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    with s3_server() as url:
        yield Location("s3://radar/stores", new_bucket(url, "radar", monkeypatch))


def test_archive_and_forecasts_work_in_a_bucket(bucket: Location) -> None:
    where = bucket.child("here").child("archive")
    assert not repository.exists(where)
    append(create_archive(where, GRID, TIMELINE, "rain_rate", scan(0).zr), [scan(1)], file_id(1), NOW)
    assert read_frames(open_archive(where), 1, 1).rain_rate[0, 1, 1] == 1.0
    forecasts = create_forecasts(bucket.child("here").child("forecasts"), GRID, TIMELINE, 3, (1.0, 5.0))
    assert publish(forecasts, nowcast(1), NOW)
    assert not publish(forecasts, nowcast(1), NOW)
    lon, lat = GRID.lonlat(2, 2)
    found = query.point(Reader(forecasts.location), lat, lon, START + TIMELINE.cadence)
    assert found.rain_rate.values.tolist() == [1.0, 2.0, 3.0]


def test_sums_by_day_are_added_once_in_a_bucket(bucket: Location) -> None:
    where, day = bucket.child("here"), START.date()
    case = {"init_time": START, "lead_minutes": 5, "method": "served", "model": "m", "rung": ""}
    rows = [row(case | {"valid_time": START + k * TIMELINE.cadence}, zero(1, (1.0,)), 0) for k in range(3)]
    assert days.days(where) == []
    assert [days.add(where, day, rows[:2]), days.add(where, day, rows)] == [2, 1]
    found = days.read(where, day)
    assert found is not None
    assert len(found) == 3
    assert days.days(where) == [day]
