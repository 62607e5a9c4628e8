"""Scans in, verified nowcasts out, on synthetic storms; every kind of bad input has its one outcome."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pyproj import CRS, Transformer
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.core.scan import Scan
from nowcast.ingest import Intake, Outcome, ingest
from nowcast.settings import Region, Settings
from nowcast.sources import decode
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store import query
from nowcast.store.archive import open_archive, read_frames, read_slots
from nowcast.store.quarantine import refusals
from nowcast.store.query import Reader
from nowcast.store.repository import snapshot_id

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 6, 2, tzinfo=UTC)
STORM = Storm(START, size=96, cells=4)


@pytest.fixture
def event(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for scan in STORM.scans(16):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return folder


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    settings = Settings(store=str(tmp_path / "store"))
    return Intake(Region(name="here"), settings.location("here"), settings.quarantine_folder("here"))


def replay(event: Path, store: Path) -> dict:
    result = CliRunner().invoke(
        app, ["replay", str(event), "--region", "here", "--store", str(store), "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_replay_issues_one_nowcast_per_scan_and_scores_all_methods(event: Path, tmp_path: Path) -> None:
    """16 scans, each leads to a nowcast; the first alone shows no motion."""
    summary = replay(event, tmp_path / "store")
    assert (summary["scans"], summary["issues"], summary["warm_up"], summary["missed"]) == (16, 16, 1, 0)
    assert summary["rungs"] == {"persistence": 1, "champion": 15}
    counted = {name: summary["pixels"][name]["5"] for name in summary["pixels"]}
    assert len(set(counted.values())) == 1, counted
    assert set(summary["csi"]) == {"served", "persistence", "advection"}
    assert summary["csi"]["advection"]["0.1"]["30"] > summary["csi"]["persistence"]["0.1"]["30"]
    again = replay(event, tmp_path / "store")
    assert again["files"] == {"duplicate": 16}
    assert again["csi"] == summary["csi"]


def test_forecast_store_is_cf_and_places_a_pixel_within_half_of_it(event: Path, tmp_path: Path) -> None:
    replay(event, tmp_path / "store")
    reader = Reader(Settings(store=str(tmp_path / "store")).location("here").child("forecasts"))
    dataset = reader.dataset
    assert dataset.rain_rate.dims == ("init_time", "lead_time", "y", "x")
    assert dataset.rain_rate.attrs["units"] == "mm h-1"
    assert dataset.x.attrs["standard_name"] == "projection_x_coordinate"
    crs = CRS.from_cf(dataset["crs"].attrs)
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(dataset.x[10], dataset.y[20])
    x, y = Transformer.from_crs("EPSG:4326", STORM.grid.crs, always_xy=True).transform(lon, lat)
    assert abs(x - STORM.grid.x[10]) < 500
    assert abs(y - STORM.grid.y[20]) < 500
    row, col = STORM.grid.locate(60.003, 25.006)
    series = query.point(reader, 60.003, 25.006)
    xr.testing.assert_equal(series.rain_rate, query.latest(reader).rain_rate.isel(y=row, x=col))


def test_missing_scan_is_a_gap_and_never_dry(event: Path, tmp_path: Path) -> None:
    sorted(event.iterdir())[7].unlink()
    summary = replay(event, tmp_path / "store")
    assert (summary["scans"], summary["issues"], summary["missed"]) == (15, 15, 0)
    archive = open_archive(Settings(store=str(tmp_path / "store")).location("here").child("archive"))
    slot = archive.timeline.slot(START + 7 * STORM.cadence)
    frames = read_frames(archive, slot, slot)
    assert not frames.coverage.any()
    assert np.isnan(frames.rain_rate).all()


def test_ingest_twice_changes_nothing(event: Path, intake: Intake) -> None:
    paths = sorted(event.iterdir())
    assert [ingest(intake, path, NOW).outcome for path in paths] == [Outcome.STORED] * 16
    archive = open_archive(intake.archive_location)
    before = snapshot_id(archive.repository)
    assert {ingest(intake, path, NOW).outcome for path in paths} == {Outcome.DUPLICATE}
    assert snapshot_id(archive.repository) == before


def test_a_late_scan_gets_its_slot(event: Path, intake: Intake) -> None:
    paths = sorted(event.iterdir())
    outcomes = [ingest(intake, path, NOW).outcome for path in (paths[0], paths[2], paths[1])]
    assert outcomes == [Outcome.STORED, Outcome.STORED, Outcome.LATE]


def damaged(event: Path, kind: str) -> Path:
    """The third file, damaged on purpose."""
    path = sorted(event.iterdir())[2]
    scan = decode(path)[0]
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "wrong format":
        path.write_text("<html>502 Bad Gateway</html>")
    elif kind == "wrong grid":
        write(scan.crop(slice(0, 50), slice(0, 50)), path)
    elif kind == "future":
        write(next(Storm(NOW + timedelta(hours=1), size=96).scans(1)), path)
    elif kind == "off cadence":
        write(next(Storm(START + timedelta(minutes=12), size=96).scans(1)), path)
    elif kind == "other scan in the slot":
        path = event / "again_202606011200.h5"
        write(next(Storm(START, size=96, seed=99).scans(1)), path)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated", "damaged odim-hdf5 file"),
        ("empty", "empty file"),
        ("wrong format", "no known radar format"),
        ("wrong grid", "shape (50, 50) is not (96, 96)"),
        ("future", "in the future"),
        ("off cadence", "not on the 0:05:00 raster"),
        ("other scan in the slot", "is archived already"),
    ],
)
def test_bad_files_are_quarantined_with_the_reason(event: Path, intake: Intake, kind: str, reason: str) -> None:
    first, second = sorted(event.iterdir())[:2]
    assert ingest(intake, first, NOW).outcome is Outcome.STORED
    assert ingest(intake, second, NOW).outcome is Outcome.STORED
    bad = damaged(event, kind)
    content = bad.read_bytes()
    result = ingest(intake, bad, NOW)
    assert result.outcome is Outcome.QUARANTINED
    if kind != "truncated":
        assert reason in result.reason
    assert [refusal.file for refusal in refusals(intake.quarantine)] == [bad.name]
    assert content in [copy.read_bytes() for copy in intake.quarantine.iterdir()]
    assert ingest(intake, bad, NOW).outcome is Outcome.DUPLICATE
    assert len(read_slots(open_archive(intake.archive_location)).observed) == 2


def test_uncovered_scan_is_no_observation_and_dry_scan_is_one(intake: Intake, tmp_path: Path) -> None:
    blind, covered = np.zeros((96, 96), bool), np.ones((96, 96), bool)
    nothing, dry = np.full((96, 96), np.nan, np.float32), np.zeros((96, 96), np.float32)
    for k, (values, coverage) in enumerate(((nothing, blind), (dry, covered))):
        path = tmp_path / f"x_2026060112{k * 5:02d}.h5"
        write(Scan("t", "t", START + k * STORM.cadence, "rain_rate", values, coverage, STORM.grid), path)
        assert ingest(intake, path, NOW).outcome is Outcome.STORED
    archive = open_archive(intake.archive_location)
    slot = archive.timeline.slot(START)
    frames = read_frames(archive, slot, slot + 1)
    assert not frames.coverage[0].any()
    assert frames.coverage[1].all()
    assert (frames.rain_rate[1] == 0).all()
    assert list(read_slots(archive).observed) == [slot + 1]


def test_bench_counts_the_papers_parameters() -> None:
    result = CliRunner().invoke(app, ["bench", "parameters", "--json"])
    assert json.loads(result.stdout) == {
        "convlstm-5x5-256": 13_524_496,
        "convlstm-5x5-128-128": 10_042_896,
        "convlstm-5x5-128-64-64": 7_585_296,
        "convlstm-9x9-1x1-128-128": 11_550_224,
        "convlstm-9x9-1x1-128-64-64": 8_830_480,
        "fc-lstm-2048-2048": 142_667_776,
    }


def test_unknown_folder_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(tmp_path / "no"), "--region", "here", "--store", str(tmp_path)])
    assert result.exit_code == 2
