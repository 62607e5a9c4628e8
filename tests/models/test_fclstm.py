"""The FC-LSTM is an LSTM with peepholes, of the paper's size, stepped like the ConvLSTM."""

from itertools import islice

import pytest
import torch
from torch import Tensor

from nowcast.models.cell import ConvLSTMCell
from nowcast.models.fclstm import FCLSTM, FCLSTMConfig
from nowcast.models.paper import paper_model, paper_parameter_counts

CONFIG = FCLSTMConfig((2, 1, 3), (4, 5))


def network() -> FCLSTM:
    torch.manual_seed(0)
    model = FCLSTM(CONFIG).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def graves_step(cell: ConvLSTMCell, x: Tensor | None, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Equations 7 to 11 of Graves 2013 on vectors, with the cell's weights as matrices."""
    gates = h @ cell.state_to_state.weight[..., 0, 0].T + cell.state_to_state.bias
    if x is not None:
        gates = gates + x @ cell.input_to_state.weight[..., 0, 0].T
    i, f, candidate, o = gates.chunk(4, dim=1)
    peep_i, peep_f, peep_o = cell.peephole[..., 0, 0]
    after = torch.sigmoid(f + peep_f * c) * c + torch.sigmoid(i + peep_i * c) * torch.tanh(candidate)
    return torch.sigmoid(o + peep_o * after) * torch.tanh(after), after


@torch.no_grad()
def test_equals_the_equations_on_vectors() -> None:
    model, frames = network(), torch.randn(2, 3, 2, 1, 3).double()
    states = [(torch.zeros(2, units).double(),) * 2 for units in CONFIG.hidden]
    for x in frames.flatten(2).unbind(1):
        for k, cell in enumerate(model.network.encoder):
            states[k] = graves_step(cell, x, *states[k])
            x = states[k][0]
    expected = []
    for _ in range(2):
        x = None
        for k, cell in enumerate(model.network.forecaster):
            states[k] = graves_step(cell, x, *states[k])
            x = states[k][0]
        expected.append(x @ model.network.output.weight[..., 0, 0].T + model.network.output.bias)
    torch.testing.assert_close(model(frames, 2).flatten(2), torch.stack(expected, dim=1), rtol=0, atol=1e-12)


def test_stepping_equals_the_window_at_once() -> None:
    model, frames = network(), torch.randn(2, 3, 2, 1, 3).double()
    states = model.zero_states(frames[:, 0])
    for frame in frames.unbind(1):
        states = model.encode(frame, states)
    for _ in range(2):
        stepped = torch.stack(list(islice(model.forecast(states), 4)), dim=1)
        assert torch.equal(stepped, model(frames, 4)), "the states are left as they are"


def test_has_the_papers_number_of_parameters() -> None:
    assert paper_parameter_counts()["fc-lstm-2048-2048"] == 142_667_776


def test_a_small_one_counts_as_the_docstring_says() -> None:
    first, second, forecaster = 16 * (6 + 4) + 16 + 12, 20 * (4 + 5) + 20 + 15, 16 * 4 + 16 + 12
    output = 5 * 6 + 6
    assert sum(p.numel() for p in network().parameters()) == first + second + forecaster + second + output


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(2, 1, 3\) \(c, h, w\), not \(2, 3, 1\)"):
        network()(torch.zeros(1, 3, 2, 3, 1).double(), 2)
    with pytest.raises(ValueError, match=r"positive sizes \(c, h, w\), not \(2, 0, 3\)"):
        FCLSTMConfig((2, 0, 3), (4,))


def test_unknown_networks_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="must be one of .*fc-lstm-2048-2048, not gru"):
        paper_model("gru")
