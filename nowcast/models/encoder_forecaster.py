"""The encoder-forecaster of Shi et al. 2015, section 3.2, with its state in the caller's hands."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nowcast.models.cell import CellState, ConvLSTMCell
from nowcast.models.recurrence import first, last

LayerStates = tuple[CellState, ...]
"""One state per layer, lowest first."""


@dataclass(frozen=True)
class NetworkConfig:
    """Channels in and out of the network (after patching), hidden channels per layer, kernel sizes.

    The output is made from the hidden states of all forecaster layers, or with `top_only` from the top one's.
    """

    input_channels: int
    output_channels: int
    hidden: tuple[int, ...]
    input_kernel: int
    state_kernel: int
    top_only: bool = False

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must name at least one positive layer size, not {self.hidden}")


PAPER_CONFIGS: dict[str, NetworkConfig] = {
    "convlstm-5x5-256": NetworkConfig(16, 16, (256,), 5, 5),
    "convlstm-5x5-128-128": NetworkConfig(16, 16, (128, 128), 5, 5),
    "convlstm-5x5-128-64-64": NetworkConfig(16, 16, (128, 64, 64), 5, 5),
    "convlstm-9x9-1x1-128-128": NetworkConfig(16, 16, (128, 128), 9, 1),
    "convlstm-9x9-1x1-128-64-64": NetworkConfig(16, 16, (128, 64, 64), 9, 1),
}
"""Table 1 of the paper: Moving-MNIST, 64 x 64 in 4 x 4 patches."""


class EncoderForecaster(nn.Module):
    """Two stacks of ConvLSTM layers; the forecaster starts from copies of the encoder's states.

    The forecaster's first layer has no input. A 1 x 1 convolution over its hidden states makes the output.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        kernels = config.input_kernel, config.state_kernel
        self.config = config
        self.encoder = nn.ModuleList(_stack(config.input_channels, config.hidden, kernels))
        self.forecaster = nn.ModuleList(_stack(0, config.hidden, kernels))
        shown = config.hidden[-1] if config.top_only else sum(config.hidden)
        self.output = nn.Conv2d(shown, config.output_channels, 1)

    def zero_states(self, frame: Tensor) -> LayerStates:
        """States before the first frame, for frames like `frame` (b, c, h, w)."""
        return tuple(cell.zero_state(frame) for cell in self._cells(self.encoder))

    def encode(self, frame: Tensor, states: LayerStates) -> LayerStates:
        """States after one more frame (b, input_channels, h, w)."""
        return _step(self._cells(self.encoder), frame, states)

    def forecast(self, states: LayerStates, carry: Callable[[Tensor], Tensor] | None = None) -> Iterator[Tensor]:
        """Outputs (b, output_channels, h, w) at lead 1, 2, ... without end; the given states are left as they are.

        `carry` moves the states (b, c, h, w) before each step, for a forecaster in Lagrangian coordinates.
        """
        while True:
            if carry is not None:
                states = carried(states, carry)
            states = _step(self._cells(self.forecaster), None, states)
            shown = states[-1:] if self.config.top_only else states
            yield self.output(torch.cat([state.hidden for state in shown], dim=1))

    def forward(self, frames: Tensor, leads: int) -> Tensor:
        """(b, t, c, h, w) in, (b, leads, c, h, w) out: `encode` and `forecast`, a layer at a time for all steps."""
        seen, states = frames.transpose(0, 1), []
        for cell in self._cells(self.encoder):
            seen, memory = cell.steps(seen, cell.zero_state(frames[:, 0]), len(seen))
            states.append(CellState(seen[-1], memory))
        layers: list[Tensor] = []
        for cell, state in zip(self._cells(self.forecaster), states, strict=True):
            layers.append(cell.steps(layers[-1] if layers else None, state, leads)[0])
        shown = layers[-1:] if self.config.top_only else layers
        hidden = first(torch.cat([last(each) for each in shown], dim=-1))
        outputs: Tensor = self.output(hidden.flatten(0, 1))
        return outputs.reshape(*hidden.shape[:2], *outputs.shape[1:]).transpose(0, 1)

    def _cells(self, stack: nn.ModuleList) -> list[ConvLSTMCell]:
        return [cell for cell in stack if isinstance(cell, ConvLSTMCell)]


def carried(states: LayerStates, carry: Callable[[Tensor], Tensor]) -> LayerStates:
    """Every hidden and cell state moved by `carry`."""
    return tuple(CellState(carry(state.hidden), carry(state.memory)) for state in states)


def parameter_count(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _stack(input_channels: int, hidden: tuple[int, ...], kernels: tuple[int, int]) -> list[ConvLSTMCell]:
    inputs = (input_channels, *hidden[:-1])
    return [ConvLSTMCell(below, here, *kernels) for below, here in zip(inputs, hidden, strict=True)]


def _step(cells: list[ConvLSTMCell], inputs: Tensor | None, states: LayerStates) -> LayerStates:
    stepped: list[CellState] = []
    for cell, state in zip(cells, states, strict=True):
        stepped.append(cell(inputs, state))
        inputs = stepped[-1].hidden
    return tuple(stepped)
