"""Methods are compared on the same starts, the same scans and the same pixels."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from radar import RADAR, needs_radar
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.core.scan import Scan
from nowcast.evaluation_event import gather, starts
from nowcast.models.pysteps_peers import PystepsPeer, parts
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm

STORM = Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=96, cells=4)


def event(folder: Path, count: int) -> Path:
    folder.mkdir()
    for scan in STORM.scans(count):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return folder


def dry(scan: Scan) -> Scan:
    """The scan as if it had rained nowhere."""
    return replace(scan, values=np.where(scan.coverage, np.float32(-32.0), np.float32(np.nan)))


def test_two_folders_are_scored_apart_and_together(tmp_path: Path) -> None:
    """16 scans: starts at the 4th and 10th (and the 16th is the last, no start); 10 scans: a start at the 4th."""
    one, other, out = event(tmp_path / "one", 16), event(tmp_path / "other", 10), tmp_path / "scores.json"
    words = ["evaluate", "--events", one, other, "--methods", "champion,advection,persistence", "--json", out]
    words += ["--plots", tmp_path / "plots"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    covered = int(STORM.coverage.sum())
    first, second = (found["events"][str(folder)] for folder in (one, other))
    assert set(first) == {"champion", "advection", "persistence"}
    assert covered < first["persistence"]["1"]["1"]["n"] <= 2 * covered
    assert second["persistence"]["1"]["7"]["n"] == 0
    assert first["persistence"]["0.1"]["6"]["csi"] < first["advection"]["0.1"]["6"]["csi"]
    for method in first:
        cell = found["all"][method]["0.1"]["3"]
        assert cell["hits"] == first[method]["0.1"]["3"]["hits"] + second[method]["0.1"]["3"]["hits"]
        assert cell["csi"] == round(cell["hits"] / (cell["hits"] + cell["misses"] + cell["false_alarms"]), 5)
    assert len({found["all"][method]["5"]["3"]["n"] for method in first}) == 1
    _check_scores(found, covered)
    _check_sample(found["sample"], one, other)
    _check_plots(tmp_path / "plots")


def _check_scores(found: dict[str, Any], covered: int) -> None:
    cell, line = found["all"]["advection"]["0.1"]["1"], found["lead_scores"]["all"]["advection"]["1"]
    assert set(cell["fss"]) == {"1", "5", "10", "20"}
    assert cell["csi"] < cell["pooled_csi"]["4"] < cell["pooled_csi"]["16"] <= 1
    assert cell["fss"]["1"] < cell["fss"]["5"] < cell["fss"]["20"] <= 1
    assert 0 < cell["hss"] < 1
    assert 0 < cell["pod"] < 1
    assert (line["starts"], line["n"]) == (3, cell["n"])
    assert line["mse"] == pytest.approx(line["rmse"] ** 2, abs=1e-3)
    assert found["lead_scores"]["all"]["persistence"]["12"]["correlation"] < line["correlation"]
    assert set(line["rapsd_ratio"]) == {"2-4", "4-8", "8-16", "16-32", "32-64", "64-128"}


def _check_sample(sample: dict[str, Any], one: Path, other: Path) -> None:
    first = sample["events"][str(one)]
    assert (first["scans"], first["starts"], sample["events"][str(other)]["starts"]) == (16, 2, 1)
    assert (first["pixels"], first["cadence_minutes"], first["leads_minutes"][-1]) == (96 * 96, 5, 60)
    assert (first["first"], first["last"]) == ("2026-06-01T12:00:00Z", "2026-06-01T13:15:00Z")
    assert sample["all"]["starts"] == 3
    assert first["skipped"] == []
    assert first["substituted"] == {}


def _check_plots(folder: Path) -> None:
    """One PNG per group of scores, each with lines in the colours of three methods."""
    assert {path.stem for path in folder.iterdir()} == {"csi", "bias", "fss", "pooled_csi", "errors", "spectra"}
    for path in folder.iterdir():
        with Image.open(path) as image:
            seen = np.asarray(image.convert("RGB"))
        for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)):
            assert (seen == colour).all(axis=-1).sum() > 100, path


def test_events_of_different_grids_and_cadences_add_up_step_by_step(tmp_path: Path) -> None:
    """Every second scan of the one is left: ten minutes apart, a start at the fourth of eight."""
    one, other, out = event(tmp_path / "one", 16), tmp_path / "other", tmp_path / "scores.json"
    for path in sorted(one.iterdir())[1::2]:
        path.unlink()
    other.mkdir()
    for scan in replace(STORM, size=64).scans(8):
        write(scan, other / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    words = ["evaluate", "--events", str(one), str(other), "--methods", "persistence", "--json", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    found = json.loads(out.read_text())
    assert found["sample"]["all"]["cadence_minutes"] == [5, 10]
    n = [table["persistence"]["1"]["1"]["n"] for table in (*found["events"].values(), found["all"])]
    assert n[0] + n[1] == n[2]


def test_files_of_another_kind_are_skipped_by_name_and_reason(tmp_path: Path) -> None:
    """A smaller grid comes first by name; the event is what most scans are of."""
    folder = event(tmp_path / "one", 6)
    (stray,) = replace(STORM, size=64).scans(1)
    write(stray, folder / "storm_200001010000.h5")
    (folder / "storm_202606011301.h5").write_bytes(b"\x89HDF\r\n\x1a\n damaged")
    repeated = sorted(folder.iterdir())[2]
    (folder / "storm_202606011302.h5").write_bytes(repeated.read_bytes())
    found = gather(folder, tmp_path / "work")
    reasons = {skipped.file: skipped.reason for skipped in found.skipped}
    assert (len(found.times), found.starts) == (6, (12 * 12 + 3,))
    assert set(reasons) == {"storm_200001010000.h5", "storm_202606011301.h5", "storm_202606011302.h5"}
    assert "64x64" in reasons["storm_200001010000.h5"]
    assert "same bytes" in reasons["storm_202606011302.h5"]


def test_a_folder_that_cannot_be_judged_is_named_and_the_others_count(tmp_path: Path) -> None:
    one, other, out = event(tmp_path / "one", 6), event(tmp_path / "other", 3), tmp_path / "scores.json"
    words = ["evaluate", "--events", str(other), str(one), "--methods", "persistence", "--json", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert "3 scans" in result.stderr
    found = json.loads(out.read_text())
    assert list(found["events"]) == [str(one)]
    assert "no 4 consecutive scans" in found["unusable"][str(other)]


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (range(16), [3, 9]),
        (range(17), [3, 9, 15]),
        (range(4), []),
        ([0, 1, 2, 4, 5, 6], []),
        ([0, 1, 2, 3, 4, 10, 11, 12, 13, 20], [3, 13]),
        ([5, 6, 7, 8, 21], []),
        ([5, 6, 7, 8, 20], [8]),
    ],
)
def test_starts_end_four_scans_and_are_six_apart_and_have_one_to_judge_by(observed: list, expected: list) -> None:
    assert starts(list(observed)) == expected


@needs_radar
def test_an_archive_full_of_gaps_is_used_where_four_scans_follow_each_other(tmp_path: Path) -> None:
    """Rain and reflectivity of two zones: the one with the most scans counts, the others are skipped."""
    found = gather(RADAR / "meteonet" / "2016_08.3", tmp_path)
    assert len(found.skipped) == 5
    assert found.starts
    assert len({skipped.file for skipped in found.skipped}) == 5


def test_starts_that_pysteps_cannot_forecast_from_are_stood_in_for_and_counted(tmp_path: Path) -> None:
    """Six dry scans: neither S-PROG nor Lucas-Kanade has anything to follow."""
    pytest.importorskip("pysteps")
    folder, out = tmp_path / "dry", tmp_path / "scores.json"
    folder.mkdir()
    for scan in map(dry, STORM.scans(6)):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    words = ["evaluate", "--events", str(folder), "--methods", "sprog,lk,persistence", "--json", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "persistence stood in for sprog at 1 start(s)" in result.stdout
    found = json.loads(out.read_text())
    stood_in = {"sprog": {"persistence": 1}, "lk": {"persistence": 1}}
    assert found["sample"]["events"][str(folder)]["substituted"] == found["sample"]["all"]["substituted"] == stood_in
    assert found["all"]["sprog"]["1"]["1"]["csi"] is None
    assert found["all"]["sprog"]["1"]["1"]["n"] == found["all"]["persistence"]["1"]["1"]["n"] > 0


def test_lucas_kanade_stands_in_for_s_prog_on_two_scans() -> None:
    pytest.importorskip("pysteps")
    peer, state = PystepsPeer("sprog"), None
    for scan in STORM.scans(2):
        state = peer.observe(state, scan.rain_rate, scan.coverage)
    assert state is not None
    made_by, fields = peer.attempt(state)
    assert made_by == "lk"
    np.testing.assert_array_equal(fields, PystepsPeer("lk").attempt(state)[1])


def test_parts_of_a_large_grid_are_kept_once_and_see_beyond_themselves() -> None:
    """10 x 30 pixels, at most 100 at once: the longer side is halved twice."""
    kept_times, count = np.zeros((10, 30), int), 0
    for seen, kept in parts((10, 30), 100, 2):
        kept_times[kept] += 1
        assert seen[0] == slice(0, 10)
        assert (seen[1].start, seen[1].stop) == (max(0, kept[1].start - 2), min(30, kept[1].stop + 2))
        count += 1
    assert (kept_times == 1).all()
    assert count == 4


@pytest.mark.parametrize(("words", "reason"), [(["--methods", "oracle"], "no method 'oracle'"), ([], "no scan")])
def test_what_cannot_be_evaluated_is_said(tmp_path: Path, words: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--events", str(tmp_path), *words])
    assert result.exit_code == 2
    assert reason in result.stderr


@pytest.mark.parametrize("name", ["lk", "sprog"])
def test_pysteps_peers_forecast_rain_where_it_drifts_to_and_keep_dry_dry(name: str) -> None:
    pytest.importorskip("pysteps")
    peer, state = PystepsPeer(name), None
    for scan in STORM.scans(4):
        state = peer.observe(state, scan.rain_rate, scan.coverage)
    assert state is not None
    fields = np.stack(list(peer.forecast(state)))
    assert fields.shape == (12, 96, 96)
    assert np.nanmax(fields[0]) > 1.0
    assert np.isnan(fields[-1]).sum() > np.isnan(fields[0]).sum() > 0
    dry = peer.observe(None, np.zeros((32, 32), np.float32), np.ones((32, 32), bool))
    assert all((field == 0).all() for field in peer.forecast(dry))
