"""The ConvLSTM as it is commonly written in PyTorch, to measure against: eight convolutions per step, NCHW, float32.

The cell is nowcast.models.seed_cell's without what makes it general; the encoder-forecaster is the usual one, whose
forecaster is fed its own last output.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class PortCell(nn.Module):
    """Four convolutions over the input, four over the hidden state, peepholes per channel."""

    def __init__(self, inputs: int, hidden: int, kernel: int) -> None:
        super().__init__()

        def over(channels: int, bias: bool) -> nn.Conv2d:
            return nn.Conv2d(channels, hidden, kernel, padding=kernel // 2, bias=bias)

        self.hidden = hidden
        self.xi, self.xf, self.xc, self.xo = (over(inputs, True) for _ in range(4))
        self.hi, self.hf, self.hc, self.ho = (over(hidden, False) for _ in range(4))
        self.ci, self.cf, self.co = (nn.Parameter(torch.zeros(1, hidden, 1, 1)) for _ in range(3))

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i = torch.sigmoid(self.xi(x) + self.hi(h) + c * self.ci)
        f = torch.sigmoid(self.xf(x) + self.hf(h) + c * self.cf)
        c = f * c + i * torch.tanh(self.xc(x) + self.hc(h))
        o = torch.sigmoid(self.xo(x) + self.ho(h) + c * self.co)
        return o * torch.tanh(c), c


class Port(nn.Module):
    """Frames (b, t, c, h, w) in, `leads` frames out; the whole window is encoded for every forecast."""

    def __init__(self, channels: int, hidden: Sequence[int], kernel: int) -> None:
        super().__init__()
        pairs = list(pairwise((channels, *hidden)))
        self.encoder = nn.ModuleList(PortCell(a, b, kernel) for a, b in pairs)
        self.forecaster = nn.ModuleList(PortCell(a, b, kernel) for a, b in pairs)
        self.output = nn.Conv2d(sum(hidden), channels, 1)

    def forward(self, frames: Tensor, leads: int) -> Tensor:
        b, _, _, height, width = frames.shape
        states = [(z := frames.new_zeros(b, cell.hidden, height, width), z) for cell in self.encoder]
        for frame in frames.unbind(1):
            states = _stepped(self.encoder, frame, states)
        outputs = [frames[:, -1]]
        for _ in range(leads):
            states = _stepped(self.forecaster, outputs[-1], states)
            outputs.append(self.output(torch.cat([h for h, _ in states], dim=1)))
        return torch.stack(outputs[1:], dim=1)


def _stepped(cells: nn.ModuleList, x: Tensor, states: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    fresh = []
    for cell, state in zip(cells, states, strict=True):
        fresh.append(cell(x, *state))
        x = fresh[-1][0]
    return fresh
