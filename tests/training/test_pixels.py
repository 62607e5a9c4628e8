"""The first fit of the pixel network."""

from dataclasses import replace

import pytest
import torch
from storms import TINY, frames, loss_of

from nowcast.models.rain_model import PREDICTORS, RainModel, horizon
from nowcast.training.events import Event, event
from nowcast.training.loop import TrainConfig
from nowcast.training.pixels import PixelConfig, draw, fit_pixels
from nowcast.training.windows import Sampler, WindowConfig

WINDOWS = WindowConfig(size=48, fewest_inputs=3, most_inputs=3, fewest_leads=3, leads=3, scored=2)


@pytest.fixture(scope="module")
def storm() -> Event:
    return event("storm", frames(10))


def test_pixels_are_drawn_from_each_scored_lead_and_are_covered(storm: Event) -> None:
    torch.manual_seed(0)
    window = Sampler([storm], WINDOWS, 1).batch(1)
    drawn = list(draw(RainModel(TINY), window, 50))
    assert [len(part.observed) for part in drawn] == [50, 50]
    for part, lead in zip(drawn, window.leads, strict=True):
        assert part.predictors.shape == (50, PREDICTORS)
        torch.testing.assert_close(part.horizon[0], torch.tensor(horizon(lead, storm.sampling)))
    nowhere = replace(window, coverage=torch.zeros_like(window.coverage))
    assert [len(part.observed) for part in draw(RainModel(TINY), nowhere, 50)] == [0, 0]


def test_the_fit_lowers_the_loss_of_whole_windows_and_leaves_the_rest_of_the_model(storm: Event) -> None:
    torch.manual_seed(0)
    model = RainModel(TINY)
    network = {name: value.clone() for name, value in model.network.state_dict().items()}
    before = loss_of(model, Sampler([storm], WINDOWS, 9), 1)
    shares: list[float] = []
    config = PixelConfig(windows=20, pixels=300, steps=60, batch=256)
    fit_pixels(model, Sampler([storm], WINDOWS, 1), config, lambda share, loss: shares.append(share))
    assert loss_of(model, Sampler([storm], WINDOWS, 9), 1) < 0.9 * before
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    for name, value in model.network.state_dict().items():
        torch.testing.assert_close(value, network[name], rtol=0, atol=0)


@pytest.mark.parametrize("trust", [-0.1, 1.5])
def test_a_share_that_is_none_is_refused(trust: float) -> None:
    with pytest.raises(ValueError, match=f"trust must be from 0 to 1, not {trust}"):
        TrainConfig(trust=trust)
