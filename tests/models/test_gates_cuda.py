"""The kernels of a card compute what the lines for a CPU do, in double precision, forwards and backwards."""

import pytest
import torch
from torch import Tensor

from nowcast.models.encoder_forecaster import EncoderForecaster, NetworkConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


def gradients(network: EncoderForecaster, frames: Tensor, rough: bool = False) -> list[Tensor]:
    """Outputs, and the gradients of all weights."""
    network.zero_grad()
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=rough):
        outputs = network(frames, 3)
    (outputs.float() if rough else outputs).square().sum().backward()
    found = (parameter.grad for parameter in network.parameters())
    return [outputs.detach().clone(), *(gradient.clone() for gradient in found if gradient is not None)]


@pytest.mark.parametrize(("hidden", "kernel"), [((128, 64, 64), 5), ((24, 40), 3)])
@pytest.mark.parametrize(("rough", "most"), [(False, 1e-5), (True, 2e-2)])
def test_outputs_and_gradients(
    hidden: tuple[int, ...], kernel: int, rough: bool, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    network = EncoderForecaster(NetworkConfig(16, 16, hidden, kernel, kernel)).double()
    for cell in (*network.encoder, *network.forecaster):
        torch.nn.init.normal_(cell.peephole, std=0.3)
    frames = torch.rand(3, 4, 16, 9, 11, dtype=torch.float64)
    wanted = gradients(network, frames)
    got = gradients(network.float().cuda(), frames.float().cuda(), rough)
    for value, true in zip(got, wanted, strict=True):
        assert (value.cpu().double() - true).norm() <= most * true.norm()
