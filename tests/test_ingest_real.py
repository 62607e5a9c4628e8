"""Every row of docs/guarantees.md on real FMI, KNMI and OPERA files, damaged on purpose: one input, one outcome."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from radar import RADAR, needs_radar, sample

from nowcast.core.scan import Frames, Scan
from nowcast.ingest import Ingested, Intake, Outcome, ingest
from nowcast.settings import Region, Settings
from nowcast.sources import decode
from nowcast.sources.odim_hdf5 import write
from nowcast.store.archive import gaps, open_archive, read_frames, read_slots
from nowcast.store.quarantine import refusals
from nowcast.store.repository import snapshot_id

pytestmark = needs_radar

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CADENCE = timedelta(minutes=5)
FMI = RADAR / "fmi-pgm" / "20160928"
KNMI = RADAR / "knmi-rap" / "20100826"


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    settings = Settings(store=str(tmp_path / "store"))
    return Intake(Region(name="here"), settings.location("here"), settings.quarantine_folder("here"))


@pytest.fixture
def taken(intake: Intake) -> Intake:
    """An archive that holds FMI's scans of 16:00 and 16:05."""
    for path in fmi()[:2]:
        assert ingest(intake, path, NOW).outcome is Outcome.STORED
    return intake


def fmi() -> list[Path]:
    """FMI's files of 16:00, 16:05 and 16:10."""
    return [next(FMI.glob(f"2016092816{minute}*")) for minute in ("00", "05", "10")]


@cache
def scan(path: Path) -> Scan:
    """The one scan in a file."""
    (only,) = decode(path)
    return only


def frame(intake: Intake, time: datetime) -> Frames:
    """What the archive holds at a time."""
    archive = open_archive(intake.archive_location)
    slot = archive.timeline.slot(time)
    return read_frames(archive, slot, slot)


def refused(where: Intake, path: Path, now: datetime = NOW) -> str:
    """The reason for which a file is refused; a copy is kept, the archive stays as it is, twice is as once."""
    archive, content = open_archive(where.archive_location), path.read_bytes()
    before = snapshot_id(archive.repository)
    result = ingest(where, path, now)
    assert result.outcome is Outcome.QUARANTINED
    (refusal,) = refusals(where.quarantine)
    assert (refusal.file, refusal.reason) == (path.name, result.reason)
    (copy,) = (kept for kept in where.quarantine.iterdir() if kept.name.endswith(path.name))
    assert copy.read_bytes() == content == path.read_bytes()
    assert ingest(where, path, now).outcome is Outcome.DUPLICATE
    assert len(refusals(where.quarantine)) == 1
    assert snapshot_id(archive.repository) == before
    return result.reason


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def corrupt(content: bytes) -> bytes:
    """One byte in the middle turned over."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def shredded(content: bytes) -> bytes:
    """The head of the file lost to zeros, as a disk that was full would leave it."""
    return bytes(4096) + content[4096:]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncated, "truncated gzip"),
        (corrupt, "gzip"),
        (shredded, "no known radar format"),
        (lambda content: b"", "empty file"),
        (lambda content: b"<html>502 Bad Gateway</html>", "no known radar format"),
    ],
)
def test_a_damaged_fmi_file_is_quarantined(
    taken: Intake, tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    third = fmi()[2]
    path = tmp_path / third.name
    path.write_bytes(damage(third.read_bytes()))
    assert reason in refused(taken, path)
    assert ingest(taken, third, NOW).outcome is Outcome.STORED


@pytest.mark.parametrize("damage", [truncated, shredded])
def test_a_damaged_knmi_file_is_quarantined(intake: Intake, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    first, second = sorted(KNMI.iterdir())[:2]
    assert ingest(intake, first, NOW).outcome is Outcome.STORED
    path = tmp_path / second.name
    path.write_bytes(damage(second.read_bytes()))
    assert refused(intake, path)
    assert ingest(intake, second, NOW).outcome is Outcome.STORED


def test_a_damaged_first_file_lays_out_no_archive(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / fmi()[0].name
    path.write_bytes(truncated(fmi()[0].read_bytes()))
    assert ingest(intake, path, NOW).outcome is Outcome.QUARANTINED
    assert not Path(intake.archive_location.url).exists()


def test_another_centres_grid_is_quarantined(taken: Intake) -> None:
    assert refused(taken, sample("knmi-rap")) == "shape (765, 700) is not (1226, 760)"


def test_a_shifted_grid_is_quarantined(taken: Intake, tmp_path: Path) -> None:
    third = scan(fmi()[2])
    path = tmp_path / "shifted.h5"
    write(replace(third, grid=replace(third.grid, x0=third.grid.x0 + third.grid.dx)), path)
    assert "extent" in refused(taken, path)


def test_a_forecast_and_a_single_radar_are_quarantined(taken: Intake, tmp_path: Path) -> None:
    assert "forecast" in refused(taken, RADAR / "extras" / "RAD_NL25_RAC_FM_202412222055.h5")
    volume = RADAR / "polar" / "odim-pvol" / "single" / "selul_pvol_201503300845.h5"
    assert ingest(taken, volume, NOW).outcome is Outcome.QUARANTINED


def test_a_clock_that_is_10_minutes_behind_refuses_and_one_that_is_1_behind_does_not(taken: Intake) -> None:
    third = fmi()[2]
    ten_past_four = datetime(2016, 9, 28, 16, 10, tzinfo=UTC)
    assert ingest(taken, third, ten_past_four - timedelta(minutes=1)).outcome is Outcome.STORED
    fourth = next(FMI.glob("201609281615*"))
    assert "in the future" in refused(taken, fourth, ten_past_four - CADENCE)


def test_a_time_between_two_slots_is_quarantined(taken: Intake, tmp_path: Path) -> None:
    path = tmp_path / "between.h5"
    write(replace(scan(fmi()[2]), nominal_time=datetime(2016, 9, 28, 16, 12, tzinfo=UTC)), path)
    assert "2016-09-28T16:12:00Z is not on the 0:05:00 raster" in refused(taken, path)


def test_a_day_before_the_archives_first_is_quarantined(taken: Intake, tmp_path: Path) -> None:
    path = tmp_path / "yesterday.h5"
    write(replace(scan(fmi()[2]), nominal_time=datetime(2016, 9, 27, 16, 10, tzinfo=UTC)), path)
    assert "before the archive's start" in refused(taken, path)


def test_the_same_bytes_under_another_name_change_nothing(taken: Intake, tmp_path: Path) -> None:
    archive = open_archive(taken.archive_location)
    before = snapshot_id(archive.repository)
    renamed = shutil.copy(fmi()[0], tmp_path / "201609281700_renamed.pgm.gz")
    for path in (*fmi()[:2], Path(renamed)):
        assert ingest(taken, path, NOW).outcome is Outcome.DUPLICATE
    assert snapshot_id(archive.repository) == before
    assert refusals(taken.quarantine) == []


def test_another_scan_for_a_taken_slot_is_quarantined_and_the_first_stays(taken: Intake, tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    second = scan(fmi()[1])
    write(replace(scan(fmi()[2]), nominal_time=second.nominal_time), path)
    assert refused(taken, path) == "another scan of 2016-09-28T16:05:00Z is archived already"
    np.testing.assert_allclose(frame(taken, second.nominal_time).rain_rate[0], second.rain_rate, rtol=2e-3)


def test_a_late_scan_fills_its_gap(intake: Intake) -> None:
    first, second, third = fmi()
    outcomes = [ingest(intake, path, NOW).outcome for path in (first, third)]
    archive = open_archive(intake.archive_location)
    assert gaps(archive) == [scan(second).nominal_time]
    assert not frame(intake, scan(second).nominal_time).coverage.any()
    assert [*outcomes, ingest(intake, second, NOW).outcome] == [Outcome.STORED, Outcome.STORED, Outcome.LATE]
    assert gaps(archive) == []
    filled = frame(intake, scan(second).nominal_time)
    np.testing.assert_array_equal(filled.coverage[0], scan(second).coverage)
    np.testing.assert_allclose(filled.rain_rate[0], scan(second).rain_rate, rtol=2e-3)


def replaced(taken: Intake, tmp_path: Path, values: np.ndarray) -> tuple[Ingested, Frames]:
    """What becomes of the 16:10 scan when its rain rates are replaced by these, NaN being "not covered"."""
    third = scan(fmi()[2])
    path = tmp_path / "replaced.h5"
    write(replace(third, quantity="rain_rate", values=values, coverage=np.isfinite(values)), path)
    return ingest(taken, path, NOW), frame(taken, third.nominal_time)


def test_a_scan_without_coverage_is_stored_and_is_no_observation(taken: Intake, tmp_path: Path) -> None:
    result, stored = replaced(taken, tmp_path, np.full(scan(fmi()[2]).grid.shape, np.nan, np.float32))
    assert (result.outcome, result.reason) == (Outcome.STORED, "no pixel is covered")
    assert np.isnan(stored.rain_rate).all()
    assert len(read_slots(open_archive(taken.archive_location)).observed) == 2
    assert gaps(open_archive(taken.archive_location)) == []


def test_a_scan_that_is_dry_where_it_rained_widely_5_minutes_before_is_quarantined(
    taken: Intake, tmp_path: Path
) -> None:
    covered = scan(fmi()[2]).coverage
    result, stored = replaced(taken, tmp_path, np.where(covered, np.float32(0), np.float32(np.nan)))
    assert result.outcome is Outcome.QUARANTINED
    assert "rain of 1 mm/h vanishes on " in result.reason
    assert not stored.coverage.any()


def test_a_dry_scan_20_minutes_after_rain_is_stored_as_exactly_zero(taken: Intake, tmp_path: Path) -> None:
    third, covered, path = scan(fmi()[2]), scan(fmi()[2]).coverage, tmp_path / "dry.h5"
    time, values = third.nominal_time + 3 * CADENCE, np.where(covered, np.float32(0), np.float32(np.nan))
    write(replace(third, nominal_time=time, quantity="rain_rate", values=values), path)
    result, stored = ingest(taken, path, NOW), frame(taken, time)
    assert (result.outcome, result.reason) == (Outcome.STORED, "")
    assert (stored.rain_rate[0][covered] == 0).all()
    assert np.isnan(stored.rain_rate[0][~covered]).all()
    assert len(read_slots(open_archive(taken.archive_location)).observed) == 3


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_spikes_are_masked_up_to_2_percent_of_the_covered_area(taken: Intake, tmp_path: Path, share: float) -> None:
    """600 mm/h is beyond weather; nothing between the spikes is changed."""
    third = scan(fmi()[2])
    spikes = np.flatnonzero(third.coverage)[: int(share * third.coverage.sum())]
    values = third.rain_rate.copy()
    values.flat[spikes] = 600.0
    result, stored = replaced(taken, tmp_path, values)
    if share > 0.02:
        assert result.outcome is Outcome.QUARANTINED
        assert f"{len(spikes)} pixels beyond physical limits" in result.reason
        assert not stored.coverage.any()
    else:
        assert result.outcome is Outcome.STORED
        assert f"{len(spikes)} pixels beyond physical limits masked" in result.reason
        assert not stored.coverage[0].flat[spikes].any()
        assert 0 <= third.coverage.sum() - len(spikes) - stored.coverage.sum() <= 2


class TestOpera:
    """OPERA's composite of 2018 has clutter up to 1200 mm/h in it, as published."""

    def test_its_clutter_is_masked(self, intake: Intake) -> None:
        result = ingest(intake, sample("opera-2018"), NOW)
        assert result.outcome is Outcome.STORED
        assert "pixels beyond physical limits masked" in result.reason
        stored, published = frame(intake, scan(sample("opera-2018")).nominal_time), scan(sample("opera-2018"))
        clutter = published.coverage & ~stored.coverage[0]
        assert 0 < clutter.sum() < 0.001 * published.coverage.sum()
        assert published.values[clutter].min() > 20
        assert np.nanmax(stored.rain_rate) <= 500

    def test_rates_in_the_wrong_unit_are_quarantined(self, intake: Intake, tmp_path: Path) -> None:
        """A gain of 100 000 in the file makes all its rain impossible."""
        assert ingest(intake, sample("opera-2018"), NOW).outcome is Outcome.STORED
        path = tmp_path / "wrong_unit.hdf"
        path.write_bytes((RADAR / "opera" / "20180824" / "T_PAAH21_C_EUOC_20180824181500.hdf").read_bytes())
        with h5py.File(path, "r+") as file:
            file["dataset1/what"].attrs["gain"] = 1e5
        assert "pixels beyond physical limits" in refused(intake, path)

    def test_all_nodata_and_all_undetect(self, intake: Intake, tmp_path: Path) -> None:
        """The same file with every pixel rewritten: not observed at all at first, then observed and dry."""
        for name, mark in (("nodata", -9_999_000.0), ("undetect", -8_888_000.0)):
            path = tmp_path / f"{name}.hdf"
            path.write_bytes(sample("opera-2018").read_bytes())
            with h5py.File(path, "r+") as file:
                file["dataset1/data1/data"][...] = mark
            where = replace(intake, location=intake.location.child(name))
            result = ingest(where, path, NOW)
            stored = frame(where, scan(sample("opera-2018")).nominal_time)
            assert result.outcome is Outcome.STORED
            assert stored.coverage.all() == (name == "undetect")
            assert stored.coverage.any() == (name == "undetect")
            assert (stored.rain_rate == 0).all() == (name == "undetect")
