"""Gradients by autograd against finite differences, in float64, through whole networks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError
from torch.func import functional_call

from nowcast.core.types import Sampling
from nowcast.models.encoder_forecaster import EncoderForecaster, NetworkConfig
from nowcast.models.rain_model import RainModel, RainModelConfig

FRAMES, LEADS = 3, 2


class Called(nn.Module):
    """A module that applies a function to another one: a module's parameters can then be put in from outside."""

    def __init__(self, model: nn.Module, apply: Callable[..., Tensor]) -> None:
        super().__init__()
        self.model, self.apply_to = model, apply

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.apply_to(self.model, *inputs)


def drawn(model: nn.Module, std: float = 0.3) -> nn.Module:
    """The model in float64, every weight drawn at random: none is zero, no two gates are alike."""
    torch.manual_seed(0)
    for parameter in model.double().parameters():
        nn.init.normal_(parameter, std=std)
    return model


def of_weights(called: Called, inputs: tuple[Tensor, ...]) -> bool:
    """Whether the gradients of all weights are right."""
    names = [name for name, _ in called.named_parameters()]

    def apply(*values: Tensor) -> Tensor:
        return functional_call(called, dict(zip(names, values, strict=True)), inputs)

    return torch.autograd.gradcheck(apply, tuple(called.parameters()), fast_mode=True)


def encoded_and_forecast(model: EncoderForecaster, frames: Tensor) -> Tensor:
    """Outputs (b, leads, c, y, x) after frames (b, t, c, y, x)."""
    states = model.zero_states(frames[:, 0])
    for t in range(frames.shape[1]):
        states = model.encode(frames[:, t], states)
    return torch.stack([output for output, _ in zip(model.forecast(states), range(LEADS), strict=False)], dim=1)


def test_encoder_forecaster() -> None:
    """Of odd and unequal layers, with respect to its frames and all its weights."""
    called = Called(drawn(EncoderForecaster(NetworkConfig(2, 1, (3, 2), 3, 3))), encoded_and_forecast)
    frames = torch.randn(1, FRAMES, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(called, (frames,))
    assert of_weights(called, (frames.detach(),))


def observed_and_ranked(model: RainModel, fields: Tensor, flow: Tensor) -> Tensor:
    """Margins (b, leads, k, y, x) after fields (b, t, 1, y, x) that move along `flow`."""
    state = model.start(fields[:, 0], Sampling(5.0, 1.0))
    for t in range(fields.shape[1]):
        state = model.observe(state, fields[:, t], torch.ones_like(fields[:, t]), flow)
    return torch.stack([margins for margins, _ in model.margins(state, range(1, LEADS + 1))], dim=1)


def test_rain_model() -> None:
    """With respect to all its weights, which the advected cascade does not depend on; no gradient is left at zero."""
    config = RainModelConfig(hidden=(3, 2), patch=4, embedding=3, context=2, pixel=(3, 2))
    called = Called(drawn(RainModel(config)), observed_and_ranked)
    fields = torch.rand(1, FRAMES, 1, 16, 16, dtype=torch.float64)
    flow = torch.full((1, 2, 16, 16), 0.4, dtype=torch.float64)
    assert of_weights(called, (fields, flow))
    called(fields, flow).sum().backward()
    for name, parameter in called.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_wrong_gradient_is_noticed() -> None:
    """A model whose output loses part of its graph does not pass."""
    config = NetworkConfig(1, 1, (2,), 3, 3)

    def cut(model: EncoderForecaster, frames: Tensor) -> Tensor:
        return encoded_and_forecast(model, frames) * encoded_and_forecast(model, frames).detach()

    frames = torch.randn(1, FRAMES, 1, 3, 3, dtype=torch.float64)
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        of_weights(Called(drawn(EncoderForecaster(config)), cut), (frames,))
