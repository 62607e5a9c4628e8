"""What a rain model is trained to make small. Fields are normalised; masks say where a comparison is fair."""

import torch
from torch import Tensor

from nowcast.models.transform import SPAN_DB, normalise

THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""mm h-1 at which occurrence is scored."""

SHARPNESS_DB = 1.0
"""Width of the soft step at a threshold."""


def threshold_loss(forecast: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """1 - CSI with a soft forecast step, mean over thresholds and leads; all (b, t, 1, y, x).

    Hits and unions are summed over the batch before the ratio, as scores are.
    """
    losses = []
    for threshold in THRESHOLDS:
        level = normalise(torch.tensor(threshold))
        chance = torch.sigmoid((forecast - level) * (SPAN_DB / SHARPNESS_DB)) * mask
        event = (observed >= level).to(forecast.dtype) * mask
        hits = (chance * event).sum(dim=(0, 2, 3, 4))
        union = (chance + event - chance * event).sum(dim=(0, 2, 3, 4))
        losses.append(1.0 - (hits + 1.0) / (union + 1.0))
    return torch.stack(losses).mean()


def balanced_error(forecast: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error that counts heavier rain more, as the B-MAE of Shi et al. 2017 but on the dB scale."""
    weight = mask * (0.2 + observed)
    return (weight * (forecast - observed).abs()).sum() / weight.sum().clamp(min=1.0)


def rain_loss(forecast: Tensor, observed: Tensor, mask: Tensor) -> Tensor:
    """The sum that models are trained on."""
    return threshold_loss(forecast, observed, mask) + 4.0 * balanced_error(forecast, observed, mask)
