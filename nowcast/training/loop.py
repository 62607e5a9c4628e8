"""Gradient descent on windows, in plain torch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.training.loss import rain_loss
from nowcast.training.windows import Sampler, Window, WindowConfig

Report = Callable[[int, float, float], None]
"""Called with (step, share of the minutes or steps used, loss) after every step."""


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what windows, until the minutes or the steps, if any, are used up."""

    model: RainModelConfig = field(default_factory=RainModelConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    minutes: float = 60.0
    steps: int | None = None
    batch: int = 4
    learning_rate: float = 2e-3
    seed: int = 0
    device: str = "cpu"


def train(sampler: Sampler, config: TrainConfig, report: Report) -> tuple[RainModel, int]:
    """A model trained as long as configured, and the number of steps; FloatingPointError when it diverges."""
    torch.manual_seed(config.seed)
    model = RainModel(config.model).to(config.device)
    optimiser = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=1e-4)
    start, used, step = time.monotonic(), 0.0, 0
    while used < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, used)
        loss = _descend(model, optimiser, sampler.batch(config.batch), config)
        step += 1
        used = max((time.monotonic() - start) / (60.0 * config.minutes), step / config.steps if config.steps else 0.0)
        report(step, min(used, 1.0), loss)
    return model.to("cpu").eval(), step


def unroll(model: RainModel, window: Window, leads: int) -> tuple[Tensor, Tensor]:
    """(field, coverage), both (b, leads, 1, y, x), forecast from the window's input frames."""
    state = model.start(window.field[:, 0])
    for t in range(window.inputs):
        state = model.observe(state, window.field[:, t], window.coverage[:, t], window.flow[:, t])
    outputs = [output for _, output in zip(range(leads), model.forecast(state), strict=False)]
    fields, coverages = zip(*outputs, strict=True)
    return torch.stack(fields, dim=1), torch.stack(coverages, dim=1)


def _descend(model: RainModel, optimiser: torch.optim.Optimizer, window: Window, config: TrainConfig) -> float:
    field, coverage, flow = (t.to(config.device) for t in (window.field, window.coverage, window.flow))
    window = Window(field, coverage, flow, window.inputs)
    leads = config.windows.leads
    forecast, forecast_coverage = unroll(model, window, leads)
    future = slice(window.inputs, window.inputs + leads)
    loss = rain_loss(forecast, window.field[:, future], window.coverage[:, future] * forecast_coverage)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    value = float(loss.detach())
    if not math.isfinite(value):
        raise FloatingPointError(f"training diverged: loss {value}")
    return value


def _schedule(step: int, used: float) -> float:
    """Linear warm-up over 100 steps, then a cosine down to a hundredth over what is allowed."""
    return min(1.0, (step + 1) / 100) * (0.01 + 0.99 * (1 + math.cos(math.pi * min(used, 1.0))) / 2)
