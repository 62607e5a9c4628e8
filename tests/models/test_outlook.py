"""What methods say of their own certainty: the same field, its chances, in blocks on fine grids, whole or in part."""

from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from storms import TINY

from nowcast.core.types import USUAL, Sampling
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.calibration import Calibration
from nowcast.models.checkpoint import Checkpoint, Training
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.exceedance import RATES
from nowcast.models.outlook import Outlook, Uncertain, in_blocks, whole_blocks
from nowcast.models.rain_model import RainModel
from nowcast.sources.synthetic import Storm

STORM = Storm(datetime(2026, 6, 1, tzinfo=UTC), size=64, cells=3)
FINE = Sampling(5.0, 0.5)
TRAINING = Training((USUAL,), ("", ""), 3, (), 0, 0.0, 0, "", {})
LEVELS = (0.1, 0.25, 1.0, 3.0, 100.0)


PLAIN = Calibration()


def network(calibration: Calibration = PLAIN) -> ConvLSTM:
    torch.manual_seed(1)
    model = RainModel(TINY)
    torch.nn.init.normal_(model.pixels.last.weight, std=0.3)
    return ConvLSTM(Checkpoint("tiny", model, "0" * 64, TRAINING, calibration))


METHODS: dict[str, Any] = {"persistence": Persistence, "advection": Advection, "convlstm": network}
methods = pytest.mark.parametrize("name", METHODS)


def after(method: Any, sampling: Sampling = USUAL, shape: tuple[int, int] = (64, 64), frames: int = 3) -> Any:
    """The state after the first scans of the storm, cut to a shape."""
    state = None
    for scan in STORM.scans(frames):
        state = method.observe(state, *(v[: shape[0], : shape[1]] for v in (scan.rain_rate, scan.coverage)), sampling)
    return state


@cache
def outlooks(name: str, sampling: Sampling = USUAL, shape: tuple[int, int] = (64, 64)) -> list[Outlook]:
    method = METHODS[name]()
    return list(islice(method.outlook(after(method, sampling, shape)), 2))


def block_of_two() -> Outlook:
    """3 x 5 pixels, the last without forecast, in blocks of two: the block at column j of the blocks has margins
    4 + j, 3 + j, ... so that each is a rate wetter than the one before."""
    rain_rate = np.ones((3, 5), np.float32)
    rain_rate[2, 4] = np.nan
    steps = torch.arange(4.0, -5.0, -1.0)[:, None, None] + torch.arange(3.0)
    return Outlook(rain_rate, steps.expand(9, 2, 3)[None], 2)


@methods
def test_the_rain_rate_is_the_forecast(name: str) -> None:
    method = METHODS[name]()
    state = after(method)
    assert isinstance(method, Uncertain)
    for outlook, field in zip(islice(method.outlook(state), 2), method.forecast(state), strict=False):
        np.testing.assert_array_equal(outlook.rain_rate, field)
        assert outlook.shape == field.shape == (64, 64)


@methods
def test_chances_are_chances_fall_and_are_nan_where_nothing_is_forecast(name: str) -> None:
    for outlook in outlooks(name):
        chances = np.stack([outlook.chance(threshold) for threshold in LEVELS])
        assert chances.dtype == np.float32
        known = np.isfinite(outlook.rain_rate)
        assert 0 < known.sum() < known.size
        np.testing.assert_array_equal(np.isfinite(chances), np.broadcast_to(known, chances.shape))
        assert chances[:, known].min() >= 0
        assert chances[:, known].max() <= 1
        assert (np.diff(chances[:, known], axis=0) <= 1e-6).all()


@methods
def test_it_is_likelier_to_rain_where_rain_is_forecast(name: str) -> None:
    for outlook in outlooks(name):
        chance = outlook.chance(0.1)
        assert chance[outlook.rain_rate >= 0.1].mean() > np.nanmean(chance) > chance[outlook.rain_rate == 0].mean()


@methods
def test_the_track_is_what_was_seen_with_the_motion(name: str) -> None:
    method = METHODS[name]()
    track = method.track(after(method))
    assert track.newest[0].shape == track.newest[1].shape == (1, 1, 64, 64)
    np.testing.assert_array_equal(track.newest[1][0, 0].numpy() > 0, STORM.coverage)
    assert track.sampling == USUAL
    south, east = (float(flow[20:44, 20:44].mean()) for flow in track.flow[0])
    expected = (0.0, 0.0) if name == "persistence" else STORM.motion
    assert (south, east) == pytest.approx(expected, abs=0.7)


def test_the_calibration_of_the_checkpoint_is_applied() -> None:
    """Offsets of -2 make all chances rarer, those of even odds 0.12, and leave the rain rate."""
    method, lower = network(), network(Calibration(offset=((-2.0, 0.0),) * len(RATES)))
    as_is, moved = (next(m.outlook(after(m))) for m in (method, lower))
    np.testing.assert_array_equal(as_is.rain_rate, moved.rain_rate)
    odds = [c / (1 - c) for c in (as_is.chance(0.1), moved.chance(0.1))]
    likely = np.abs(np.log(odds[0])) < 5
    np.testing.assert_allclose(odds[1][likely] / odds[0][likely], np.exp(-2), rtol=0.01)


@methods
@pytest.mark.parametrize("shape", [(64, 64), (61, 47)])
def test_fine_grids_have_full_size_fields(name: str, shape: tuple[int, int]) -> None:
    outlook = outlooks(name, FINE, shape)[0]
    assert outlook.block == (2 if name == "convlstm" else 1)
    blocks = tuple(-(-side // outlook.block) for side in shape)
    assert outlook.margins.shape == (1, len(RATES), *blocks)
    assert outlook.chance(1.0).shape == outlook.quantile(0.9).shape == shape
    assert outlook.members(torch.zeros(3, *blocks)).shape == (3, *shape)
    assert METHODS[name]().track(after(METHODS[name](), FINE, shape)).newest[0].shape[-2:] == blocks


def test_every_pixel_has_the_chance_of_its_block() -> None:
    outlook = block_of_two()
    chance = outlook.chance(2.0)
    expected = 1 / (1 + np.exp(-np.array([0, 0, 1, 1, 2], np.float32)))
    np.testing.assert_allclose(chance[0], expected, rtol=1e-5)
    np.testing.assert_allclose(outlook.quantile(0.5)[1], [2, 2, 5, 5, 10], rtol=1e-4)
    assert np.isnan([chance[2, 4], outlook.quantile(0.5)[2, 4]]).all()


def test_members_are_nan_where_nothing_is_forecast() -> None:
    members = block_of_two().members(torch.zeros(2, 2, 3))
    np.testing.assert_allclose(members[:, 2], [[2, 2, 5, 5, np.nan]] * 2, rtol=1e-4)


def test_an_impossible_quantile_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not at 1\.5"):
        block_of_two().quantile(1.5)


@pytest.mark.parametrize(
    ("rows", "whole", "blocks"),
    [((3, 9), (2, 10), (1, 5)), ((4, 6), (4, 6), (2, 3)), ((9, 11), (8, 11), (4, 6)), ((0, 1), (0, 2), (0, 1))],
)
def test_windows_grow_to_whole_blocks_within_the_grid(rows: Any, whole: Any, blocks: Any) -> None:
    """Of two rows, on a grid of eleven."""
    grown = whole_blocks((slice(*rows), slice(0, 4)), 2, (11, 4))
    assert grown == (slice(*whole), slice(0, 4))
    assert in_blocks(grown, 2) == (slice(*blocks), slice(0, 2))


@methods
@pytest.mark.parametrize("window", [(slice(11, 37), slice(20, 31)), (slice(40, 61), slice(3, 47))])
def test_a_part_says_the_same_as_the_whole(name: str, window: tuple[slice, slice]) -> None:
    whole = outlooks(name, FINE, (61, 47))[1]
    window = whole_blocks(window, whole.block, whole.shape)
    part = whole.crop(window)
    np.testing.assert_array_equal(part.rain_rate, whole.rain_rate[window])
    np.testing.assert_allclose(part.chance(0.5), whole.chance(0.5)[window], rtol=1e-5)
    np.testing.assert_allclose(part.quantile(0.9), whole.quantile(0.9)[window], rtol=1e-5)
    normal = torch.randn(2, *whole.margins.shape[-2:], generator=torch.Generator().manual_seed(4))
    some = normal[(..., *in_blocks(window, whole.block))]
    np.testing.assert_allclose(part.members(some), whole.members(normal)[:, *window], rtol=1e-5)
