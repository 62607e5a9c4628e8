"""What a model's chances are calibrated on, after a training and by a command."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from models_at_hand import weights
from storms import STORM, TINY, WINDOWS, stormy_days
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.models.calibration import Calibration
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.sources.odim_hdf5 import write
from nowcast.store.archive import Archive
from nowcast.training.calibrate import FAR_SHARE, MOST_NEAR, left_out, sample
from nowcast.training.job import train_on
from nowcast.training.loop import Progress, TrainConfig

NOON = 12 * 12
"""Slot of the first scan."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Ten scans from noon, 64 x 64 pixels every 5 minutes."""
    return stormy_days(tmp_path_factory.mktemp("day"), 1)


@pytest.fixture(scope="module")
def method(tmp_path_factory: pytest.TempPathFactory) -> ConvLSTM:
    return ConvLSTM(load_checkpoint(weights(tmp_path_factory.mktemp("weights"), 1)))


def test_few_pixels_are_drawn_and_weighted_as_all(day: Archive, method: ConvLSTM) -> None:
    """From the fourth scan two leads: at each at most 2000 + 500 pixels, whose weights add up to 1."""
    drawn = sample(day, method, [NOON + 3], leads=2)
    assert drawn is not None
    for minutes in (5.0, 10.0):
        at = drawn.minutes == minutes
        assert 0 < int(at.sum()) <= MOST_NEAR * (1 + FAR_SHARE)
        assert float(drawn.weight[at].sum()) == pytest.approx(1.0, abs=1e-4)
        assert len(drawn.excess[at].unique(dim=0)) == 1
    assert set(drawn.minutes.tolist()) == {5.0, 10.0}


def test_leads_without_a_scan_are_not_judged(day: Archive, method: ConvLSTM) -> None:
    """The tenth scan is the last."""
    drawn = sample(day, method, [NOON + 8], leads=3)
    assert drawn is not None
    assert set(drawn.minutes.tolist()) == {5.0}
    assert sample(day, method, [NOON + 9], leads=3) is None


def test_nothing_is_left_of_one_event(day: Archive, method: ConvLSTM) -> None:
    drawn = sample(day, method, [NOON + 3], leads=1)
    assert drawn is not None
    assert len(left_out([drawn, drawn])) == 2
    with pytest.raises(ValueError, match=r"one of 1 event\(s\)"):
        left_out([drawn])


@pytest.mark.parametrize("held_out", [[], [date(2026, 6, 2)]])
def test_a_trained_model_is_calibrated(tmp_path: Path, held_out: list[date]) -> None:
    def quiet(progress: Progress) -> None:
        """A report that nobody reads."""

    torch.manual_seed(0)
    config, path = TrainConfig(TINY, WINDOWS, steps=2, batch=1), tmp_path / "tiny.safetensors"
    train_on([stormy_days(tmp_path, 2)], config, held_out, "tiny", path, quiet)
    assert load_checkpoint(path).calibration != Calibration()


def test_the_command_writes_the_same_weights_with_another_calibration(tmp_path: Path) -> None:
    """Two storms of eight scans; the raw chances are those of a model without a calibration."""
    for seed in (1, 2):
        (tmp_path / f"storm{seed}").mkdir()
        for scan in replace(STORM, seed=seed).scans(8):
            write(scan, tmp_path / f"storm{seed}" / f"{scan.nominal_time:%H%M}.h5")
    model, out = weights(tmp_path, 1), tmp_path / "made.safetensors"
    words = ["calibrate", "--model", model, "--events", tmp_path / "storm1", tmp_path / "storm2", "--out", out]
    result = CliRunner().invoke(app, [str(word) for word in [*words, "--leave-one-out"]])
    assert result.exit_code == 0, result.output
    before, after = load_checkpoint(model), load_checkpoint(out)
    assert out.read_bytes() == model.read_bytes()
    assert after.model_id == before.model_id
    assert after.calibration != before.calibration
    for loss in ("Brier score", "log loss", "left out"):
        assert loss in result.stdout
    named = CliRunner().invoke(app, [str(word) for word in [*words, "--name", "summer"]])
    assert load_checkpoint(out).name == "summer"
    assert named.exit_code == 0
