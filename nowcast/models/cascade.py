"""The field split by scale, and how long each scale lives in this rain: the predictable part of each pixel.

S-PROG (Seed 2003, J. Appl. Meteor. 42; Pulkkinen et al. 2019, Geosci. Model Dev. 12) on Gaussian scales: every scale
follows an autoregressive model of order 2 in Lagrangian coordinates, fitted on the last three frames.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nowcast.models.motion import blur

SCALES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Standard deviations [pixels] of the Gaussians between which the field is split."""


def means(field: Tensor, coverage: Tensor, scales: Sequence[float] = SCALES) -> Tensor:
    """Gaussian means of `field` (b, 1, y, x) over the covered pixels around, (b, scale, y, x)."""
    return torch.cat([covered_mean(field, coverage, scale) for scale in scales], dim=1)


def bands(field: Tensor, smooth: Tensor) -> Tensor:
    """What lies between neighbouring scales, (b, scale + 1, y, x); they add up to `field`."""
    ladder = torch.cat([field, smooth], dim=1)
    return torch.cat([ladder[:, :-1] - ladder[:, 1:], ladder[:, -1:]], dim=1)


def autoregression(now: Tensor, before: Tensor, earlier: Tensor, coverage: Tensor) -> Tensor:
    """Yule-Walker coefficients (b, 2, scale, 1, 1) from the bands of three frames, each moved to where the rain is now.

    The second correlation is kept where the process is stationary, as pysteps does.
    """
    first = correlation(now, before, coverage).clamp(0.0, 0.9999)
    second = correlation(now, earlier, coverage)
    second = torch.maximum(second, 2 * first**2 - 0.9999).clamp(-0.9999, 0.9999)
    rest = 1 - first**2
    return torch.stack([first * (1 - second) / rest, (second - first**2) / rest], dim=1)


def propagated(now: Tensor, before: Tensor, coefficients: Tensor) -> Iterator[Tensor]:
    """The fields (b, 1, y, x) at lead 1, 2, ... in Lagrangian coordinates: small scales fade, the mean stays."""
    keep, drop = coefficients.unbind(1)
    mean = torch.zeros_like(now)
    mean[:, -1] = now[:, -1].mean(dim=(-2, -1), keepdim=True)
    both = torch.cat([now - mean, before - mean], dim=1)
    weights = (torch.ones_like(keep), torch.zeros_like(keep)), (torch.zeros_like(keep), torch.ones_like(keep))
    (now_0, before_0), (now_1, before_1) = weights
    while True:
        now_0, now_1 = keep * now_0 + drop * now_1, now_0
        before_0, before_1 = keep * before_0 + drop * before_1, before_0
        yield torch.einsum("bkyx,bk->byx", both, torch.cat([now_0, before_0], dim=1)[..., 0, 0])[:, None] + mean[:, -1:]


def covered_mean(fields: Tensor, coverage: Tensor, sigma: float) -> Tensor:
    """Gaussian mean over the covered pixels, (b, c, y, x)."""
    both = blur(torch.cat([fields * coverage, coverage], dim=1), sigma)
    return both[:, :-1] / both[:, -1:].clamp(min=1e-3)


def correlation(one: Tensor, other: Tensor, coverage: Tensor) -> Tensor:
    """Over the covered pixels, (b, scale, 1, 1); zero where there is nothing."""

    def mean(v: Tensor) -> Tensor:
        return (v * coverage).sum(dim=(-2, -1), keepdim=True) / coverage.sum(dim=(-2, -1), keepdim=True).clamp(min=1.0)

    one, other = one - mean(one), other - mean(other)
    return mean(one * other) / (mean(one * one) * mean(other * other)).clamp(min=1e-20).sqrt()
