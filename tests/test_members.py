"""Members from an archive: on a window, the same each time, by every method of the ladder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models_at_hand import weights
from storms import stormy_days

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import Sampling
from nowcast.members import ensemble, outlooks_from
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.outlook import in_blocks, whole_blocks
from nowcast.models.rollout import Rolling
from nowcast.store.archive import Archive, read_slots

WINDOW = (slice(10, 40), slice(20, 60))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return stormy_days(tmp_path_factory.mktemp("archive"), 1)


@pytest.fixture(params=["convlstm", "advection", "persistence"])
def method(request: pytest.FixtureRequest, tmp_path: Path) -> Nowcaster[Any]:
    if request.param == "convlstm":
        return ConvLSTM(load_checkpoint(weights(tmp_path, seed=1)))
    return Advection() if request.param == "advection" else Persistence()


def slot_of(archive: Archive) -> int:
    return int(read_slots(archive).observed[5])


def test_the_same_slot_and_window_give_the_same_members(archive: Archive, method: Nowcaster[Any]) -> None:
    one, window = ensemble(archive, Rolling(method), slot_of(archive), 3, WINDOW, 4)
    other, _ = ensemble(archive, Rolling(method), slot_of(archive), 3, WINDOW, 4)
    assert (one.shape, window) == ((4, 3, 30, 40), WINDOW)
    np.testing.assert_array_equal(one, other)
    assert np.nanstd(one, axis=0).max() > 0


def test_members_have_values_where_the_forecast_has(archive: Archive, method: Nowcaster[Any]) -> None:
    rolling, slot = Rolling(method), slot_of(archive)
    members, _ = ensemble(archive, rolling, slot, 3, WINDOW, 2)
    for lead, outlook in enumerate(outlooks_from(archive, rolling, slot, 3)):
        for member in members[:, lead]:
            np.testing.assert_array_equal(np.isnan(member), np.isnan(outlook.rain_rate[WINDOW]))


def test_cutting_and_asking_commute(archive: Archive, method: Nowcaster[Any]) -> None:
    outlook = next(outlooks_from(archive, Rolling(method), slot_of(archive), 1))
    for ask in (lambda one: one.chance(1.0), lambda one: one.quantile(0.9)):
        np.testing.assert_allclose(ask(outlook.crop(WINDOW)), ask(outlook)[WINDOW], rtol=1e-5, atol=1e-9)


def test_a_window_is_widened_to_whole_blocks_within_the_grid() -> None:
    """Blocks of 4 on 30 x 30: rows 5 to 9 lie in rows 4 to 12, columns 27 to 30 in the last, cut block."""
    window = whole_blocks((slice(5, 9), slice(27, 30)), 4, (30, 30))
    assert window == (slice(4, 12), slice(24, 30))
    assert in_blocks(window, 4) == (slice(1, 3), slice(6, 8))


def test_finer_pixels_are_worked_on_in_blocks_and_given_back_whole(tmp_path: Path) -> None:
    """Half a kilometre: blocks of 2 x 2 alike, in chances as in members."""
    method, sampling = ConvLSTM(load_checkpoint(weights(tmp_path, seed=1))), Sampling(5.0, 0.5)
    rain, state = np.random.default_rng(1).gamma(1.0, 2.0, (4, 50, 61)).astype(np.float32), None
    for frame in rain:
        state = method.observe(state, frame, np.ones(frame.shape, bool), sampling)
    assert state is not None
    outlook = next(method.outlook(state))
    chances = outlook.chance(1.0)
    assert (outlook.block, chances.shape) == (2, (50, 61))
    known = np.isfinite(chances[:50, :60])
    pairs = chances[:50, :60].reshape(25, 2, 30, 2)
    assert known.any()
    np.testing.assert_array_equal(pairs[:, 0, :, 0], pairs[:, 1, :, 1])
