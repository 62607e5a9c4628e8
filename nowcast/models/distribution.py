"""What may fall at a pixel: a distribution of the rain rate, written as margins.

Margins are here logits of reaching each of RATES. Between two rates the margin is linear in dB; beyond the last it goes
on as between the last two, up to BEYOND. Below the first rate it is dry.
"""

import math

import torch
from torch import Tensor

from nowcast.models.exceedance import field_from, levels
from nowcast.models.transform import denormalise, normalise

RAREST = 14.9
"""Logits beyond which nothing is drawn, a little less than those of margins that mean never: dry stays dry."""

AT_ONCE = 4096
"""Pixels of all members drawn together: as many as a core's cache holds."""


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
    known, normals = margins.flatten(2)[..., None], normal.flatten(1).T
    fields = torch.empty_like(normals)
    for first in range(0, len(normals), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        z = normals[some]
        odds = (torch.special.log_ndtr(z) - torch.special.log_ndtr(-z)).clamp(-RAREST, RAREST)
        fields[some] = denormalise(field_from(known[:, :, some] + odds))[0, 0]
    return fields.T.reshape(normal.shape)
