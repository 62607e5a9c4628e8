"""Windows, loss, loop and job, on synthetic storms small enough for seconds."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import file_id

from nowcast.core.scan import Frames
from nowcast.core.timeline import Timeline
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.motion import advect
from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import Archive, append, create_archive
from nowcast.store.repository import Location
from nowcast.training.job import split, train_on
from nowcast.training.loop import TrainConfig, train, unroll
from nowcast.training.loss import balanced_error, rain_loss
from nowcast.training.windows import Sampler, Window, WindowConfig, event

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
STORM = Storm(START, size=64, cells=3)
WINDOWS = WindowConfig(size=32, fewest_inputs=2, most_inputs=3, leads=3)
TINY = RainModelConfig(hidden=(8,), patch=4)


def frames(count: int) -> Frames:
    scans = list(STORM.scans(count))
    rain, coverage = np.stack([s.rain_rate for s in scans]), np.stack([s.coverage for s in scans])
    return Frames(tuple(s.nominal_time for s in scans), rain, coverage, tuple(s.scan_id for s in scans))


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler([event("storm", frames(10))], WINDOWS, seed=1)


@pytest.fixture
def two_days(tmp_path: Path) -> Archive:
    """Ten scans at noon on each of two days."""
    timeline = Timeline(START.replace(hour=0), STORM.cadence)
    first = next(STORM.scans(1))
    archive = create_archive(Location(str(tmp_path / "archive")), STORM.grid, timeline, "rain_rate", first.zr)
    for day in range(2):
        storm = Storm(START + timedelta(days=day), seed=day, size=64, cells=3)
        append(archive, list(storm.scans(10)), file_id(day), START)
    return archive


def test_the_same_seed_draws_the_same_windows() -> None:
    one, other = (Sampler([event("s", frames(8))], WINDOWS, seed=5).batch(2) for _ in range(2))
    assert one.inputs == other.inputs
    torch.testing.assert_close(one.field, other.field, rtol=0, atol=0)
    assert one.field.shape == (2, one.inputs + 3, 1, 32, 32)


def test_turned_windows_still_move_along_their_flow(sampler: Sampler) -> None:
    """The next frame is nearer to the frame moved along the flow than to the frame itself, whatever the symmetry."""
    moved_error = still_error = 0.0
    for _ in range(12):
        window = sampler.batch(1)
        t = window.inputs
        inside = (..., slice(6, -6), slice(6, -6))
        expected = advect(window.field[:, t], window.flow[:, t])
        moved_error += (expected - window.field[:, t + 1])[inside].abs().sum().item()
        still_error += (window.field[:, t] - window.field[:, t + 1])[inside].abs().sum().item()
    assert moved_error < 0.5 * still_error


def test_events_shorter_than_a_window_are_refused() -> None:
    with pytest.raises(ValueError, match="no event has 6 frames"):
        Sampler([event("short", frames(5))], WINDOWS, seed=0)


def test_the_loss_is_least_for_the_truth_and_blind_to_the_mask() -> None:
    observed = torch.rand(1, 2, 1, 8, 8)
    mask = torch.ones_like(observed)
    assert balanced_error(observed, observed, mask) == 0
    assert rain_loss(observed, observed, mask) < rain_loss(observed * 0.5, observed, mask)
    mask[..., :4] = 0
    wrong = observed.clone()
    wrong[..., :4] = 9.0
    torch.testing.assert_close(rain_loss(wrong, observed, mask), rain_loss(observed, observed, mask))


def test_training_lowers_the_loss(sampler: Sampler) -> None:
    losses: list[float] = []
    config = TrainConfig(TINY, WINDOWS, steps=60, batch=2)
    model, steps = train(sampler, config, lambda step, used, loss: losses.append(loss))
    assert steps == len(losses) == 60
    windows = [Sampler(sampler.events, WINDOWS, seed=9).batch(2) for _ in range(4)]
    assert sum(loss_of(model, w) for w in windows) < sum(loss_of(RainModel(TINY), w) for w in windows)


@torch.inference_mode()
def loss_of(model: RainModel, window: Window) -> float:
    forecast, coverage = unroll(model, window, WINDOWS.leads)
    future = slice(window.inputs, window.inputs + WINDOWS.leads)
    return float(rain_loss(forecast, window.field[:, future], window.coverage[:, future] * coverage))


def test_training_that_diverges_stops(sampler: Sampler) -> None:
    config = TrainConfig(TINY, WINDOWS, minutes=1.0, batch=1, learning_rate=float("inf"))
    with pytest.raises(FloatingPointError, match="diverged"):
        train(sampler, config, lambda step, used, loss: None)


def test_held_out_days_are_kept_apart(two_days: Archive) -> None:
    parts = split(two_days, [date(2026, 6, 2)], 6)
    assert parts.learned == ((144, 153),)
    assert parts.held_out == ((432, 441),)


def test_a_trained_model_says_what_it_saw(two_days: Archive, tmp_path: Path) -> None:
    config = TrainConfig(TINY, WINDOWS, steps=3, batch=1)
    path = tmp_path / "model.safetensors"
    made = train_on(two_days, config, [date(2026, 6, 2)], "tiny", path, lambda step, used, loss: None)
    assert load_checkpoint(path).model_id == made.model_id
    training = json.loads(path.with_suffix(".json").read_text())["training"]
    assert training["span"] == ["2026-06-01T12:00:00Z", "2026-06-01T12:45:00Z"]
    assert training["held_out"] == ["2026-06-02"]
    assert training["frames"] == 10
    assert set(training["scores"]) == {"persistence", "advection", "convlstm"}
    assert 0 < training["scores"]["advection"]["0.1"]["5"] <= 1
