"""The port's numbers, the port's names, and none of its faults."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from nowcast.models.seed_cell import ConvLSTM, ConvLSTMCell


def front(hidden: list[int], step: int = 1, effective_step: tuple[int, ...] = (0,)) -> ConvLSTM:
    """A float64 stack over 2 channels on a 3 x 4 grid, with weights and peepholes drawn at random."""
    torch.manual_seed(0)
    made = ConvLSTM(2, hidden, 3, step, effective_step, shape=(3, 4)).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def port_step(weights: Mapping[str, Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One step of the port, written out."""

    def gate(name: str) -> Tensor:
        of_input = conv2d(x, weights[f"Wx{name}.weight"], weights[f"Wx{name}.bias"], padding=1)
        return of_input + conv2d(h, weights[f"Wh{name}.weight"], None, padding=1)

    ci = torch.sigmoid(gate("i") + c * weights["Wci"])
    cf = torch.sigmoid(gate("f") + c * weights["Wcf"])
    cc = cf * c + ci * torch.tanh(gate("c"))
    co = torch.sigmoid(gate("o") + cc * weights["Wco"])
    return co * torch.tanh(cc), cc


def port(model: ConvLSTM, frame: Tensor) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
    """The port's stack over a frame, from the state dict of `model` alone."""
    layers: dict[str, dict[str, Tensor]] = {}
    for key, value in model.state_dict().items():
        layer, _, name = key.partition(".")
        layers.setdefault(layer, {})[name] = value
    states = {
        layer: (torch.zeros(len(frame), *weights["Wci"].shape[1:]).double(),) * 2 for layer, weights in layers.items()
    }
    outputs = []
    for step in range(model.step):
        x = frame
        for layer in sorted(layers):
            states[layer] = port_step(layers[layer], x, *states[layer])
            x = states[layer][0]
        if step in model.effective_step:
            outputs.append(x)
    return outputs, (x, states[max(layers)][1])


@pytest.mark.parametrize("hidden", [[4], [3, 5, 2]])
def test_equals_the_port(hidden: list[int]) -> None:
    model, frame = front(hidden, step=4, effective_step=(1, 3)), torch.randn(2, 2, 3, 4).double()
    outputs, (x, new_c) = model(frame)
    expected, (last, memory) = port(model, frame)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close((x, new_c), (last, memory), rtol=0, atol=1e-6)
    assert len(outputs) == 2
    assert outputs[0].shape == (2, hidden[-1], 3, 4)


def test_a_cell_of_one_number_can_be_reckoned() -> None:
    cell = ConvLSTMCell(1, 1, 1, shape=(1, 1))
    for parameter in cell.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.constant_(cell.Wcf, 100.0)
    hidden, memory = cell(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 2.0))
    assert memory.item() == 2.0, "a forget gate held open by its peephole keeps the memory"
    assert hidden.item() == pytest.approx(0.5 * torch.tanh(torch.tensor(2.0)).item())


def test_names_are_the_ports() -> None:
    convolutions = {f"W{source}{gate}.weight" for source in "xh" for gate in "ifco"} | {
        f"Wx{gate}.bias" for gate in "ifco"
    }
    names = convolutions | {"Wci", "Wcf", "Wco"}
    assert set(front([1, 1]).state_dict()) == {f"cell{k}.{name}" for k in (0, 1) for name in names}


def test_peepholes_are_parameters_from_the_start() -> None:
    cell = ConvLSTMCell(2, 3, 3, shape=(4, 5)).to("meta", torch.float64)
    found = dict(cell.named_parameters())
    for name in ("Wci", "Wcf", "Wco"):
        assert found[name].shape == (1, 3, 4, 5)
        assert (found[name].device.type, found[name].dtype) == ("meta", torch.float64)


def test_one_step_of_descent_moves_every_peephole() -> None:
    model = front([3], step=2, effective_step=(1,))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(torch.randn(1, 2, 3, 4).double())[0][0].sum().backward()
    torch.optim.SGD(model.parameters(), 1.0).step()
    for name in ("cell0.Wci", "cell0.Wcf", "cell0.Wco"):
        assert (model.state_dict()[name] != before[name]).all()


def test_a_checkpoint_loads_with_its_peepholes() -> None:
    saved, loaded = front([3, 2]), ConvLSTM(2, [3, 2], 3, 1, [0], shape=(3, 4)).double()
    loaded.load_state_dict(saved.state_dict())
    frame = torch.randn(1, 2, 3, 4).double()
    assert torch.equal(loaded(frame)[0][0], saved(frame)[0][0])


def test_a_checkpoint_without_peepholes_loads_as_zero_ones() -> None:
    model = front([3, 2])
    bare = {name: value for name, value in model.state_dict().items() if "Wc" not in name}
    model.load_state_dict(bare)
    assert len(bare) == 24
    for name, value in model.state_dict().items():
        assert ("Wc" in name) == (not value.any())


def test_peepholes_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cell0\.Wc. is \(1, 3, 3, 4\), this module's is \(1, 3, 6, 4\)"):
        ConvLSTM(2, [3], 3, shape=(6, 4)).load_state_dict(front([3]).state_dict())


def test_a_checkpoint_that_lost_one_peephole_is_refused() -> None:
    saved = front([3]).state_dict()
    del saved["cell0.Wcf"]
    with pytest.raises(RuntimeError, match=r"Missing key.*cell0\.Wcf"):
        front([3]).load_state_dict(saved)


@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (1, 2, 3, 8), (1, 3, 3, 4)])
def test_a_frame_of_another_size_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"built for \(2, 3, 4\)"):
        front([3])(torch.zeros(shape).double())


def test_wrong_sizes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="odd, not 4"):
        ConvLSTMCell(1, 1, 4, shape=(2, 2))
    with pytest.raises(ValueError, match=r"at least 1, not 1, 1 and \(0, 2\)"):
        ConvLSTMCell(1, 1, 3, shape=(0, 2))
    with pytest.raises(ValueError, match=r"step 0 and layers \[1\]"):
        ConvLSTM(1, [1], 3, step=0, shape=(2, 2))


def test_gradients_of_the_cell() -> None:
    cell, tensors = front([2]).cell0, [torch.randn(1, 2, 3, 4).double().requires_grad_() for _ in range(3)]
    assert torch.autograd.gradcheck(cell, tensors)
    names = [name for name, _ in cell.named_parameters()]

    def of_weights(*values: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.func.functional_call(cell, dict(zip(names, values, strict=True)), tuple(tensors)))

    assert torch.autograd.gradcheck(of_weights, tuple(cell.parameters()), fast_mode=True)


def test_gradients_of_the_front() -> None:
    model = front([2, 1], step=2, effective_step=(0, 1))
    frame = torch.randn(1, 2, 3, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: (*model(v)[0], *model(v)[1]), (frame,))
