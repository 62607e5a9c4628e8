"""The ConvLSTM cell of Shi et al. 2015 (arXiv:1506.04214), equation 3."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from nowcast.models.recurrence import recur


class CellState(NamedTuple):
    """Hidden state H and cell state C, both (b, c, h, w)."""

    hidden: Tensor
    memory: Tensor


class ConvLSTMCell(nn.Module):
    """One layer. Peepholes are per channel, so the cell works on any grid size.

    The four gates are computed by one convolution each for input and state, in the order input, forget, candidate,
    output. `input_channels=0` makes a cell that steps on its state alone, as the forecaster's first layer does. Under
    torch.autocast the convolutions and the hidden state are of its type; the gates and the memory stay as they are.
    """

    def __init__(self, input_channels: int, hidden_channels: int, input_kernel: int, state_kernel: int) -> None:
        super().__init__()
        for kernel in (input_kernel, state_kernel):
            if kernel % 2 == 0:
                raise ValueError(f"kernel sizes must be odd, not {kernel}")
        gates = 4 * hidden_channels
        self.hidden_channels = hidden_channels
        self.state_to_state = nn.Conv2d(hidden_channels, gates, state_kernel, padding=state_kernel // 2)
        self.input_to_state = (
            nn.Conv2d(input_channels, gates, input_kernel, padding=input_kernel // 2, bias=False)
            if input_channels
            else None
        )
        self.peephole = nn.Parameter(torch.zeros(3, hidden_channels, 1, 1))

    def zero_state(self, like: Tensor) -> CellState:
        """The state before the first frame, on the batch, grid, device and dtype of `like` (b, c, h, w)."""
        zeros = like.new_zeros(like.shape[0], self.hidden_channels, *like.shape[-2:])
        return CellState(zeros, zeros)

    def forward(self, inputs: Tensor | None, state: CellState) -> CellState:
        """The next state; `inputs` is (b, input_channels, h, w), or None for a cell without input."""
        hiddens, memory = self.steps(None if inputs is None else inputs[None], state, 1)
        return CellState(hiddens[0], memory)

    def steps(self, inputs: Tensor | None, state: CellState, count: int) -> tuple[Tensor, Tensor]:
        """Hidden states (t, b, c, h, w) of `count` steps, and the memory after the last.

        `inputs` are (t, b, input_channels, h, w), or None for a cell without input.
        """
        assert (inputs is None) == (self.input_to_state is None)
        device = self.peephole.device.type
        kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.peephole.dtype
        with torch.autocast(device, enabled=False):
            weight, bias = self.state_to_state.weight.to(kind), self.state_to_state.bias
            assert bias is not None
            added = None if inputs is None else self._input_share(inputs.to(kind))
            return recur(added, *state, laid(weight), bias, self.peephole.flatten(1), count)

    def _input_share(self, inputs: Tensor) -> Tensor:
        """What the inputs (t, b, input_channels, h, w) give to the gates, (t, b, gates, h, w)."""
        assert self.input_to_state is not None
        weight = laid(self.input_to_state.weight.to(inputs.dtype))
        together = laid(inputs.flatten(0, 1))
        share = conv2d(together, weight, padding=weight.shape[-1] // 2)
        return share.reshape(*inputs.shape[:2], *share.shape[1:])


def laid(fields: Tensor) -> Tensor:
    """(b, c, h, w) laid channels last."""
    return fields.contiguous(memory_format=torch.channels_last)
