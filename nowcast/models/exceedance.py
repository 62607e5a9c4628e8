"""A forecast as the chance of exceeding each of a few rain rates, and the one rain rate that stands for it.

A margin is how far a chance is above the one that counts as "yes", in logits: (b, k, y, x), k = len(RATES), falling
along k. Where margin i is positive the forecast field is at least RATES[i].
"""

from itertools import accumulate, pairwise

import torch
from torch import Tensor

from nowcast.models.transform import normalise

RATES = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)
"""mm h-1, ascending."""

BEYOND = 1.5
"""The field may exceed the last rate by half of the last interval, which it reaches in dB."""

AREA_GROWTH = 0.2
"""How much more area than was observed a forecast shows after an hour. The less certain the place, the more hits does a
little too much rain gain for its false alarms."""

SAMPLE = 200_000
"""Pixels that are enough to find the bar from."""


def levels() -> Tensor:
    """The rates as normalised fields, (k, 1, 1)."""
    return normalise(torch.tensor(RATES))[:, None, None]


def falling(margins: Tensor) -> Tensor:
    """The same margins, none above those of a lower rate."""
    return torch.stack(list(accumulate(margins.unbind(1), torch.minimum)), dim=1)


def area(minutes: float) -> float:
    """Forecast over observed area after so many minutes."""
    return 1.0 + AREA_GROWTH * min(minutes / 60.0, 1.0)


def matched(margins: Tensor, field: Tensor, coverage: Tensor, area: float) -> Tensor:
    """Margins whose sign gives each rate the area that `field` (b, 1, y, x) has above it, times `area`.

    Which pixels are likeliest comes from the margins, how many from what was observed: probability matching (Ebert
    2001, Mon. Wea. Rev. 129). Only covered pixels count; of a large grid a regular sample of them.
    """
    cuts = [_cuts(*member, area) for member in zip(margins, field, coverage > 0, strict=True)]
    return falling(margins - torch.stack(cuts)[:, :, None, None])


def _cuts(margins: Tensor, field: Tensor, covered: Tensor, area: float) -> Tensor:
    """One bar per rate (k,) from margins (k, y, x), field and covered (1, y, x)."""
    places = covered.flatten().nonzero()[:, 0]
    places = places[:: max(1, len(places) // SAMPLE)]
    known, ranked = field.flatten()[places], margins.flatten(1)[:, places]
    bars = []
    for level, values in zip(levels().to(field).flatten(), ranked, strict=True):
        count = min(round(area * int((known >= level).sum())), len(values))
        bars.append(values.kthvalue(len(values) + 1 - count).values if count else margins.new_tensor(torch.inf))
    return torch.stack(bars).clamp(max=1e4)


def field_from(margins: Tensor) -> Tensor:
    """The normalised field (b, 1, y, x) at which the margin crosses zero, linear between the rates; 0 where dry."""
    rates = levels().flatten().tolist()
    field = torch.full_like(margins[:, :1], rates[0])
    for k, (low, high) in enumerate(pairwise(rates)):
        here, next_up = margins[:, k : k + 1], margins[:, k + 1 : k + 2]
        limit = BEYOND if high == rates[-1] else 1.0
        field = field + (high - low) * (here / (here - next_up).clamp(min=1e-6)).clamp(0.0, limit)
    return torch.where(margins[:, :1] >= 0, field, torch.zeros_like(field))
