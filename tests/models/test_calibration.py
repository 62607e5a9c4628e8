"""Chances that come true as often as they say."""

import json
from pathlib import Path

import pytest
import torch
from models_at_hand import weights

from nowcast.models.calibration import USUAL_MINUTES, Calibration, Sample, fitted, losses, scene_excess, shares
from nowcast.models.checkpoint import load_checkpoint, save_checkpoint
from nowcast.models.exceedance import RATES

K = len(RATES)
AS_OBSERVED = torch.full((K,), 0.1)


def falling_margins() -> torch.Tensor:
    """(1, k, 1, 2)."""
    return (2.0 - torch.arange(K, dtype=torch.float32))[None, :, None, None].expand(1, K, 1, 2)


def test_the_default_changes_nothing() -> None:
    torch.testing.assert_close(Calibration().calibrated(falling_margins(), 30.0, AS_OBSERVED), falling_margins())


def test_slope_and_offset_apply_and_change_with_the_lead() -> None:
    """At e times 30 min the slope is 2 + 1, the offset 1; margins of the first rate are 2."""
    made = Calibration(slope=((2.0, 1.0),) * K, offset=((1.0, 0.0),) * K)
    at = [float(made.calibrated(falling_margins(), m, AS_OBSERVED)[0, 0, 0, 0]) for m in (30.0, 30.0 * 2.718282)]
    assert at == pytest.approx([5.0, 7.0], abs=1e-4)


def test_nothing_changes_after_90_minutes() -> None:
    made = Calibration(offset=((0.0, 1.0),) * K)
    late = [made.calibrated(falling_margins(), minutes, AS_OBSERVED) for minutes in (90.0, 180.0)]
    torch.testing.assert_close(*late)


def test_more_rain_in_the_scene_than_forecast_raises_the_chance() -> None:
    made, wet = Calibration(scene=((1.0, 0.0),) * K), torch.ones(K)
    assert (made.calibrated(falling_margins(), 30.0, wet) > falling_margins()).all()
    assert float(scene_excess(torch.tensor(0.2999), torch.tensor(0.0999))) == pytest.approx(1.0986, abs=1e-3)


def test_calibrated_margins_never_rise_with_the_rate() -> None:
    """An offset at the third rate alone would lift it above the second."""
    offset = tuple((5.0 if k == 2 else 0.0, 0.0) for k in range(K))
    found = Calibration(offset=offset).calibrated(falling_margins(), 30.0, AS_OBSERVED)
    assert (found.diff(dim=1) <= 0).all()


def test_shares_count_covered_pixels_alone() -> None:
    """Of three covered pixels one has rain: 1 mm/h is a field of 0.375."""
    field, coverage = torch.tensor([[[[0.376, 0.0, 0.0, 0.9]]]]), torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]])
    found = shares(field, coverage).tolist()
    assert found[: RATES.index(1.0) + 1] == pytest.approx([1 / 3] * 4)
    assert found[RATES.index(2.0) :] == [0.0] * 5


def test_the_fit_finds_what_the_draws_were_made_with() -> None:
    """True logits are half the margins minus 1: chances were too sure and too high."""
    random = torch.Generator().manual_seed(1)
    margins = 3.0 * torch.randn(40_000, 1, generator=random)
    true = torch.sigmoid(0.5 * margins[:, 0] - 1.0)
    observed = torch.where(torch.rand(len(true), generator=random) < true, 200.0, 0.0)
    ones = torch.ones(len(true))
    sample = Sample(margins.expand(-1, K), 30.0 * ones, torch.zeros(len(true), K), observed, ones)
    found, held_back = fitted([sample], ridge=1e-4), fitted([sample], ridge=10.0)
    assert -0.2 < held_back.offset[0][0] < 0
    for k in range(K):
        assert found.slope[k][0] == pytest.approx(0.5, abs=0.06)
        assert found.offset[k][0] == pytest.approx(-1.0, abs=0.12)


def test_it_is_kept_with_the_weights_and_changes_no_id(tmp_path: Path) -> None:
    plain = load_checkpoint(weights(tmp_path, seed=1))
    made = Calibration(offset=((0.25, -0.5),) * K)
    path = tmp_path / "calibrated.safetensors"
    save_checkpoint(path, plain.name, plain.model, plain.training, made)
    found = load_checkpoint(path)
    assert (found.calibration, found.model_id) == (made, plain.model_id)


def test_weights_of_an_earlier_version_have_none(tmp_path: Path) -> None:
    path = weights(tmp_path, seed=1)
    about = json.loads(path.with_suffix(".json").read_text())
    del about["calibration"]
    path.with_suffix(".json").write_text(json.dumps(about))
    assert load_checkpoint(path).calibration == Calibration()


def test_a_calibration_for_other_rates_is_refused() -> None:
    with pytest.raises(ValueError, match="2 slopes"):
        Calibration(slope=((1.0, 0.0),) * 2)


def too_sure(count: int = 400) -> Sample:
    """A chance of 0.98 (logit 4) of every rate, at half an hour, where 0.2 mm/h falls at every second pixel."""
    observed = torch.tensor([0.0, 0.2]).repeat(count // 2)
    same = torch.full((count,), USUAL_MINUTES)
    return Sample(torch.full((count, K), 4.0), same, torch.zeros(count, K), observed, torch.ones(count))


def test_what_comes_true_half_the_time_gets_nearer_to_an_even_chance() -> None:
    """The Brier score of 0.98 is (0.02^2 + 0.98^2) / 2 = 0.482, that of an even chance 0.25."""
    sample = too_sure()
    before, after = losses(Calibration(), sample), losses(fitted([sample]), sample)
    assert abs(float(before.brier[0]) - 0.482) < 1e-3
    assert 0.25 <= float(after.brier[0]) < 0.27
    assert (after.log_loss < before.log_loss).all()


def test_every_sample_counts_the_same_however_many_pixels_it_has() -> None:
    one, other = too_sure(), too_sure(40)._replace(observed=torch.full((40,), 0.2))
    many = Sample(*(torch.cat([tensor] * 5) for tensor in one))
    for few_fit, many_fit in zip(fitted([one, other]).offset, fitted([many, other]).offset, strict=True):
        torch.testing.assert_close(torch.tensor(few_fit), torch.tensor(many_fit), atol=1e-2, rtol=1e-2)


def test_a_sample_of_a_field_is_calibrated_as_the_field_is() -> None:
    torch.manual_seed(0)
    margins, observed = torch.randn(1, K, 5, 7).cummin(dim=1).values, torch.rand(K) / 10
    lines = [tuple((float(at), float(rise)) for at, rise in torch.rand(K, 2)) for _ in range(3)]
    calibration = Calibration(*lines)
    excess = scene_excess(observed, torch.sigmoid(margins).mean(dim=(0, 2, 3))).expand(35, K)
    sample = Sample(margins[0].flatten(1).T, torch.full((35,), 45.0), excess, torch.zeros(35), torch.ones(35))
    expected = calibration.calibrated(margins, 45.0, observed)[0].flatten(1).T
    torch.testing.assert_close(calibration.of(sample), expected)
