"""Logits turned into chances that come true as often as they say.

Logistic regression (Platt 1999, Advances in Large Margin Classifiers) for each rate, on the logit and on how much more
of the scene was observed above the rate than is forecast on average; all change with the logarithm of the lead time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from nowcast.models.exceedance import RATES, falling, levels

USUAL_MINUTES = 30.0
MOST = 15.0
"""Logits beyond this say no more."""

LEAST_SHARE = 1e-4
"""Added to shares of the scene before they are compared: below this they are chance."""

RIDGE = 0.1
"""Pull towards the chances as they are, beside the mean loss per event pixel: few events teach little."""

LONGEST = 90.0
"""Minutes beyond which nothing changes any more: longer leads have been seen at few radars."""

Line = tuple[float, float]
"""Value at USUAL_MINUTES and its growth per factor e of lead time."""


@dataclass(frozen=True)
class Calibration:
    """Per rate of RATES the slope on the logit, the offset, and the weight of the scene; as it is, nothing changes."""

    slope: tuple[Line, ...] = ((1.0, 0.0),) * len(RATES)
    offset: tuple[Line, ...] = ((0.0, 0.0),) * len(RATES)
    scene: tuple[Line, ...] = ((0.0, 0.0),) * len(RATES)

    def __post_init__(self) -> None:
        counts = len(self.slope), len(self.offset), len(self.scene)
        if set(counts) != {len(RATES)}:
            raise ValueError("{} slopes, {} offsets and {} scene weights".format(*counts) + f" for {len(RATES)} rates")

    def calibrated(self, margins: Tensor, minutes: float, observed: Tensor) -> Tensor:
        """Margins (b, k, y, x) after so many minutes, falling along k; `observed` (k,) as of `shares`."""
        growth = float(_growth(torch.tensor(minutes)))
        slope, offset, scene = (
            margins.new_tensor([at + growth * rise for at, rise in lines])[:, None, None]
            for lines in (self.slope, self.offset, self.scene)
        )
        excess = scene_excess(observed, torch.sigmoid(margins).mean(dim=(0, 2, 3)))[:, None, None]
        return falling(slope * margins.clamp(-MOST, MOST) + offset + scene * excess)

    def of(self, sample: "Sample") -> Tensor:
        """The calibrated margins (n, k) of a sample."""
        growth, margins = _growth(sample.minutes)[:, None], sample.margins.clamp(-MOST, MOST)
        lines = (sample.margins.new_tensor(each).T for each in (self.slope, self.offset, self.scene))
        slope, offset, scene = (at + growth * rise for at, rise in lines)
        return falling(slope * margins + offset + scene * sample.excess)


class Sample(NamedTuple):
    """Margins and `scene_excess` (n, k), lead time [min], observed rain rate [mm h-1] and weight, all (n,)."""

    margins: Tensor
    minutes: Tensor
    excess: Tensor
    observed: Tensor
    weight: Tensor


def shares(field: Tensor, coverage: Tensor) -> Tensor:
    """Share of the covered pixels at or above each of RATES, (k,), of a normalised field (1, 1, y, x)."""
    over = (field >= levels().to(field)) * coverage
    return over.sum(dim=(0, 2, 3)) / coverage.sum().clamp(min=1.0)


def scene_excess(observed: Tensor, forecast: Tensor) -> Tensor:
    """How much more of the scene was observed above each rate than is forecast on average, as a logarithm."""
    return torch.log((observed + LEAST_SHARE) / (forecast + LEAST_SHARE))


class Losses(NamedTuple):
    """Mean squared error of the chances and mean negative log likelihood, each per rate of RATES, (k,)."""

    brier: Tensor
    log_loss: Tensor


def losses(calibration: Calibration, sample: Sample) -> Losses:
    """How far the calibrated chances of a sample are from what was observed."""
    margins = calibration.of(sample)
    reached = (sample.observed[:, None] >= margins.new_tensor(RATES)).to(margins)
    weight = (sample.weight / sample.weight.sum())[:, None]
    wrong = binary_cross_entropy_with_logits(margins, reached, reduction="none")
    return Losses((weight * (torch.sigmoid(margins) - reached).square()).sum(dim=0), (weight * wrong).sum(dim=0))


def fitted(samples: Sequence[Sample], ridge: float = RIDGE) -> Calibration:
    """The calibration that makes the observed likeliest, every sample counting the same."""
    parts = [sample._replace(weight=sample.weight / sample.weight.sum() / len(samples)) for sample in samples]
    sample = Sample(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
    slope, offset, scene = zip(*(_fitted(sample, k, ridge) for k in range(len(RATES))), strict=True)
    return Calibration(slope, offset, scene)


def _fitted(sample: Sample, k: int, ridge: float) -> tuple[Line, Line, Line]:
    margins, excess, growth = sample.margins[:, k].clamp(-MOST, MOST), sample.excess[:, k], _growth(sample.minutes)
    terms = torch.stack([margins, growth * margins, torch.ones_like(growth), growth, excess, growth * excess])
    reached = (sample.observed >= RATES[k]).to(margins.dtype)
    events = (sample.weight * reached).sum().clamp(min=1e-6)
    apart = torch.zeros(len(terms), requires_grad=True)
    optimiser = torch.optim.LBFGS([apart], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        wrong = binary_cross_entropy_with_logits(margins + apart @ terms, reached, sample.weight, reduction="sum")
        total: Tensor = wrong / events + ridge * apart.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    a, b, c, d, e, f = apart.tolist()
    return (1 + a, b), (c, d), (e, f)


def _growth(minutes: Tensor) -> Tensor:
    return torch.log(minutes.clamp(max=LONGEST) / USUAL_MINUTES)
