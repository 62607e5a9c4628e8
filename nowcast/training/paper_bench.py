"""Training the networks of table 1 of Shi et al. 2015 (arXiv:1506.04214) on Moving-MNIST, in as many parts as wanted.

Needs torch and numpy only. A training is a file: where one call of `train` stops, the next one goes on.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nowcast.models.paper import PaperModel
from nowcast.training.moving_mnist import MovingMNIST
from nowcast.training.paper_loss import cross_entropy, patches, score

SAVE_EVERY_S = 240.0


@dataclass(frozen=True)
class Recipe:
    """How a network learns, the same in every part of a training; the paper's values.

    RMSProp with `learning_rate` and `decay` on batches of `batch` sequences, the gradient of the cross-entropy per
    sequence clipped to the norm `clip`. Every `validate_every` steps (a pass over 10,000 sequences) the loss on
    `validated` sequences is taken; training is over when `patience` of these in a row bring no improvement.
    """

    batch: int = 16
    learning_rate: float = 1e-3
    decay: float = 0.9
    clip: float = 5_000.0
    validate_every: int = 625
    validated: int = 2_000
    patience: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batch", "validate_every", "validated", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


class Point(NamedTuple):
    """A point of the learning curve; losses are cross-entropies per sequence, the first since the last point."""

    step: int
    sequences: int
    minutes: float
    train_loss: float
    validation_loss: float


Report = Callable[[int, float, Point | None], None]
"""Called with (step, loss, the newest point of the learning curve) after every step."""


class PaperTrainer:
    """A network in training with everything that is needed to go on exactly where it stopped.

    `bf16` computes the network, but not the loss, in bfloat16.
    """

    def __init__(
        self,
        model: PaperModel,
        learned: MovingMNIST,
        validation: MovingMNIST,
        recipe: Recipe,
        device: str = "cpu",
        bf16: bool = False,
    ) -> None:
        self.model, self.recipe, self.device, self.bf16 = model.to(device), recipe, device, bf16
        self.learned, self.validation = learned, validation
        self.optimiser = torch.optim.RMSprop(model.parameters(), recipe.learning_rate, alpha=recipe.decay)
        self.step, self.seconds = 0, 0.0
        self.curve: list[Point] = []
        self.since_point: list[float] = []
        self.best = _copied(model)

    @property
    def sequences(self) -> int:
        """Sequences seen, those seen twice counted twice."""
        return self.step * self.recipe.batch

    @property
    def is_over(self) -> bool:
        """Whether the validation loss has stopped falling."""
        losses = [point.validation_loss for point in self.curve]
        return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= self.recipe.patience

    def descend(self) -> float:
        """One step, and a point of the curve when it is time; its loss. FloatingPointError when it is not finite."""
        began = time.monotonic()
        chosen = order(self.learned.count, self.sequences, self.recipe)
        loss = cross_entropy(self.model, patches(self.learned.sequences(chosen), self.device), self.bf16)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"training diverged at step {self.step}: loss {value}")
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.step += 1
        self.since_point.append(value)
        if self.step % self.recipe.validate_every == 0:
            self._validate(self.seconds + time.monotonic() - began)
        self.seconds += time.monotonic() - began
        return value

    def save(self, path: Path) -> None:
        """Everything `load` needs, replaced as a whole."""
        state = {name: getattr(self, name).state_dict() for name in ("model", "optimiser")}
        state |= {"best": self.best, "step": self.step, "seconds": self.seconds, "since_point": self.since_point}
        state |= {"curve": [tuple(point) for point in self.curve], "recipe": asdict(self.recipe)}
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".partial")
        torch.save(state, fresh)
        fresh.replace(path)

    def load(self, path: Path) -> None:
        """Go on from where `save` was called, by the same steps as if never interrupted.

        Raises ValueError, naming the file, when that training learned by another recipe.
        """
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(f"{path} was trained with {state['recipe']}, not {asdict(self.recipe)}")
        for name in ("model", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.curve = [Point(*values) for values in state["curve"]]
        self.best, self.step, self.seconds = state["best"], state["step"], state["seconds"]
        self.since_point = state["since_point"]

    def use_best(self) -> None:
        """Give the model the weights with the lowest validation loss; while there is none, it keeps its own."""
        if self.curve:
            self.model.load_state_dict(self.best)

    def _validate(self, seconds: float) -> None:
        loss = score(self.model, self.validation, self.recipe.validated, self.device, self.bf16)
        if not self.curve or loss < min(point.validation_loss for point in self.curve):
            self.best = _copied(self.model)
        mean = float(np.mean(self.since_point))
        self.curve.append(Point(self.step, self.sequences, seconds / 60.0, mean, loss))
        self.since_point = []


def train(trainer: PaperTrainer, minutes: float, steps: int | None, keep: Path, report: Report) -> None:
    """Train for so many more minutes or steps, whichever is less, or until the validation loss has stopped falling.

    The state is in the file `keep` now and then and at the end; training goes on from it when it is there.
    FloatingPointError when it diverges.
    """
    if keep.exists():
        trainer.load(keep)
    began = saved = time.monotonic()
    last = math.inf if steps is None else trainer.step + steps
    while time.monotonic() < began + 60.0 * minutes and trainer.step < last and not trainer.is_over:
        loss = trainer.descend()
        report(trainer.step, loss, trainer.curve[-1] if trainer.curve else None)
        if time.monotonic() > saved + SAVE_EVERY_S:
            trainer.save(keep)
            saved = time.monotonic()
    trainer.save(keep)


def order(count: int, seen: int, recipe: Recipe) -> NDArray[np.intp]:
    """Indices of the batch after `seen` sequences: every pass over `count` sequences has its own random order."""
    turns = range(seen // count, (seen + recipe.batch - 1) // count + 1)
    passes = {turn: np.random.default_rng((recipe.seed, turn)).permutation(count) for turn in turns}
    return np.array([passes[place // count][place % count] for place in range(seen, seen + recipe.batch)])


def _copied(model: PaperModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
