"""Every scan has one place in the archive, and gets there once or not at all."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import FIVE, GRID, NOW, START, TIMELINE, archive_in, file_id, scan

from nowcast.core.grid import GridMismatch
from nowcast.core.rain import MARSHALL_PALMER, NO_ECHO
from nowcast.core.scan import Scan
from nowcast.core.timeline import OffCadence
from nowcast.store import repository
from nowcast.store.archive import (
    Placement,
    append,
    create_archive,
    gaps,
    open_archive,
    read_frames,
    read_slots,
    scan_ids,
    time_of_file,
)
from nowcast.store.repository import Location, array, snapshot_id


def test_placements_follow_from_the_slot_and_the_scan(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    assert append(archive, [scan(2)], file_id(2), NOW) == [Placement.STORED]
    assert append(archive, [scan(0)], file_id(0), NOW) == [Placement.LATE]
    assert append(archive, [scan(2)], file_id(9), NOW) == [Placement.DUPLICATE]
    assert append(archive, [scan(2, rain_rate=7.0)], file_id(8), NOW) == [Placement.CONFLICT]
    assert read_frames(archive, 2, 2).rain_rate[0, 1, 1] == 1.0
    assert [time_of_file(archive, file_id(k)) for k in (0, 2, 8, 9)] == [
        scan(0).nominal_time,
        scan(2).nominal_time,
        None,
        None,
    ]


def test_duplicates_make_no_commit(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    append(archive, [scan(0)], file_id(0), NOW)
    before = snapshot_id(archive.repository)
    append(archive, [scan(0)], file_id(0), NOW)
    assert snapshot_id(archive.repository) == before


def test_a_file_of_several_scans_is_one_commit(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    before = len(list(archive.repository.ancestry(branch="main")))
    assert append(archive, [scan(k) for k in range(3)], file_id(0), NOW) == [Placement.STORED] * 3
    assert len(list(archive.repository.ancestry(branch="main"))) == before + 1


def test_a_scan_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    before = snapshot_id(archive.repository)
    with pytest.raises(GridMismatch, match="shape"):
        append(archive, [scan(0), scan(1, grid=GRID.crop(slice(0, 2), slice(0, 2)))], file_id(0), NOW)
    with pytest.raises(OffCadence, match="raster"):
        append(archive, [replace(scan(0), nominal_time=START + timedelta(minutes=3))], file_id(0), NOW)
    with pytest.raises(OffCadence, match="before the archive's start"):
        append(archive, [scan(-1)], file_id(0), NOW)
    assert snapshot_id(archive.repository) == before


def test_a_missing_slot_is_uncovered_and_never_zero(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    for slot in (1, 4):
        append(archive, [scan(slot, rain_rate=0.0)], file_id(slot), NOW)
    frames = read_frames(archive, 0, 6)
    assert frames.coverage.any(axis=(1, 2)).tolist() == [False, True, False, False, True, False, False]
    assert np.isnan(frames.rain_rate[[0, 2, 3, 5, 6]]).all()
    assert (frames.rain_rate[[1, 4], 1:] == 0).all()
    assert np.isnan(frames.rain_rate[[1, 4], 0, 0]).all()
    assert gaps(archive) == [START + 2 * FIVE, START + 3 * FIVE]


def test_frames_beyond_the_end_are_missing(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    append(archive, [scan(0)], file_id(0), NOW)
    frames = read_frames(archive, 5, 6)
    assert len(frames) == 2
    assert not frames.coverage.any()
    assert scan_ids(archive, 0, 2) == (scan(0).scan_id, b"", b"")


def test_an_uncovered_scan_is_kept_but_not_observed(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    blind = replace(scan(0), values=np.full(GRID.shape, np.nan, np.float32), coverage=np.zeros(GRID.shape, bool))
    assert append(archive, [blind], file_id(0), NOW) == [Placement.STORED]
    assert read_slots(archive).latest is None
    assert append(archive, [blind], file_id(0), NOW) == [Placement.DUPLICATE]


def test_reflectivity_comes_back_to_a_hundredth_dbz_and_no_echo_is_exactly_dry(tmp_path: Path) -> None:
    archive = create_archive(Location(str(tmp_path / "dbz")), GRID, TIMELINE, "reflectivity", MARSHALL_PALMER)
    values = np.full(GRID.shape, NO_ECHO, np.float32)
    values[1] = 30.004
    append(archive, [Scan("f", "p", START, "reflectivity", values, np.ones(GRID.shape, bool), GRID)], file_id(0), NOW)
    stored = np.asarray(array(repository.read(archive.repository), "reflectivity")[0])
    assert set(np.unique(stored)) == {-3200, 3000}
    rain = read_frames(archive, 0, 0).rain_rate[0]
    assert (rain[0] == 0).all()
    np.testing.assert_allclose(rain[1], (1000 / 200) ** (1 / 1.6), rtol=1e-3)


def test_reopening_gives_the_same_archive(tmp_path: Path) -> None:
    made = archive_in(tmp_path)
    found = open_archive(made.location)
    assert (found.grid, found.timeline, found.quantity, found.zr) == (made.grid, made.timeline, made.quantity, made.zr)
    with pytest.raises(ValueError, match="already holds"):
        archive_in(tmp_path)


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    append(archive, [scan(0)], file_id(0), NOW)
    before = snapshot_id(archive.repository)

    def fail_half_way() -> None:
        with repository.transaction(archive.location, archive.repository, "never") as group:
            array(group, "coverage")[0] = False
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert snapshot_id(archive.repository) == before
    assert read_frames(archive, 0, 0).coverage[0, 1, 1]
    assert append(archive, [scan(1)], file_id(1), NOW) == [Placement.STORED]
