"""Logits turned into chances that come true as often as they say.

Platt's logistic regression (1999, Advances in Large Margin Classifiers) for each rate; slope and offset change with the
logarithm of the lead time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from nowcast.models.exceedance import RATES, falling

USUAL_MINUTES = 30.0
MOST = 15.0
"""Logits beyond this say no more."""

RIDGE = 0.05
"""Pull of slope and offset towards 1 and 0, beside the mean loss per event pixel."""

LONGEST = 90.0
"""Minutes beyond which slope and offset stay as they are: longer leads have been seen at few radars."""

Line = tuple[float, float]
"""Value at USUAL_MINUTES and its growth per factor e of lead time."""


@dataclass(frozen=True)
class Calibration:
    """Slope and offset per rate of RATES."""

    slope: tuple[Line, ...] = ((1.0, 0.0),) * len(RATES)
    offset: tuple[Line, ...] = ((0.0, 0.0),) * len(RATES)

    def __post_init__(self) -> None:
        if not len(self.slope) == len(self.offset) == len(RATES):
            raise ValueError(f"{len(self.slope)} slopes and {len(self.offset)} offsets for {len(RATES)} rates")

    def calibrated(self, margins: Tensor, minutes: float) -> Tensor:
        """Margins (b, k, y, x) after so many minutes, falling along k."""
        slope, offset = (
            margins.new_tensor([_at(line, minutes) for line in lines])[:, None, None]
            for lines in (self.slope, self.offset)
        )
        return falling(slope * margins.clamp(-MOST, MOST) + offset)


class Sample(NamedTuple):
    """Margins (n, k), lead time [min] (n,), observed rain rate [mm h-1] (n,) and weight (n,) of n pixels."""

    margins: Tensor
    minutes: Tensor
    observed: Tensor
    weight: Tensor


def fitted(samples: Sequence[Sample]) -> Calibration:
    """The calibration that makes the observed likeliest, every sample counting the same."""
    parts = [sample._replace(weight=sample.weight / sample.weight.sum() / len(samples)) for sample in samples]
    sample = Sample(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
    lines = [_fitted(sample, k) for k in range(len(RATES))]
    return Calibration(tuple(slope for slope, _ in lines), tuple(offset for _, offset in lines))


def _fitted(sample: Sample, k: int) -> tuple[Line, Line]:
    margins, growth = sample.margins[:, k].clamp(-MOST, MOST), _growth(sample.minutes)
    reached = (sample.observed >= RATES[k]).to(margins.dtype)
    events = (sample.weight * reached).sum().clamp(min=1e-6)
    apart = torch.zeros(4, requires_grad=True)
    optimiser = torch.optim.LBFGS([apart], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = (1 + apart[0] + apart[1] * growth) * margins + apart[2] + apart[3] * growth
        wrong = binary_cross_entropy_with_logits(logits, reached, sample.weight, reduction="sum")
        total: Tensor = wrong / events + RIDGE * apart.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    a, b, c, d = apart.tolist()
    return (1 + a, b), (c, d)


def _at(line: Line, minutes: float) -> float:
    return line[0] + line[1] * float(_growth(torch.tensor(minutes)))


def _growth(minutes: Tensor) -> Tensor:
    return torch.log(minutes.clamp(max=LONGEST) / USUAL_MINUTES)
