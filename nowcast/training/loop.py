"""Gradient descent on windows, in plain torch: the same with one process or many, and after an interruption."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.training.loss import LOSSES
from nowcast.training.pixels import PixelConfig
from nowcast.training.windows import Sampler, Window, WindowConfig, encoded


@dataclass(frozen=True)
class Progress:
    """A step that was made: its number from 1, the share of the minutes or steps used by then, its loss and learning
    rate, the norm of its gradient before clipping, and windows per second."""

    step: int
    used: float
    loss: float
    learning_rate: float
    gradient_norm: float
    windows_per_s: float


Report = Callable[[Progress], None]
"""Called after every step."""

Wrap = Callable[[nn.Module], nn.Module]
"""What makes a module share its gradients with other processes."""

WARM_UP = 100
"""Steps."""


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what windows, until the minutes or the steps, if any, are used up.

    `average` is how much of the running mean of the weights survives a step; that mean is the model that comes out.
    `pixels` is how the pixel network is fitted first, and `trust` how much of what was learned is kept in the end (see
    RainModel.drawn_back); both are for whoever trains from the start, not for one `Trainer`.
    `init` is a checkpoint whose weights are started from. `bf16` runs the model in bfloat16; on CUDA alone when None.
    ValueError for a loss that is not in LOSSES, and for a batch, minutes, steps or learning rate that is not positive.
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
    pixels: PixelConfig | None = None
    trust: float = 1.0
    bf16: bool | None = None

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss {self.loss!r} is none of {', '.join(LOSSES)}")
        for name in ("batch", "minutes", "steps", "learning_rate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, not {value}")
        if not 0 <= self.trust <= 1:
            raise ValueError(f"trust must be from 0 to 1, not {self.trust}")


class Unrolled(nn.Module):
    """A rain model over a whole window, as a module that takes tensors in and gives tensors out."""

    def __init__(self, model: RainModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, window: Window) -> tuple[Tensor, Tensor]:
        """Margins (b, leads, k, y, x) and coverage (b, leads, 1, y, x) at the window's leads."""
        state = encoded(self.model, window)
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

    def descend(self) -> Progress:
        """One step. FloatingPointError, naming the windows, when its loss is not finite."""
        began = time.monotonic()
        rate = self.config.learning_rate * _schedule(self.step, self.used)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        window = self.sampler.batch(self.config.batch).on(self.config.device)
        loss = self._loss(window)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"training diverged at step {self.step}: loss {value} on {window.origin}")
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self.optimiser.step()
        self._remember()
        self.step += 1
        taken = time.monotonic() - began
        self.seconds += taken
        return Progress(self.step, self.used, value, rate, norm, self.config.batch / taken)

    def averaged(self) -> RainModel:
        """The model with the running mean of the weights, on the CPU."""
        return _with(self.average, self.config)

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
        state: dict[str, Any] = torch.load(path, map_location=self.config.device, weights_only=True)
        for name in ("model", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        self.sampler.restore(state["windows"])
        torch.set_rng_state(state["random"].cpu())

    def _loss(self, window: Window) -> Tensor:
        kind = torch.device(self.config.device).type
        wanted = kind == "cuda" if self.config.bf16 is None else self.config.bf16
        with torch.autocast(kind, torch.bfloat16, enabled=wanted):
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
    for progress in descents(trainer):
        report(progress)
        if keep is not None and (trainer.step % SAVE_EVERY == 0 or trainer.used >= 1.0):
            trainer.save(keep)
    return trainer.averaged(), trainer.step


def descents(trainer: Trainer) -> Iterator[Progress]:
    """Steps until the minutes or steps are used up."""
    while trainer.used < 1.0:
        yield trainer.descend()


def averaged(path: Path, config: TrainConfig) -> tuple[RainModel, int]:
    """The model with the running mean of the weights, and the number of steps, of a state that a trainer saved."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return _with(state["average"], config), state["step"]


def initial(config: TrainConfig) -> RainModel:
    """A new model, or that of `init`; ValueError when that has another architecture."""
    model = RainModel(config.model)
    if config.init is not None:
        start = load_checkpoint(config.init).model
        if start.config != config.model:
            raise ValueError(f"{config.init} is a {start.config}, wanted is {config.model}")
        model.load_state_dict(start.state_dict())
    return model


def _with(weights: Mapping[str, Tensor], config: TrainConfig) -> RainModel:
    model = RainModel(config.model)
    model.load_state_dict(weights)
    return model.eval()


SAVE_EVERY = 100
"""Steps."""


def _schedule(step: int, used: float) -> float:
    """Linear warm-up, then a cosine down to a hundredth over what is allowed."""
    return min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * (1 + math.cos(math.pi * min(used, 1.0))) / 2)
