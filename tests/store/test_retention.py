"""What is swept away and what stays: the newest state always, and every commit that is young enough."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import NOW, START, archive_in, file_id, forecasts_in, nowcast, scan

from nowcast.retain import retain
from nowcast.settings import Region, Settings
from nowcast.store.archive import Archive, append, open_archive, read_frames, read_slots, time_of_file
from nowcast.store.forecasts import issued, newest_done, open_forecasts, publish, read_rain_rate
from nowcast.store.history import as_of, history
from nowcast.store.query import Reader
from nowcast.store.repository import Location, StoreNotFound
from nowcast.store.retention import empty, sweep

MOMENT = timedelta(microseconds=1)


def size(where: Location) -> int:
    """Bytes on disk."""
    return sum(path.stat().st_size for path in Path(where.url).rglob("*") if path.is_file())


def reader(where: Location) -> Reader:
    return Reader(where, patience_s=0.0)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Five commits of 1 .. 5 mm/h, and that of the layout."""
    made = archive_in(tmp_path)
    for slot in range(5):
        append(made, [scan(slot, rain_rate=slot + 1.0)], file_id(slot), NOW)
    return made


def test_the_newest_state_stays_however_old(archive: Archive) -> None:
    before, bytes_before = history(reader(archive.location)), size(archive.location)
    swept = sweep(archive.location, timedelta(0), datetime.now(UTC) + timedelta(days=1000))
    assert (len(before), history(reader(archive.location))) == (6, before[:1])
    assert swept.freed > 0
    assert size(archive.location) < bytes_before
    for opened in (archive, open_archive(archive.location)):
        assert read_slots(opened).observed.tolist() == [0, 1, 2, 3, 4]
        assert read_frames(opened, 0, 4).rain_rate[:, 1, 1].tolist() == [1, 2, 3, 4, 5]


def test_younger_commits_can_be_opened_as_before_and_older_ones_are_gone(archive: Archive) -> None:
    before = history(reader(archive.location))
    sweep(archive.location, timedelta(0), before[2].time - MOMENT)
    assert history(reader(archive.location)) == before[:3]
    third = as_of(reader(archive.location), before[2].snapshot)
    assert np.flatnonzero(third.dataset.status.values).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="has no commit"):
        as_of(reader(archive.location), before[3].snapshot)


def test_writing_goes_on_after_sweeping(archive: Archive) -> None:
    """With the archive that was open meanwhile."""
    sweep(archive.location, timedelta(0), datetime.now(UTC))
    append(archive, [scan(7, rain_rate=8.0)], file_id(7), NOW)
    assert len(history(reader(archive.location))) == 2
    assert read_frames(open_archive(archive.location), 7, 7).rain_rate[0, 1, 1] == 8


def test_every_nowcast_stays(tmp_path: Path) -> None:
    made = forecasts_in(tmp_path)
    for slot in range(3):
        publish(made, nowcast(slot, rain_rate=slot + 1.0), NOW)
    time.sleep(0.01)
    sweep(made.location, timedelta(0), datetime.now(UTC))
    opened = open_forecasts(made.location)
    assert list(issued(opened)) == [0, 1, 2]
    assert [read_rain_rate(opened, slot)[0, 1, 1] for slot in range(3)] == [1, 2, 3]


def test_young_stores_lose_nothing(archive: Archive) -> None:
    assert sweep(archive.location, timedelta(days=1), datetime.now(UTC)).commits == 0


def test_refusals(tmp_path: Path, archive: Archive) -> None:
    with pytest.raises(ValueError, match="keep must not be negative"):
        sweep(archive.location, -MOMENT, NOW)
    with pytest.raises(StoreNotFound, match="nowhere"):
        sweep(Location(str(tmp_path / "nowhere")), MOMENT, NOW)


DAYS = 288
"""Slots a day."""


def test_old_fields_go_and_count_as_missing_while_files_stay_known(tmp_path: Path) -> None:
    """Now is noon of day 5: with 3 days kept, slots before noon of day 2, which is 2.5 days, go."""
    made, now = archive_in(tmp_path), START + timedelta(days=5.5)
    filled = (0, 7, 2 * DAYS, 2 * DAYS + 144, 5 * DAYS)
    for number, slot in enumerate(filled):
        append(made, [scan(slot)], file_id(number), NOW)
    assert empty(made.location, timedelta(days=3), now) == 3
    assert read_slots(made).observed.tolist() == [2 * DAYS + 144, 5 * DAYS]
    frames = read_frames(made, 0, 0)
    assert not frames.coverage.any()
    assert np.isnan(frames.rain_rate).all()
    assert time_of_file(made, file_id(0)) == START
    assert empty(made.location, timedelta(days=3), now) == 0


def test_emptied_slots_give_their_space_back_with_the_commits(tmp_path: Path) -> None:
    made = archive_in(tmp_path)
    for slot in (0, 1, 2, 5 * DAYS):
        append(made, [scan(slot)], file_id(slot % 200), NOW)
    empty(made.location, timedelta(days=3), START + timedelta(days=5))
    time.sleep(0.01)
    sweep(made.location, timedelta(0), datetime.now(UTC))
    keys = chunk_keys(made)
    assert keys == [f"{name}/c/{5 * DAYS}/0/0" for name in ("coverage", "rain_rate")]


def chunk_keys(archive: Archive) -> list[str]:
    """Chunks of the fields."""
    store = archive.repository.readonly_session("main").store

    async def listed() -> list[str]:
        keys = [key async for key in store.list()]
        return sorted(key for key in keys if key.startswith(("coverage/c/", "rain_rate/c/")))

    return asyncio.run(listed())


def test_what_is_in_use_stays_however_old(tmp_path: Path) -> None:
    """Two days before the newest scan, though all of it is years old."""
    made = archive_in(tmp_path)
    for slot in (0, DAYS, 3 * DAYS - 1, 3 * DAYS):
        append(made, [scan(slot)], file_id(slot % 200), NOW)
    assert empty(made.location, timedelta(days=3), START + timedelta(days=1000)) == 1
    assert read_slots(made).observed.tolist() == [DAYS, 3 * DAYS - 1, 3 * DAYS]


def test_old_nowcasts_go_whole_and_none_becomes_due(tmp_path: Path) -> None:
    made = forecasts_in(tmp_path)
    for slot in (0, 1, 5 * DAYS):
        publish(made, nowcast(slot), NOW)
    assert empty(made.location, timedelta(days=3), START + timedelta(days=5)) == 2
    assert list(issued(made)) == [5 * DAYS]
    assert np.isnan(read_rain_rate(made, 0)).all()
    assert newest_done(made, 6 * DAYS) == 5 * DAYS


def test_stores_without_anything_are_left_alone(tmp_path: Path) -> None:
    assert empty(archive_in(tmp_path).location, timedelta(days=3), NOW) == 0


def test_a_region_keeps_its_scans_a_day_longer_than_its_nowcasts(tmp_path: Path) -> None:
    """Six days old is the oldest of each; five are kept, of scans six."""
    settings, region = Settings(store=str(tmp_path)), Region(name="here", keep=5)
    made, kept = archive_in(tmp_path / "here"), forecasts_in(tmp_path / "here")
    for slot in (0, 1, 9 * DAYS):
        append(made, [scan(slot)], file_id(slot % 200), NOW)
        publish(kept, nowcast(slot), NOW)
    found = retain(region, settings, START + timedelta(days=6))
    assert [(one.store, one.slots) for one in found] == [("archive", 0), ("forecasts", 2)]
    assert retain(Region(name="here"), settings, NOW)[0].slots == 0
