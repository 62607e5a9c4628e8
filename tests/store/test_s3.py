"""All stores on an S3-compatible server."""

from collections.abc import Iterator

import pyarrow.fs
import pytest
import zarr
from bucket import new_bucket, s3_server
from fakes import GRID, NOW, START, TIMELINE, file_id, nowcast, scan
from flaky import losing

from nowcast.store import days, objects, query, repository
from nowcast.store.archive import append, create_archive, open_archive, read_frames
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import S3, Location
from nowcast.store.rows import row
from nowcast.verify.statistics import zero


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    with s3_server() as url:
        yield Location("s3://radar/stores", new_bucket(url, "radar", monkeypatch))


def test_arrow_reaches_the_same_place(bucket: Location) -> None:
    """As Ray Train does, for what the workers of a retraining keep."""
    files, path = pyarrow.fs.FileSystem.from_uri(bucket.child("here").child("training").arrow_url())
    with files.open_output_stream(f"{path}/state") as out:
        out.write(b"kept")
    assert objects.read(bucket.child("here").child("training"), "state") == b"kept"


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


def test_a_commit_whose_answer_is_lost_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Icechunk sends it again, and is told that somebody was faster: itself."""
    with s3_server() as url, losing(url, "PUT", "/ref.json") as (bad, lost):
        good = Location("s3://radar/archive", new_bucket(url, "radar", monkeypatch))
        create_archive(good, GRID, TIMELINE, "rain_rate", scan(0).zr)
        archive = open_archive(Location(good.url, S3(bad, "us-east-1")))
        append(archive, [scan(1)], file_id(1), NOW)
        assert lost == [1]
        messages = [one.message for one in open_archive(good).repository.ancestry(branch=repository.BRANCH)]
    assert len(messages) == 3


def test_who_commits_without_the_lock_makes_another_fail_and_write_nothing(bucket: Location) -> None:
    where = bucket.child("archive")
    create_archive(where, GRID, TIMELINE, "rain_rate", scan(0).zr)
    ours, theirs = (open_archive(where).repository for _ in range(2))

    def commit_both() -> None:
        with repository.transaction(where, ours, "ours") as group:
            group.attrs["by"] = "us"
            session = theirs.writable_session(repository.BRANCH)
            zarr.open_group(session.store, mode="a").attrs["by"] = "them"
            session.commit("theirs")

    with pytest.raises(repository.Conflict, match="written to from elsewhere"):
        commit_both()
    assert repository.read(ours).attrs["by"] == "them"


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
