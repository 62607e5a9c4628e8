"""Where radars see, where they saw in the last day, and where they never do."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import FIVE, GRID, NOW, START, archive_in, file_id

from nowcast.core.scan import Scan
from nowcast.sight import Sight, sampled, view
from nowcast.store.archive import Archive, append

DAY = 288
"""Slots."""


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_in(tmp_path)


def put(archive: Archive, slot: int, columns: slice) -> None:
    """A dry scan that covers some of the 6 columns."""
    coverage = np.zeros(GRID.shape, bool)
    coverage[:, columns] = True
    values = np.where(coverage, np.float32(0), np.float32(np.nan))
    append(archive, [Scan("t", "t", START + slot * FIVE, "rain_rate", values, coverage, GRID)], file_id(0), NOW)


def flags(archive: Archive, slot: int, sight: Sight | None = None) -> list[int]:
    """One row of flags; all are alike."""
    seen = view(sight or Sight(), archive, slot)
    assert (seen.flags == seen.flags[0]).all()
    return seen.flags[0].tolist()


def test_flags_tell_never_unavailable_and_ok_apart(archive: Archive) -> None:
    put(archive, 0, slice(0, 4))
    put(archive, 2, slice(2, 5))
    assert flags(archive, 0) == [2, 2, 2, 2, 0, 0]
    assert flags(archive, 2) == [1, 1, 2, 2, 2, 0]
    assert view(Sight(), archive, 2).share == pytest.approx(3 / 5)


def test_what_was_seen_more_than_a_day_ago_counts_no_longer(archive: Archive) -> None:
    put(archive, 0, slice(0, 6))
    put(archive, DAY - 1, slice(0, 3))
    put(archive, DAY, slice(0, 3))
    assert flags(archive, DAY - 1) == [2, 2, 2, 1, 1, 1]
    assert flags(archive, DAY) == [2, 2, 2, 0, 0, 0]


def test_one_scan_an_hour_stands_for_the_day_and_what_is_kept_changes_nothing(archive: Archive) -> None:
    """Slots 0 1 are in the first hour, 12 13 in the second; column 5 is seen at 1 alone, which stands for nothing."""
    for slot, columns in ((0, slice(0, 2)), (1, slice(5, 6)), (12, slice(2, 3)), (13, slice(3, 4))):
        put(archive, slot, columns)
    assert sampled(archive, 13) == [0, 12]
    kept = Sight()
    for slot in (0, 1, 12, 13):
        assert flags(archive, slot, kept) == flags(archive, slot)
    assert flags(archive, 13) == [1, 1, 1, 2, 0, 0]
    assert sorted(kept.kept) == [0, 12]


def test_slots_longer_than_an_hour_each_stand_for_themselves(archive: Archive) -> None:
    for slot in (0, 5):
        put(archive, slot, slice(0, 1))
    wide = type(archive)(
        archive.location,
        archive.repository,
        archive.grid,
        type(archive.timeline)(START, timedelta(hours=2)),
        archive.quantity,
        archive.zr,
    )
    assert sampled(wide, 5) == [0, 5]
