"""The cell is equation 3 of Shi et al. 2015, and its gradients are right."""

import pytest
import torch
from torch.nn.functional import conv2d

from nowcast.models.cell import CellState, ConvLSTMCell
from nowcast.models.encoder_forecaster import EncoderForecaster, NetworkConfig


def randomised(cell: ConvLSTMCell) -> ConvLSTMCell:
    torch.manual_seed(0)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return cell


def test_one_step_is_equation_3_gate_by_gate() -> None:
    cell = randomised(ConvLSTMCell(2, 3, 3, 5))
    x, h, c = (torch.randn(1, channels, 6, 7) for channels in (2, 3, 3))
    assert cell.input_to_state is not None
    wxi, wxf, wxc, wxo = cell.input_to_state.weight.split(3)
    whi, whf, whc, who = cell.state_to_state.weight.split(3)
    assert cell.state_to_state.bias is not None
    bi, bf, bc, bo = cell.state_to_state.bias.split(3)
    wci, wcf, wco = cell.peephole
    i = torch.sigmoid(conv2d(x, wxi, padding=1) + conv2d(h, whi, bi, padding=2) + wci * c)
    f = torch.sigmoid(conv2d(x, wxf, padding=1) + conv2d(h, whf, bf, padding=2) + wcf * c)
    memory = f * c + i * torch.tanh(conv2d(x, wxc, padding=1) + conv2d(h, whc, bc, padding=2))
    o = torch.sigmoid(conv2d(x, wxo, padding=1) + conv2d(h, who, bo, padding=2) + wco * memory)
    stepped = cell(x, CellState(h, c))
    torch.testing.assert_close(stepped.memory, memory)
    torch.testing.assert_close(stepped.hidden, o * torch.tanh(memory))


def test_with_all_weights_zero_half_the_memory_is_kept() -> None:
    cell = ConvLSTMCell(1, 1, 1, 1)
    for parameter in cell.parameters():
        torch.nn.init.zeros_(parameter)
    one = torch.ones(1, 1, 1, 1)
    stepped = cell(one, CellState(one, one))
    assert stepped.memory.item() == 0.5
    assert stepped.hidden.item() == pytest.approx(0.5 * torch.tanh(torch.tensor(0.5)).item())


def test_the_state_lives_where_the_input_does() -> None:
    cell = ConvLSTMCell(1, 2, 3, 3).double()
    state = cell.zero_state(torch.zeros(3, 1, 4, 5, dtype=torch.float64))
    assert state.memory.dtype == torch.float64
    assert state.hidden.shape == (3, 2, 4, 5)


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="not 4"):
        ConvLSTMCell(1, 1, 4, 3)


def test_gradients_of_the_cell_are_right() -> None:
    cell = randomised(ConvLSTMCell(1, 2, 3, 3)).double()
    inputs = [torch.randn(1, n, 3, 3, dtype=torch.float64, requires_grad=True) for n in (1, 2, 2)]
    assert torch.autograd.gradcheck(lambda x, h, c: cell(x, CellState(h, c)), inputs)


def test_gradients_of_the_whole_network_are_right() -> None:
    torch.manual_seed(0)
    network = EncoderForecaster(NetworkConfig(1, 1, (2, 2), 3, 3)).double()
    frames = torch.randn(1, 2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    parameters = tuple(network.parameters())
    assert torch.autograd.gradcheck(lambda f, *_: network(f, 2), (frames, *parameters))
