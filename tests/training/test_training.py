"""Events, windows, losses, loop and job, on synthetic storms small enough for seconds."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from storms import START, TINY, WINDOWS, frames, loss_of, stormy_days

from nowcast.core.types import Sampling
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.exceedance import RATES, levels
from nowcast.models.motion import advect
from nowcast.models.rain_model import RainModel
from nowcast.models.transform import normalise
from nowcast.store.archive import Archive
from nowcast.training.events import Event, enlarged, event, variants
from nowcast.training.job import split, train_on
from nowcast.training.loop import Progress, TrainConfig, Trainer, descents, initial, train
from nowcast.training.loss import LOSSES, ordinal
from nowcast.training.windows import Sampler


def quiet(progress: Progress) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def storm() -> Event:
    return event("storm", frames(10))


def sampler(storm: Event, seed: int = 1) -> Sampler:
    return Sampler([storm], WINDOWS, seed)


@pytest.fixture
def two_days(tmp_path: Path) -> Archive:
    """Ten scans from noon on each of two days."""
    return stormy_days(tmp_path, 2)


def test_the_same_seed_draws_the_same_windows(storm: Event) -> None:
    one, other = (sampler(storm, 5).batch(2) for _ in range(2))
    assert (one.inputs, one.leads, one.pixels, one.origin) == (other.inputs, other.leads, other.pixels, other.origin)
    torch.testing.assert_close(one.field, other.field, rtol=0, atol=0)
    assert one.field.shape == (2, one.inputs + 3, 1, 32, 32)


def test_turned_windows_still_move_along_their_flow(storm: Event) -> None:
    """A frame is nearer to the one before moved along the flow than to that one itself, whatever the symmetry."""
    moved_error = still_error = 0.0
    drawn = sampler(storm)
    for _ in range(12):
        window = drawn.batch(1)
        t = window.inputs - 1
        inside = (..., slice(6, -6), slice(6, -6))
        expected = advect(window.field[:, t - 1], window.flow[:, t])
        seen = (window.coverage[:, t - 1] * window.coverage[:, t])[inside]
        moved_error += ((expected - window.field[:, t])[inside] * seen).abs().sum().item()
        still_error += ((window.field[:, t - 1] - window.field[:, t])[inside] * seen).abs().sum().item()
    assert moved_error < 0.5 * still_error


def test_some_windows_miss_a_frame(storm: Event) -> None:
    """About one in ten, never the newest."""
    drawn = sampler(storm)
    windows = [drawn.batch(1) for _ in range(100)]
    missing = [[bool(w.coverage[0, t].any()) for t in range(w.inputs)] for w in windows]
    assert 2 <= sum(not all(present) for present in missing) <= 25
    assert all(present[-1] for present in missing)


def test_events_shorter_than_a_window_are_refused() -> None:
    with pytest.raises(ValueError, match="no event has 6 frames"):
        Sampler([event("short", frames(5))], WINDOWS, seed=0)


def test_an_event_is_also_seen_as_by_slower_and_coarser_radars(storm: Event) -> None:
    found = {v.sampling: v.rain_rate.shape for v in variants(storm, 4)}
    wanted = {Sampling(10.0, 1.0): (5, 64, 64), Sampling(5.0, 2.0): (10, 32, 32), Sampling(15.0, 2.0): (4, 32, 32)}
    assert found == wanted
    assert not list(variants(storm, 11))


def test_larger_pixels_are_means_and_covered_where_all_is() -> None:
    rain = np.array([[[1, 3, 5], [0, 0, 9], [7, 7, 7]]], np.float32)
    coverage = np.array([[[True, True, True], [True, True, True], [True, True, True]]])
    means, covered = enlarged(rain, coverage, 2)
    assert means.tolist() == [[[1.0]]]
    coverage[0, 1, 1] = False
    assert not enlarged(rain, coverage, 2)[1].any()
    assert covered.all()


def margins_of(field: torch.Tensor) -> torch.Tensor:
    return 40.0 * (field - levels())


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_least_for_the_truth_and_blind_to_the_mask(name: str) -> None:
    torch.manual_seed(0)
    observed = 0.2 + 0.6 * torch.rand(1, 2, 1, 8, 8)
    mask = torch.ones_like(observed)
    assert LOSSES[name](margins_of(observed), observed, mask) < LOSSES[name](margins_of(observed * 0.7), observed, mask)
    mask[..., :4] = 0
    wrong = observed.clone()
    wrong[..., :4] = 0.9
    right = LOSSES[name](margins_of(observed), observed, mask)
    torch.testing.assert_close(LOSSES[name](margins_of(wrong), observed, mask), right, atol=1e-5, rtol=1e-4)


def test_an_even_chance_costs_log_two_per_rate() -> None:
    margins, observed = torch.zeros(1, 1, len(RATES), 2, 2), torch.zeros(1, 1, 1, 2, 2)
    weights = 1.0 + 1.2 + 1.5 + 2 + 3 + 6 + 10 + 20 + 30
    loss = ordinal(margins, observed, torch.ones_like(observed))
    torch.testing.assert_close(loss, torch.tensor(weights * np.log(2), dtype=torch.float32))


def test_balanced_losses_weigh_heavy_rain_more() -> None:
    """1 mm/h too little of 3 mm/h costs twice as much as of 1.5 mm/h: the steps are at 2 and 5 mm/h."""
    mask = torch.ones(1, 1, 1, 1, 1)

    def loss(forecast: float, truth: float) -> float:
        fields = (normalise(torch.full((1, 1, 1, 1, 1), v)) for v in (forecast, truth))
        field, observed = fields
        return float(LOSSES["balanced-mae"](margins_of(field), observed, mask))

    assert loss(0.5, 1.5) == pytest.approx(1.0, rel=0.02)
    assert loss(2.0, 3.0) == pytest.approx(2.0, rel=0.02)
    assert loss(9.0, 10.0) == pytest.approx(10.0, rel=0.02)


def test_training_lowers_the_loss(storm: Event) -> None:
    losses: list[float] = []
    config = TrainConfig(TINY, WINDOWS, steps=60, batch=2, average=0.9)
    model, steps = train(sampler(storm), config, lambda progress: losses.append(progress.loss))
    assert steps == len(losses) == 60
    assert loss_of(model, sampler(storm, 9), 2) < loss_of(RainModel(TINY), sampler(storm, 9), 2)


def test_an_interrupted_training_goes_on_exactly(storm: Event, tmp_path: Path) -> None:
    config = TrainConfig(TINY, WINDOWS, steps=8, batch=1)
    whole = Trainer(sampler(storm), config)
    losses = [whole.descend().loss for _ in range(8)]
    first = Trainer(sampler(storm), config)
    for _ in range(4):
        first.descend()
    first.save(tmp_path / "state")
    second = Trainer(sampler(storm, 77), replace(config, seed=5))
    second.load(tmp_path / "state")
    assert [second.descend().loss for _ in range(4)] == losses[4:]
    for one, other in zip(whole.averaged().parameters(), second.averaged().parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_training_starts_from_the_weights_of_a_checkpoint(two_days: Archive, tmp_path: Path) -> None:
    config = TrainConfig(TINY, WINDOWS, steps=3, batch=1)
    path = tmp_path / "first.safetensors"
    first = train_on([two_days], config, [date(2026, 6, 2)], "tiny", path, quiet).model.state_dict()
    for name, value in initial(replace(config, init=path, seed=9)).state_dict().items():
        torch.testing.assert_close(value, first[name], rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"first.safetensors is a RainModelConfig\(hidden=\(8,\)"):
        initial(replace(config, init=path, model=replace(TINY, hidden=(9,))))


def test_bfloat16_is_what_the_configuration_says(storm: Event) -> None:
    """On a CPU it is off by default; the first step is of a layer that is zero, the second differs a little."""

    def second_loss(bf16: bool | None) -> float:
        trainer = Trainer(sampler(storm), TrainConfig(TINY, WINDOWS, steps=2, batch=1, bf16=bf16))
        return [step.loss for step in descents(trainer)][1]

    assert second_loss(None) == second_loss(False)
    assert second_loss(True) != second_loss(False)
    assert second_loss(True) == pytest.approx(second_loss(False), rel=0.05)


def test_progress_says_what_a_step_did(storm: Event) -> None:
    """The first of the warm-up's hundred steps, of two that are wanted."""
    first = Trainer(sampler(storm), TrainConfig(TINY, WINDOWS, steps=2, batch=1, learning_rate=0.5)).descend()
    assert (first.step, first.used, first.learning_rate) == (1, 0.5, 0.005)
    assert first.gradient_norm > 0
    assert first.windows_per_s > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "nothing"}, "loss 'nothing' is none of ordinal, mae"),
        ({"batch": 0}, "batch must be positive, not 0"),
        ({"steps": -1}, "steps must be positive, not -1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
    ],
)
def test_a_configuration_that_cannot_train_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**wrong)


def test_a_loss_that_is_no_number_stops_with_where_it_came_from(storm: Event) -> None:
    config = TrainConfig(TINY, WINDOWS, steps=5, batch=1, learning_rate=float("inf"))
    with pytest.raises(FloatingPointError, match=r"step \d+: loss nan on \('storm frame \d row \d+ col \d+'"):
        train(sampler(storm), config, quiet)


def test_held_out_days_and_later_scans_are_kept_apart(two_days: Archive) -> None:
    parts = split(two_days, [date(2026, 6, 2)], 6)
    assert parts.learned == ((144, 153),)
    assert parts.held_out == ((432, 441),)
    earlier = split(two_days, [], 6, before=START + timedelta(days=1))
    assert earlier.learned == ((144, 153),)
    assert earlier.held_out == ()


def test_a_trained_model_says_what_it_saw(two_days: Archive, tmp_path: Path) -> None:
    config = TrainConfig(TINY, WINDOWS, steps=3, batch=1)
    path = tmp_path / "model.safetensors"
    made = train_on([two_days], config, [date(2026, 6, 2)], "tiny", path, quiet)
    assert load_checkpoint(path).model_id == made.model_id
    training = json.loads(path.with_suffix(".json").read_text())["training"]
    assert training["span"] == ["2026-06-01T12:00:00Z", "2026-06-01T12:45:00Z"]
    assert training["held_out"] == ["2026-06-02"]
    assert training["samplings"] == [[5.0, 1.0]]
    assert training["frames"] == 10
    assert set(training["scores"]) == {"persistence", "advection", "convlstm"}
    assert 0 < training["scores"]["advection"]["0.1"]["1"] <= 1
    assert not path.with_suffix(".state").exists()
