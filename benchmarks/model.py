"""The encoder-forecaster against the common PyTorch port: inference, training steps, a rolling cycle."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice

import torch
from measure import Row, faster, show
from port import Port
from torch import Tensor, nn

from nowcast.models.encoder_forecaster import EncoderForecaster, NetworkConfig


@dataclass(frozen=True)
class Case:
    """A network and what it is run on: (h, w) after patching."""

    name: str
    channels: int
    hidden: tuple[int, ...]
    kernel: int
    batch: int
    shape: tuple[int, int]
    seen: int
    leads: int

    def ours(self) -> EncoderForecaster:
        return EncoderForecaster(NetworkConfig(self.channels, self.channels, self.hidden, self.kernel, self.kernel))

    def port(self) -> Port:
        return Port(self.channels, self.hidden, self.kernel)

    def frames(self, count: int, device: str) -> Tensor:
        return torch.rand(self.batch, count, self.channels, *self.shape, device=device)


SMALL = Case("2 layers of 64, 3x3, 5 -> 15, 50x50x4, batch 4", 4, (64, 64), 3, 4, (50, 50), 5, 15)
MNIST = Case("Moving-MNIST 128-64-64, 5x5, 10 -> 10, batch 4", 16, (128, 64, 64), 5, 4, (16, 16), 10, 10)
ROLLING = Case(
    "rolling cycle 760x1226, patch 4, 2 layers of 64, 1 + 12 steps against 4 -> 12",
    16,
    (64, 64),
    3,
    1,
    (190, 307),
    4,
    12,
)


def rows(device: str = "cpu", rounds: int = 5) -> Iterator[Row]:
    """Each figure in float32, where ours differs by its order of work alone, and with bfloat16 convolutions."""
    for kind in (torch.bfloat16, torch.float32):
        yield inference(SMALL, device, kind, 3.5, rounds)
        yield training(SMALL, device, kind, 3.0, rounds)
        yield training(MNIST, device, kind, 2.5, rounds)
        yield rolling(ROLLING, device, kind, 5.0, rounds)


def inference(case: Case, device: str, kind: torch.dtype, goal: float, rounds: int) -> Row:
    ours, port, frames = case.ours().to(device).eval(), case.port().to(device).eval(), case.frames(case.seen, device)
    name = f"inference, {case.name}, {_told(device, kind)}"
    return faster(
        name,
        _work(lambda: ours(frames, case.leads), kind, device),
        _work(lambda: port(frames, case.leads), None, device),
        goal,
        rounds,
    )


def training(case: Case, device: str, kind: torch.dtype, goal: float, rounds: int) -> Row:
    frames, wanted = case.frames(case.seen, device), case.frames(case.leads, device)
    ours, port = (_descent(model.to(device), frames, wanted) for model in (case.ours(), case.port()))
    name = f"training step, {case.name}, {_told(device, kind)}"
    return faster(name, _work(ours, kind, device, True), _work(port, None, device, True), goal, rounds)


def rolling(case: Case, device: str, kind: torch.dtype, goal: float, rounds: int) -> Row:
    """Ours has the state of the scans before; the port has nothing but the window."""
    ours, port, frames = case.ours().to(device).eval(), case.port().to(device).eval(), case.frames(case.seen, device)
    state = ours.zero_states(frames[:, 0])

    def cycle() -> list[Tensor]:
        return list(islice(ours.forecast(ours.encode(frames[:, -1], state)), case.leads))

    return faster(
        f"{case.name}, {_told(device, kind)}",
        _work(cycle, kind, device),
        _work(lambda: port(frames, case.leads), None, device),
        goal,
        rounds,
    )


def _descent(model: nn.Module, frames: Tensor, wanted: Tensor) -> Callable[[], None]:
    optimiser = torch.optim.RMSprop(model.parameters(), 1e-3)

    def step() -> None:
        loss = (model(frames, wanted.shape[1]).float() - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def _work(
    work: Callable[[], object], kind: torch.dtype | None, device: str, learning: bool = False
) -> Callable[[], None]:
    """The work, waited for, with convolutions in `kind`; gradients are kept when learning."""

    def done() -> None:
        with torch.set_grad_enabled(learning), _cast(kind, device):
            work()
        if device == "cuda":
            torch.cuda.synchronize()

    return done


def _cast(kind: torch.dtype | None, device: str) -> AbstractContextManager[object]:
    return torch.autocast(device, torch.bfloat16, enabled=kind == torch.bfloat16)


def _told(device: str, kind: torch.dtype) -> str:
    place = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    return f"ours in {str(kind).removeprefix('torch.')}, {place}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    for row in rows(given.device, given.rounds):
        show([row])
