"""The ConvLSTM cell of Shi et al. 2015 (arXiv:1506.04214), equation 3."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class CellState(NamedTuple):
    """Hidden state H and cell state C, both (b, c, h, w)."""

    hidden: Tensor
    memory: Tensor


class ConvLSTMCell(nn.Module):
    """One layer, one step. Peepholes are per channel, so the cell works on any grid size.

    The four gates are computed by one convolution each for input and state, in the order input, forget, candidate,
    output. `input_channels=0` makes a cell that steps on its state alone, as the forecaster's first layer does.
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
        gates = self.state_to_state(state.hidden)
        if self.input_to_state is not None:
            assert inputs is not None
            gates = gates + self.input_to_state(inputs)
        to_input, to_forget, candidate, to_output = gates.chunk(4, dim=1)
        peep_input, peep_forget, peep_output = self.peephole
        keep = torch.sigmoid(to_forget + peep_forget * state.memory)
        take = torch.sigmoid(to_input + peep_input * state.memory)
        memory = keep * state.memory + take * torch.tanh(candidate)
        hidden = torch.sigmoid(to_output + peep_output * memory) * torch.tanh(memory)
        return CellState(hidden, memory)
