"""Baselines and the rain model: what they know, and what they must not claim to know."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from nowcast.core.nowcaster import Nowcaster
from nowcast.issue import SHIPPED_WEIGHTS
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.motion import extrapolate
from nowcast.models.rain_model import RainModel, RainModelConfig
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
def test_an_untrained_rain_model_is_extrapolation_on_any_grid() -> None:
    model = RainModel(RainModelConfig(hidden=(4,), patch=8))
    field, coverage = torch.rand(1, 1, 21, 34), torch.ones(1, 1, 21, 34)
    flow = torch.ones(1, 2, 21, 34)
    state = model.observe(model.start(field), field, coverage, flow)
    pairs = zip(islice(model.forecast(state), 3), extrapolate(field, coverage, flow), strict=False)
    for (forecast, _), (expected, _) in pairs:
        torch.testing.assert_close(forecast, expected)


@torch.inference_mode()
def test_without_advection_all_motion_is_left_to_the_network() -> None:
    model = RainModel(RainModelConfig(hidden=(4,), patch=4, advect=False))
    field = torch.rand(1, 1, 16, 16)
    state = model.observe(model.start(field), field, torch.ones_like(field), torch.ones(1, 2, 16, 16))
    forecast, coverage = next(model.forecast(state))
    assert forecast.abs().max() == 0
    assert coverage.all()
