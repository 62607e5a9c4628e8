"""A layer over many steps at once is the cell step by step, tile by tile and strip by strip alike."""

from itertools import islice

import pytest
import torch
from storms import TINY
from torch import Tensor

from nowcast.models import rain_model
from nowcast.models.cell import CellState, ConvLSTMCell
from nowcast.models.rain_model import RainModel


@pytest.fixture
def cell() -> ConvLSTMCell:
    torch.manual_seed(0)
    made = ConvLSTMCell(2, 3, 3, 5)
    torch.nn.init.normal_(made.peephole, std=0.5)
    return made


def started(batch: int = 2) -> CellState:
    """A state of its own at every pixel, the hidden one as large as it gets."""
    return CellState(torch.rand(batch, 3, 6, 7) * 2 - 1, torch.randn(batch, 3, 6, 7))


def test_all_steps_at_once_are_the_steps_one_by_one(cell: ConvLSTMCell) -> None:
    inputs, state = torch.randn(4, 2, 2, 6, 7), started()
    together, memory = cell.steps(inputs, state, 4)
    one_by_one = []
    for frame in inputs:
        state = cell(frame, state)
        one_by_one.append(state.hidden)
    torch.testing.assert_close(together, torch.stack(one_by_one))
    torch.testing.assert_close(memory, state.memory)


def test_the_tiles_that_gates_are_worked_on_in_change_nothing(
    cell: ConvLSTMCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, state = torch.randn(3, 2, 2, 6, 7), started()

    def gradients() -> list[Tensor]:
        cell.zero_grad()
        hiddens, memory = cell.steps(inputs, state, 3)
        (hiddens.square().sum() + memory.sum()).backward()
        return [hiddens.detach(), *(parameter.grad.clone() for parameter in cell.parameters())]  # type: ignore[union-attr]

    whole = gradients()
    monkeypatch.setattr("nowcast.models.gates.TILE", 12 * 5)
    for tiled, value in zip(gradients(), whole, strict=True):
        torch.testing.assert_close(tiled, value)


def test_under_autocast_convolutions_are_bfloat16_and_the_memory_is_not(cell: ConvLSTMCell) -> None:
    inputs, state = torch.randn(4, 2, 2, 6, 7), started()
    exact, _ = cell.steps(inputs, state, 4)
    with torch.autocast("cpu", torch.bfloat16):
        rough, memory = cell.steps(inputs, state, 4)
    assert rough.dtype == torch.bfloat16
    assert memory.dtype == torch.float32
    assert 0 < (rough.float() - exact).abs().max() < 0.05


def test_the_pixel_network_says_the_same_strip_by_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = RainModel(TINY).eval()
    torch.nn.init.normal_(model.pixels.last.weight)
    field, flow = torch.rand(1, 1, 20, 24), torch.full((1, 2, 20, 24), 0.4)

    def margins() -> Tensor:
        with torch.inference_mode():
            state = model.observe(model.start(field), field, torch.ones_like(field), flow)
            return torch.stack([said for said, _ in islice(model.margins(state), 3)])

    whole = margins()
    monkeypatch.setattr(rain_model, "STRIP", 3 * 24)
    torch.testing.assert_close(margins(), whole)
