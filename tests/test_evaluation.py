"""Methods are compared on the same starts, the same scans and the same pixels."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.models.pysteps_peers import PystepsPeer
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm

STORM = Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=96, cells=4)


def event(folder: Path, count: int) -> Path:
    folder.mkdir()
    for scan in STORM.scans(count):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return folder


def test_two_folders_are_scored_apart_and_together(tmp_path: Path) -> None:
    """16 scans: starts at the 4th and 10th (and the 16th is the last, no start); 10 scans: a start at the 4th."""
    one, other, out = event(tmp_path / "one", 16), event(tmp_path / "other", 10), tmp_path / "scores.json"
    words = ["evaluate", "--events", one, other, "--methods", "champion,advection,persistence", "--json", out]
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
