"""A first fit of the pixel network alone, on pixels drawn from many windows.

A pixel costs a thousandth of what it costs within a whole window, so the network learns far more in the same time. The
context is zero here, as it is before the ConvLSTM has learned anything.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nowcast.models import cascade
from nowcast.models.motion import advect_covered
from nowcast.models.rain_model import PREDICTORS, RainModel, RainState, horizon, predictors
from nowcast.training.loss import ordinal
from nowcast.training.windows import Sampler, Window, encoded

NEAR_RAIN = 2 + cascade.SCALES.index(16.0)
"""Predictor that is above `DRY` where it rains within some tens of pixels."""

DRY = 0.004
DRY_SHARE = 0.05
"""Of the pixels drawn, far from any rain: they say little."""


@dataclass(frozen=True)
class PixelConfig:
    """Windows to draw from, pixels per window and lead; steps of the fit, pixels per step, highest learning rate."""

    windows: int = 1500
    pixels: int = 2000
    steps: int = 3000
    batch: int = 8192
    learning_rate: float = 3e-3


class Pool(NamedTuple):
    """Predictors (n, PREDICTORS), horizon (n, 3) and observed field (n, 1) of n pixels."""

    predictors: Tensor
    horizon: Tensor
    observed: Tensor


def fit_pixels(model: RainModel, sampler: Sampler, config: PixelConfig, report: Callable[[float, float], None]) -> None:
    """Fit the pixel network of `model` in place; `report` gets the share done and the loss."""
    drawn = []
    for k in range(config.windows):
        drawn += list(draw(model, sampler.batch(1), config.pixels))
        report(0.9 * (k + 1) / config.windows, 0.0)
    pool = Pool(*(torch.cat(parts) for parts in zip(*drawn, strict=True)))
    optimiser = torch.optim.AdamW(model.pixels.parameters(), config.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, config.steps, pct_start=0.1)
    for step in range(config.steps):
        loss = _loss(model, pool, torch.randint(len(pool.observed), (config.batch,)))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        report(0.9 + 0.1 * (step + 1) / config.steps, float(loss.detach()))


@torch.no_grad()
def draw(model: RainModel, window: Window, count: int) -> Iterator[Pool]:
    """At most `count` covered pixels of each scored lead of a window, most of them near rain; half precision."""
    state = encoded(model, window)
    for lead, known, displacement in predictors(state):
        if lead in window.leads:
            yield _drawn(state, window, lead, *advect_covered(known, state.coverage, displacement), count)
        if lead == window.leads[-1]:
            return


def _drawn(state: RainState, window: Window, lead: int, moved: Tensor, coverage: Tensor, count: int) -> Pool:
    t = window.inputs + lead - 1
    covered = (coverage * window.coverage[:, t])[0, 0] > 0
    near = (moved[0, NEAR_RAIN] > DRY) | (window.field[0, t, 0] > 0) | (torch.rand(covered.shape) < DRY_SHARE)
    found = (covered & near).flatten().nonzero()[:, 0]
    found = found[torch.randperm(len(found))[:count]]
    chosen = moved[0].flatten(1)[:, found].T
    told = torch.tensor(horizon(lead, state.sampling)).expand(len(found), 3)
    return Pool(chosen.half(), told, window.field[0, t].flatten()[found, None].half())


def _loss(model: RainModel, pool: Pool, chosen: Tensor) -> Tensor:
    known, told, observed = (part[chosen].float() for part in pool)
    assert known.shape[1] == PREDICTORS
    context = known.new_zeros(len(known), model.config.context, 1, 1)
    margins = model.pixels(known[..., None, None], context, told)
    truth = observed[:, None, :, None, None]
    return ordinal(margins[:, None], truth, torch.ones_like(truth))
