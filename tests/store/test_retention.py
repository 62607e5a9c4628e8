"""What is swept away and what stays: the newest state always, and every commit that is young enough."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import NOW, archive_in, file_id, forecasts_in, nowcast, scan

from nowcast.store.archive import Archive, append, open_archive, read_frames, read_slots
from nowcast.store.forecasts import issued, open_forecasts, publish, read_rain_rate
from nowcast.store.history import as_of, history
from nowcast.store.query import Reader
from nowcast.store.repository import Location, StoreNotFound
from nowcast.store.retention import sweep

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
