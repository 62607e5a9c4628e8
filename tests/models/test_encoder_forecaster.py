"""The encoder-forecaster's states are in the caller's hands."""

from itertools import islice

import pytest
import torch

from nowcast.models.encoder_forecaster import PAPER_CONFIGS, EncoderForecaster, NetworkConfig, parameter_count

SMALL = NetworkConfig(2, 1, (3, 4), 3, 3)


def test_the_papers_parameter_counts() -> None:
    counts = [parameter_count(EncoderForecaster(config)) for config in PAPER_CONFIGS.values()]
    assert counts == [13_524_496, 10_042_896, 7_585_296, 11_550_224, 8_830_480]


@torch.inference_mode()
def test_stepping_equals_the_whole_window_on_any_grid() -> None:
    network = EncoderForecaster(SMALL)
    for size in ((5, 9), (8, 8)):
        frames = torch.randn(2, 4, 2, *size)
        states = network.zero_states(frames[:, 0])
        for t in range(4):
            states = network.encode(frames[:, t], states)
        stepped = torch.stack(list(islice(network.forecast(states), 3)), dim=1)
        torch.testing.assert_close(stepped, network(frames, 3))
        again = torch.stack(list(islice(network.forecast(states), 3)), dim=1)
        torch.testing.assert_close(again, stepped, rtol=0, atol=0)


def test_a_network_needs_layers() -> None:
    with pytest.raises(ValueError, match=r"not \(\)"):
        NetworkConfig(1, 1, (), 3, 3)
