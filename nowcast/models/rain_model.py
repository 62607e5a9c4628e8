"""The ConvLSTM on rain: patches in, a correction of the advected field out, states carried by the motion.

The network is the paper's. Around it, rain moves first: before each step the recurrent states are carried along the
optical flow, and the forecaster's output is added to the last field advected by the same flow. With the output layer at
zero the model is exactly semi-Lagrangian extrapolation; what it learns is growth, decay and what cannot be forecast.
`advect=False` leaves all motion to the network, as in the paper.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, pixel_shuffle, pixel_unshuffle

from nowcast.models.encoder_forecaster import EncoderForecaster, LayerStates, NetworkConfig, carried
from nowcast.models.motion import advect, advect_covered, extrapolate

INPUT_FIELDS = 3
"""Field, coverage and innovation (field minus the advected previous field)."""


@dataclass(frozen=True)
class RainModelConfig:
    """Hidden channels per layer, kernel size, side of a square patch, and whether rain is advected first."""

    hidden: tuple[int, ...] = (64, 64)
    kernel: int = 3
    patch: int = 8
    advect: bool = True

    @property
    def network(self) -> NetworkConfig:
        """The network after patching."""
        pixels = self.patch**2
        return NetworkConfig(INPUT_FIELDS * pixels, pixels, self.hidden, self.kernel, self.kernel)


class RainState(NamedTuple):
    """Everything the next step needs; `field` and `coverage` are (b, 1, y, x), `flow` is (b, 2, y, x)."""

    layers: LayerStates
    field: Tensor
    coverage: Tensor
    flow: Tensor


class RainModel(nn.Module):
    """Normalised rain fields, stepped one scan at a time."""

    def __init__(self, config: RainModelConfig) -> None:
        super().__init__()
        self.config = config
        self.network = EncoderForecaster(config.network)
        nn.init.zeros_(self.network.output.weight)
        assert self.network.output.bias is not None
        nn.init.zeros_(self.network.output.bias)

    def start(self, field: Tensor) -> RainState:
        """The state before the first frame, on the grid of `field` (b, 1, y, x)."""
        nothing = torch.zeros_like(field)
        flow = nothing.repeat(1, 2, 1, 1)
        inputs = self._patches(nothing.repeat(1, INPUT_FIELDS, 1, 1))
        return RainState(self.network.zero_states(inputs), nothing, nothing, flow)

    def observe(self, state: RainState, field: Tensor, coverage: Tensor, flow: Tensor) -> RainState:
        """The state after a frame: `field` normalised, `coverage` 0 or 1, `flow` the motion since the last frame.

        A frame that is missing as a whole is taken to be the last one moved on.
        """
        if not self.config.advect:
            flow = torch.zeros_like(flow)
        expected, expected_coverage = advect_covered(state.field, state.coverage, flow)
        seen = coverage.amax(dim=(1, 2, 3), keepdim=True) > 0
        field = torch.where(seen, field * coverage, expected)
        coverage = torch.where(seen, coverage, expected_coverage)
        innovation = (field - expected) * coverage * expected_coverage
        inputs = self._patches(torch.cat([field, coverage, innovation], dim=1))
        layers = self.network.encode(inputs, self._carried(state.layers, flow))
        return RainState(layers, field, coverage, flow)

    def forecast(self, state: RainState) -> Iterator[tuple[Tensor, Tensor]]:
        """(field, coverage), both (b, 1, y, x), at lead 1, 2, ... without end."""
        if not self.config.advect:
            for output in self.network.forecast(state.layers):
                yield torch.relu(self._pixels(output, state.field)), state.coverage
        flow = self._patch_flow(state.flow)
        outputs = self.network.forecast(state.layers, lambda v: advect(v, flow))
        advected = extrapolate(state.field, state.coverage, state.flow)
        for output, (base, coverage) in zip(outputs, advected, strict=False):
            yield torch.relu(base + self._pixels(output, base)), coverage

    def _pixels(self, output: Tensor, like: Tensor) -> Tensor:
        return pixel_shuffle(output, self.config.patch)[..., : like.shape[-2], : like.shape[-1]]

    def _carried(self, layers: LayerStates, flow: Tensor) -> LayerStates:
        if not self.config.advect:
            return layers
        patch_flow = self._patch_flow(flow)
        return carried(layers, lambda v: advect(v, patch_flow))

    def _patches(self, fields: Tensor) -> Tensor:
        return pixel_unshuffle(self._fill_patches(fields), self.config.patch)

    def _patch_flow(self, flow: Tensor) -> Tensor:
        means = avg_pool2d(self._fill_patches(flow), self.config.patch)
        return means / self.config.patch

    def _fill_patches(self, fields: Tensor) -> Tensor:
        """Zero rows and columns added at the south and east until whole patches fit."""
        height, width = fields.shape[-2:]
        return pad(fields, (0, -width % self.config.patch, 0, -height % self.config.patch))
