"""The ConvLSTM of Shi et al. 2015, equation 3, with the paper's peepholes: one weight per channel and place.

Names are those of the widely used PyTorch port, automan000/Convolutional_LSTM_PyTorch: its checkpoints load, and its
callers need one more argument, `shape`. Peepholes are parameters from construction on, so they follow the module to its
device and dtype, are trained and are saved. They tie the weights to one grid; nowcast.models.cell works on any.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from nowcast.models.cell import CellState


class ConvLSTMCell(nn.Module):
    """One layer, one step, on a grid of `shape` (h, w); ValueError for an even kernel or a size below 1.

    Wx* are over the input and have a bias, Wh* over the hidden state and have none: i input gate, f forget gate,
    c candidate, o output gate. Wci, Wcf and Wco are the peepholes (1, hidden_channels, h, w), zero at first.
    """

    def __init__(self, input_channels: int, hidden_channels: int, kernel_size: int, *, shape: tuple[int, int]) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, not {kernel_size}")
        if min(input_channels, hidden_channels, *shape) < 1:
            raise ValueError(f"sizes must be at least 1, not {input_channels}, {hidden_channels} and {shape}")

        def over(channels: int, bias: bool) -> nn.Conv2d:
            return nn.Conv2d(channels, hidden_channels, kernel_size, padding=kernel_size // 2, bias=bias)

        self.frame = (input_channels, *shape)
        self.Wxi, self.Wxf, self.Wxc, self.Wxo = (over(input_channels, True) for _ in range(4))
        self.Whi, self.Whf, self.Whc, self.Who = (over(hidden_channels, False) for _ in range(4))
        self.Wci, self.Wcf, self.Wco = (nn.Parameter(torch.zeros(1, hidden_channels, *shape)) for _ in range(3))
        self.register_load_state_dict_pre_hook(_complete)  # type: ignore[no-untyped-call]

    def zero_state(self, like: Tensor) -> CellState:
        """The state before the first step, on the batch, device and dtype of `like` (b, c, h, w)."""
        zeros = like.new_zeros(len(like), *self.Wci.shape[1:])
        return CellState(zeros, zeros)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> CellState:
        """The next hidden and cell state (b, hidden_channels, h, w); ValueError when `x` is of another size."""
        if x.shape[1:] != self.frame:
            raise ValueError(f"this cell was built for {self.frame} (c, h, w), not {tuple(x.shape[1:])}")
        take = torch.sigmoid(self.Wxi(x) + self.Whi(h) + c * self.Wci)
        keep = torch.sigmoid(self.Wxf(x) + self.Whf(h) + c * self.Wcf)
        memory = keep * c + take * torch.tanh(self.Wxc(x) + self.Whc(h))
        show = torch.sigmoid(self.Wxo(x) + self.Who(h) + memory * self.Wco)
        return CellState(show * torch.tanh(memory), memory)


class ConvLSTM(nn.Module):
    """A stack of cells, cell0 lowest, that sees the same frame at each of `step` steps; ValueError for an empty stack.

    Steps count from 0; those in `effective_step` are given out, and ones that are never reached give nothing.
    """

    def __init__(
        self,
        input_channels: int,
        hidden_channels: Sequence[int],
        kernel_size: int,
        step: int = 1,
        effective_step: Sequence[int] = (1,),
        *,
        shape: tuple[int, int],
    ) -> None:
        super().__init__()
        if step < 1 or not hidden_channels:
            raise ValueError(f"there must be a step and a layer, not step {step} and layers {list(hidden_channels)}")
        self.step = step
        self.effective_step = tuple(effective_step)
        for k, (below, here) in enumerate(pairwise((input_channels, *hidden_channels))):
            self.add_module(f"cell{k}", ConvLSTMCell(below, here, kernel_size, shape=shape))

    def forward(self, input: Tensor) -> tuple[list[Tensor], CellState]:
        """The top layer's hidden states at the effective steps, and its last (hidden, cell) state; all (b, c, h, w).

        `input` is (b, input_channels, h, w); ValueError when it is not of the size the stack was built for.
        """
        cells = [cell for cell in self.children() if isinstance(cell, ConvLSTMCell)]
        states = [cell.zero_state(input) for cell in cells]
        outputs = []
        for step in range(self.step):
            x = input
            for k, cell in enumerate(cells):
                states[k] = cell(x, *states[k])
                x = states[k].hidden
            if step in self.effective_step:
                outputs.append(x)
        return outputs, states[-1]


def _complete(cell: ConvLSTMCell, saved: dict[str, Any], prefix: str, *_: object) -> None:
    """Before loading: a checkpoint without peepholes has zero ones; ValueError for peepholes of another size."""
    names = [f"{prefix}{name}" for name in ("Wci", "Wcf", "Wco")]
    if not saved.keys() & set(names):
        saved.update({name: torch.zeros_like(cell.Wci) for name in names})
    for name in saved.keys() & set(names):
        if saved[name].shape != cell.Wci.shape:
            raise ValueError(f"{name} is {tuple(saved[name].shape)}, this module's is {tuple(cell.Wci.shape)}")
