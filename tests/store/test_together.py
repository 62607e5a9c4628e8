"""Several files in one commit: seen within at once, outside all together or not at all."""

from pathlib import Path

import numpy as np
import pytest
from fakes import NOW, archive_in, file_id, scan

from nowcast.store.archive import (
    Placement,
    append,
    file_ids,
    gaps,
    open_archive,
    read_frames,
    read_slots,
    time_of_file,
    together,
)
from nowcast.store.repository import snapshot_id


def test_what_is_appended_is_seen_within_and_outside_only_after(tmp_path: Path) -> None:
    """Slots 2, 5 and, late, 3; slot 4 stays empty."""
    archive = archive_in(tmp_path)
    with together(archive, "three files") as draft:
        placements = [append(draft, [scan(slot, slot)], file_id(slot), NOW)[0] for slot in (2, 5, 3)]
        assert placements == [Placement.STORED, Placement.STORED, Placement.LATE]
        assert append(draft, [scan(5, 5)], file_id(9), NOW) == [Placement.DUPLICATE]
        assert append(draft, [scan(5, 7)], file_id(9), NOW) == [Placement.CONFLICT]
        assert read_slots(draft).observed.tolist() == [2, 3, 5]
        assert file_ids(draft) == {file_id(slot) for slot in (2, 3, 5)}
        assert time_of_file(draft, file_id(3)) == scan(3).nominal_time
        assert gaps(draft) == [scan(4).nominal_time]
        within = read_frames(draft, 1, 6)
        assert read_slots(archive).observed.tolist() == []
    assert read_slots(archive).observed.tolist() == [2, 3, 5]
    after = read_frames(open_archive(archive.location), 1, 6)
    np.testing.assert_array_equal(within.rain_rate, after.rain_rate)
    assert np.nanmax(after.rain_rate, axis=(1, 2))[[1, 2, 4]].tolist() == [2, 3, 5]
    assert within.scan_ids == after.scan_ids


def test_nothing_is_left_of_a_batch_that_fails(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    append(archive, [scan(1)], file_id(1), NOW)
    before = snapshot_id(archive.repository)

    def fail() -> None:
        with together(archive, "two files") as draft:
            append(draft, [scan(2, 2)], file_id(2), NOW)
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert snapshot_id(archive.repository) == before
    assert read_slots(archive).observed.tolist() == [1]


def test_a_batch_is_one_commit(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    first = snapshot_id(archive.repository)
    with together(archive, "four files") as draft:
        for slot in range(4):
            append(draft, [scan(slot, slot + 1)], file_id(slot), NOW)
    newest = archive.repository.lookup_snapshot(snapshot_id(archive.repository))
    assert newest.parent_id == first
