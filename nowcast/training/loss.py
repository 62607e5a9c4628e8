"""What a rain model is trained to make small. Masks say where a comparison is fair."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

from nowcast.models.exceedance import RATES, field_from, levels
from nowcast.models.transform import denormalise

RATE_WEIGHTS = (1.0, 1.2, 1.5, 2.0, 3.0, 6.0, 10.0, 20.0, 30.0)
"""Weight of each rate of `RATES`: events at a high rate are few."""

BALANCE = ((0.5, 1.0), (2.0, 2.0), (5.0, 5.0), (10.0, 10.0), (30.0, 30.0))
"""Observed rain at or above the first number [mm h-1] weighs the second; 1 below (Shi et al. 2017, section 4)."""

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(margins (b, t, k, y, x), observed normalised field, mask; both (b, t, 1, y, x)) -> a number."""


def ordinal(margins: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """Negative log likelihood of exceeding each rate or not, rates weighed; a proper score of the chances."""
    exceeded = (observed >= levels().to(observed)).to(margins.dtype)
    weight = mask * margins.new_tensor(RATE_WEIGHTS)[:, None, None]
    return _mean(binary_cross_entropy_with_logits(margins, exceeded, reduction="none"), weight, mask)


def mae(margins: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error of the normalised field."""
    return _mean(l1_loss(_field(margins), observed, reduction="none"), mask, mask)


def mse(margins: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of the normalised field."""
    return _mean(mse_loss(_field(margins), observed, reduction="none"), mask, mask)


def balanced_mae(margins: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """B-MAE of Shi et al. 2017 [mm h-1]."""
    error = (denormalise(_field(margins)) - denormalise(observed)).abs()
    return _mean(error, mask * _balance(observed), mask)


def balanced_mse(margins: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """B-MSE of Shi et al. 2017 [mm2 h-2]."""
    error = (denormalise(_field(margins)) - denormalise(observed)) ** 2
    return _mean(error, mask * _balance(observed), mask)


def fourier(margins: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """Amplitude and correlation of the spectra (Yan et al. 2024, FACL): a sharp field is not punished for that."""
    forecast, truth = (torch.fft.rfft2(v * mask, norm="ortho") for v in (_field(margins), observed))
    amplitude = ((forecast.abs() - truth.abs()) ** 2).mean()
    product = (forecast * truth.conj()).real.sum(dim=(-2, -1))
    power = forecast.abs().square().sum(dim=(-2, -1)) * truth.abs().square().sum(dim=(-2, -1))
    apart: Tensor = amplitude + (1.0 - product / (power + 1e-8).sqrt()).mean()
    return apart


LOSSES: dict[str, Loss] = {
    "ordinal": ordinal,
    "mae": mae,
    "mse": mse,
    "balanced-mae": balanced_mae,
    "balanced-mse": balanced_mse,
    "fourier": fourier,
}


def _field(margins: Tensor) -> Tensor:
    return field_from(margins.flatten(0, 1)).reshape(*margins.shape[:2], 1, *margins.shape[-2:])


def _balance(observed: Tensor) -> Tensor:
    rain_rate = denormalise(observed)
    weight = torch.ones_like(rain_rate)
    for rate, value in BALANCE:
        weight = torch.where(rain_rate >= rate, value, weight)
    return weight


def _mean(error: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    return (error * weight).sum() / mask.sum().clamp(min=1.0)


assert len(RATE_WEIGHTS) == len(RATES)
