"""What may fall at a pixel: a distribution of the rain rate, written as margins.

Margins are here logits of reaching each of RATES. Between two rates the margin is linear in dB; beyond the last it goes
on as between the last two, up to BEYOND. Below the first rate it is dry.
"""

import math

import torch
from torch import Tensor

from nowcast.models.exceedance import BEYOND, field_from, levels
from nowcast.models.transform import denormalise, normalise

RAREST = 14.9
"""Logits beyond which nothing is drawn, a little less than those of margins that mean never: dry stays dry."""

AT_ONCE = 16384
"""Wet pixels drawn together: as many as a core's cache holds."""


def chance(margins: Tensor, threshold: float) -> Tensor:
    """P(rain rate >= threshold [mm h-1]), (b, y, x); below the lowest rate that of the lowest rate."""
    known = levels().flatten().tolist()
    wanted = float(normalise(torch.tensor(threshold)))
    above = next((k for k, level in enumerate(known) if level >= wanted), len(known) - 1)
    if above == 0:
        return torch.sigmoid(margins[:, 0])
    share = (wanted - known[above - 1]) / (known[above] - known[above - 1])
    return torch.sigmoid(torch.lerp(margins[:, above - 1], margins[:, above], share))


def quantile(margins: Tensor, share: float) -> Tensor:
    """Rain rates [mm h-1] (b, y, x) that are not exceeded with a chance of `share`; ValueError unless 0 < share < 1."""
    if not 0 < share < 1:
        raise ValueError(f"a quantile must lie between 0 and 1, not at {share}")
    return denormalise(field_from(margins - math.log((1 - share) / share)))[:, 0]


def drawn(margins: Tensor, normal: Tensor) -> Tensor:
    """Rain rates [mm h-1] (m, y, x) of members: those at which the chance of not exceeding is that of `normal`.

    `margins` are (1, k, y, x), `normal` (m, y, x) standard normal at every pixel: a Gaussian copula, whose correlations
    in space and time become the members' (Schefzik et al. 2013, Stat. Sci. 28).
    """
    known, normals = margins[0].flatten(1).T.contiguous(), normal.flatten(1)
    least = wet_from(known[:, 0])
    fields = torch.zeros_like(normals)
    for field, z in zip(fields, normals, strict=True):
        for wet in (z >= least).nonzero()[:, 0].split(AT_ONCE):
            field.index_copy_(0, wet, denormalise(_crossing(known, wet, odds(z.index_select(0, wet)))))
    return fields.reshape(normal.shape)


def odds(z: Tensor) -> Tensor:
    """Logits of a standard normal's chance of being below `z`, at most RAREST from zero."""
    rarer = torch.erfc(z.abs() * math.sqrt(0.5)) / 2
    return torch.copysign(torch.logit(rarer), z).clamp(-RAREST, RAREST)


def wet_from(margin: Tensor) -> Tensor:
    """The least standard normal value of a member in which a pixel with this margin of the lowest rate is wet."""
    rarer = torch.sigmoid(-margin.abs())
    least: Tensor = torch.special.ndtri(rarer) * margin.sign()
    return least.masked_fill(margin < -RAREST, torch.inf).masked_fill(margin > RAREST, -torch.inf)


def _crossing(known: Tensor, pixels: Tensor, added: Tensor) -> Tensor:
    """The normalised fields (n,) at which margins, `known` (pixel, k) at some `pixels` (n,) with `added`, cross zero.

    As `field_from`, but the interval is searched for, and is the only one that is looked into.
    """
    count = known.shape[1]
    margins, first = known.flatten(), pixels * count
    at = first
    for step in (4, 2, 1):
        at = at + step * (margins.index_select(0, at + step) + added >= 0)
    here, next_up = margins.index_select(0, at) + added, margins.index_select(0, at + 1) + added
    low = at - first
    limit = torch.where(low == count - 2, BEYOND, 1.0)
    share = (here / (here - next_up).clamp(min=1e-6)).clamp(min=0.0).minimum(limit)
    rates = levels().to(known).flatten()
    return torch.lerp(rates.index_select(0, low), rates.index_select(0, low + 1), share)
