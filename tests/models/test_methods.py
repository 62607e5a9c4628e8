"""Baselines and the rain model: what they know, and what they must not claim to know."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import Sampling
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.coarse import block, joined, parted
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.exceedance import area, falling, field_from
from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.models.transform import denormalise, normalise
from nowcast.sources.synthetic import Storm
from nowcast.verify.scores import csi
from nowcast.verify.statistics import compare_all

STORM = Storm(datetime(2026, 6, 1, tzinfo=UTC), size=96, cells=4)
METHODS = {
    "persistence": lambda: Persistence(),
    "advection": lambda: Advection(),
    "convlstm": lambda: ConvLSTM(load_checkpoint(SHIPPED_WEIGHTS)),
}


def run(method: Nowcaster[Any], rain: np.ndarray, coverage: np.ndarray, leads: int) -> np.ndarray:
    state = None
    for k in range(len(rain)):
        state = method.observe(state, rain[k], coverage[k])
    return np.stack(list(islice(method.forecast(state), leads)))


@pytest.mark.parametrize("name", METHODS)
def test_dry_stays_dry(name: str) -> None:
    fields = run(METHODS[name](), np.zeros((4, 48, 56), np.float32), np.ones((4, 48, 56), bool), 3)
    assert (fields == 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_where_nothing_was_seen_nothing_is_forecast(name: str) -> None:
    coverage = np.ones((4, 48, 56), bool)
    coverage[:, :, :20] = False
    rain = np.where(coverage, np.float32(1.0), np.float32(np.nan))
    fields = run(METHODS[name](), rain, coverage, 3)
    assert np.isnan(fields[:, :, :18]).all()
    assert np.isfinite(fields[0, 4:-4, 24:-4]).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_missing_scan_is_not_dry(name: str) -> None:
    scans = list(STORM.scans(5))
    rain, coverage = np.stack([s.rain_rate for s in scans]), np.stack([s.coverage for s in scans])
    rain[4], coverage[4] = np.nan, False
    fields = run(METHODS[name](), rain, coverage, 1)
    assert np.nansum(fields[0]) > 0.5 * np.nansum(rain[3])


@pytest.mark.parametrize("name", METHODS)
def test_an_uncovered_beginning_is_no_forecast(name: str) -> None:
    nothing = np.full((2, 48, 48), np.nan, np.float32)
    assert np.isnan(run(METHODS[name](), nothing, np.zeros((2, 48, 48), bool), 2)).all()


def test_advection_beats_persistence_on_a_drifting_storm() -> None:
    scans = list(STORM.scans(10))
    rain, coverage = np.stack([s.rain_rate for s in scans]), np.stack([s.coverage for s in scans])
    fields = {name: run(METHODS[name](), rain[:4], coverage[:4], 6) for name in METHODS}
    scores = {name: csi(s)[5, 0] for name, s in compare_all(fields, rain[4:], coverage[4:], (0.1,)).items()}
    assert scores["advection"] > scores["persistence"] + 0.2
    assert scores["convlstm"] > scores["persistence"] + 0.2


@torch.inference_mode()
def test_an_untrained_rain_model_is_smoother_extrapolation_of_the_same_area() -> None:
    """What it has not learned is S-PROG: fine structure fades; after half an hour each rate has a tenth more area."""
    model = RainModel(RainModelConfig(hidden=(4,), patch=8))
    rain = torch.from_numpy(np.stack([s.rain_rate for s in STORM.scans(3)]))
    fields, coverage = normalise(rain)[:, None, None], torch.ones(1, 1, 96, 96)
    still = torch.zeros(1, 2, 96, 96)
    state = model.start(fields[0])
    for field in fields:
        state = model.observe(state, field, coverage, still)
    first, *_, last = (field for field, _ in islice(model.forecast(state), 6))
    for rate in (0.1, 1.0, 5.0):
        level = normalise(torch.tensor(rate))
        observed = int((fields[2] >= level).sum())
        assert int((last >= level - 1e-6).sum()) == pytest.approx(1.1 * observed, abs=2)
    assert (first - fields[2]).abs().mean() < (last - fields[2]).abs().mean()


@torch.inference_mode()
def test_some_leads_and_pixels_are_those_of_the_whole() -> None:
    torch.manual_seed(3)
    model = RainModel(RainModelConfig(hidden=(4,), patch=4))
    for parameter in model.pixels.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    field = torch.rand(1, 1, 24, 20)
    state = model.observe(model.start(field), field, torch.ones_like(field), torch.ones(1, 2, 24, 20))
    whole = list(islice(model.margins(state), 4))
    odd = slice(1, None, 2), slice(0, None, 2)
    part = list(model.margins(state, (2, 4), odd))
    assert len(part) == 2
    for (margins, covered), lead in zip(part, (2, 4), strict=True):
        torch.testing.assert_close(margins, whole[lead - 1][0][..., 1::2, ::2])
        torch.testing.assert_close(covered, whole[lead - 1][1][..., 1::2, ::2])


@torch.inference_mode()
def test_drawn_back_to_nothing_is_the_untrained_model() -> None:
    torch.manual_seed(3)
    model, plain = RainModel(RainModelConfig(hidden=(4,), patch=4)), RainModel(RainModelConfig(hidden=(4,), patch=4))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    field = torch.rand(1, 1, 24, 20)
    still, covered = torch.zeros(1, 2, 24, 20), torch.ones_like(field)

    def first(m: RainModel) -> torch.Tensor:
        return next(m.margins(m.observe(m.start(field), field, covered, still)))[0]

    assert not torch.allclose(first(model), first(plain), atol=0.1)
    half = model.pixels.last.weight.clone() / 2
    torch.testing.assert_close(model.drawn_back(0.5).pixels.last.weight, half)
    torch.testing.assert_close(first(model.drawn_back(0.0)), first(plain))


def test_the_forecast_area_grows_for_an_hour() -> None:
    assert [area(minutes) for minutes in (0, 30, 60, 120)] == [1.0, 1.1, 1.2, 1.2]


def test_the_field_is_where_the_margin_crosses_zero() -> None:
    """Margins 1, -1 at 0.1 and 0.25 mm/h cross half way between them in dB; all negative is dry."""
    margins = torch.tensor([[1.0, -1, -1, -1, -1, -1, -1, -1, -1], [-1.0] * 9]).T.reshape(1, 9, 1, 2)
    rain_rate = denormalise(field_from(margins)).flatten()
    torch.testing.assert_close(rain_rate, torch.tensor([(0.1 * 0.25) ** 0.5, 0.0]))


def test_a_higher_rate_is_never_likelier() -> None:
    assert falling(torch.tensor([1.0, 2.0, -1.0, 0.0]).reshape(1, 4, 1, 1)).flatten().tolist() == [1, 1, -1, -1]


def test_fine_pixels_are_worked_on_in_blocks() -> None:
    rain = np.array([[1, 3, 5], [1, 3, np.nan], [8, 8, 2]], np.float32)
    means, covered = joined(rain, np.isfinite(rain), 2)
    assert block(Sampling(5, 0.5)) == 2
    assert block(Sampling(5, 1.0)) == 1
    np.testing.assert_array_equal(means, [[2, np.nan], [8, np.nan]])
    assert covered.tolist() == [[True, False], [True, False]]
    np.testing.assert_array_equal(parted(means, 2, (3, 3))[2], [8, 8, np.nan])


def test_a_fine_grid_comes_back_at_its_own_size() -> None:
    method = ConvLSTM(load_checkpoint(SHIPPED_WEIGHTS))
    state = None
    for scan in STORM.scans(4):
        state = method.observe(state, scan.rain_rate, scan.coverage, Sampling(5.0, 0.5))
    field = next(method.forecast(state))
    assert field.shape == STORM.grid.shape
    np.testing.assert_array_equal(field[::2, ::2], field[1::2, 1::2])
