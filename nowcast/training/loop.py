"""Gradient descent on windows, in plain torch: the same with one process or many, and after an interruption."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.training.loss import LOSSES
from nowcast.training.windows import Sampler, Window, WindowConfig

Report = Callable[[int, float, float], None]
"""Called with (step, share of the minutes or steps used, loss) after every step."""

Wrap = Callable[[nn.Module], nn.Module]
"""What makes a module share its gradients with other processes."""

WARM_UP = 100
"""Steps."""


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what windows, until the minutes or the steps, if any, are used up.

    `average` is how much of the running mean of the weights survives a step; that mean is the model that comes out.
    `init` is a checkpoint whose weights are started from.
    """

    model: RainModelConfig = field(default_factory=RainModelConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    loss: str = "ordinal"
    minutes: float = 60.0
    steps: int | None = None
    batch: int = 2
    learning_rate: float = 2e-3
    average: float = 0.99
    seed: int = 0
    device: str = "cpu"
    init: Path | None = None


class Unrolled(nn.Module):
    """A rain model over a whole window, as a module that takes tensors in and gives tensors out."""

    def __init__(self, model: RainModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, window: Window) -> tuple[Tensor, Tensor]:
        """Margins (b, leads, k, y, x) and coverage (b, leads, 1, y, x) at the window's leads."""
        state = self.model.start(window.field[:, 0], window.sampling)
        for t in range(window.inputs):
            state = self.model.observe(state, window.field[:, t], window.coverage[:, t], window.flow[:, t])
        margins, coverage = zip(*self.model.margins(state, window.leads, window.pixels), strict=True)
        return torch.stack(margins, dim=1), torch.stack(coverage, dim=1)


class Trainer:
    """A model in training with everything that is needed to go on exactly where it stopped."""

    def __init__(self, sampler: Sampler, config: TrainConfig, wrap: Wrap | None = None) -> None:
        torch.manual_seed(config.seed)
        self.sampler, self.config = sampler, config
        self.model = initial(config).to(config.device)
        unrolled = Unrolled(self.model)
        self.unrolled = wrap(unrolled) if wrap else unrolled
        self.optimiser = torch.optim.AdamW(self.model.parameters(), config.learning_rate, weight_decay=1e-4)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.step, self.seconds = 0, 0.0

    @property
    def used(self) -> float:
        """Share of the minutes or the steps used, whichever is more."""
        steps = self.step / self.config.steps if self.config.steps else 0.0
        return min(1.0, max(self.seconds / (60.0 * self.config.minutes), steps))

    def descend(self) -> float:
        """One step; its loss. FloatingPointError, naming the windows, when it is not finite."""
        began = time.monotonic()
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(self.step, self.used)
        window = self.sampler.batch(self.config.batch).on(self.config.device)
        loss = self._loss(window)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"training diverged at step {self.step}: loss {value} on {window.origin}")
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self._remember()
        self.step += 1
        self.seconds += time.monotonic() - began
        return value

    def averaged(self) -> RainModel:
        """The model with the running mean of the weights, on the CPU."""
        model = RainModel(self.config.model)
        model.load_state_dict(self.average)
        return model.eval()

    def save(self, path: Path) -> None:
        """Everything `load` needs, replaced as a whole."""
        state = {name: getattr(self, name).state_dict() for name in ("model", "optimiser")}
        state |= {"average": self.average, "step": self.step, "seconds": self.seconds}
        state |= {"windows": self.sampler.state(), "random": torch.get_rng_state()}
        fresh = path.with_suffix(".partial")
        torch.save(state, fresh)
        fresh.replace(path)

    def load(self, path: Path) -> None:
        """Go on from where `save` was called, by the same steps as if never interrupted."""
        state: dict[str, Any] = torch.load(path, map_location=self.config.device, weights_only=False)
        for name in ("model", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        self.sampler.restore(state["windows"])
        torch.set_rng_state(state["random"].cpu())

    def _loss(self, window: Window) -> Tensor:
        with torch.autocast(self.config.device, torch.bfloat16, enabled=self.config.device.startswith("cuda")):
            margins, coverage = self.unrolled(window)
        observed, covered = window.truth()
        return LOSSES[self.config.loss](margins.float(), observed, covered * coverage)

    @torch.no_grad()
    def _remember(self) -> None:
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1 - keep)


def train(sampler: Sampler, config: TrainConfig, report: Report, keep: Path | None = None) -> tuple[RainModel, int]:
    """A model trained as long as configured, and the number of steps; FloatingPointError when it diverges.

    With `keep`, a file, the state is saved there now and then, and training goes on from it when it is there.
    """
    trainer = Trainer(sampler, config)
    if keep is not None and keep.exists():
        trainer.load(keep)
    for step, loss in descents(trainer):
        report(step, trainer.used, loss)
        if keep is not None and (step % SAVE_EVERY == 0 or trainer.used >= 1.0):
            trainer.save(keep)
    return trainer.averaged(), trainer.step


def descents(trainer: Trainer) -> Iterator[tuple[int, float]]:
    """(step, loss) until the minutes or steps are used up."""
    for _ in count():
        if trainer.used >= 1.0:
            return
        loss = trainer.descend()
        yield trainer.step, loss


def initial(config: TrainConfig) -> RainModel:
    """A new model, or that of `init`; ValueError when that has another architecture."""
    model = RainModel(config.model)
    if config.init is not None:
        start = load_checkpoint(config.init).model
        if start.config != config.model:
            raise ValueError(f"{config.init} is a {start.config}, wanted is {config.model}")
        model.load_state_dict(start.state_dict())
    return model


SAVE_EVERY = 100
"""Steps."""


def _schedule(step: int, used: float) -> float:
    """Linear warm-up, then a cosine down to a hundredth over what is allowed."""
    return min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * (1 + math.cos(math.pi * min(used, 1.0))) / 2)
