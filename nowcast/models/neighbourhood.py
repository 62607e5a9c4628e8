"""Probability from a single forecast: how much of the surroundings is over the threshold.

Theis, Hense and Damrath 2005 (Meteorol. Appl. 12); Schwartz and Sobash 2017 (Mon. Wea. Rev. 145). The radius grows with
lead time, as the forecast's position error does.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from nowcast.core.types import FloatField
from nowcast.models.motion import blur

REDUCTION = 4
"""The neighbourhood is summed on a grid this much coarser."""

NEAR_KM = 2.0
GROWTH_KM_PER_HOUR = 15.0


def radius_km(lead_time: timedelta) -> float:
    """Standard deviation of the Gaussian neighbourhood."""
    return NEAR_KM + GROWTH_KM_PER_HOUR * (lead_time / timedelta(hours=1))


@torch.inference_mode()
def exceedance(
    rain_rate: FloatField, lead_times: Sequence[timedelta], thresholds: Sequence[float], spacing_km: float
) -> Mapping[float, FloatField]:
    """P(rain rate >= threshold) per threshold, (lead_time, y, x), NaN where `rain_rate` is."""
    fields = torch.from_numpy(rain_rate)
    missing = fields.isnan()
    weights = (~missing).float()
    chances: dict[float, FloatField] = {}
    for threshold in thresholds:
        over = (fields >= threshold).float()
        leads = [
            _share(o, w, radius_km(lead) / spacing_km) for o, w, lead in zip(over, weights, lead_times, strict=True)
        ]
        chances[threshold] = torch.stack(leads).masked_fill_(missing, torch.nan).numpy()
    return chances


def _share(over: Tensor, weight: Tensor, radius: float) -> Tensor:
    """Weighted mean of `over` (y, x) within about `radius` pixels."""
    both = torch.stack([over, weight])[None]
    coarse = avg_pool2d(both, REDUCTION, ceil_mode=True, count_include_pad=False)
    over_mean, weight_mean = blur(coarse, max(radius / REDUCTION, 0.5))[0]
    share = (over_mean / weight_mean.clamp(min=1e-6))[None, None].clamp(0.0, 1.0)
    return interpolate(share, size=over.shape, mode="bilinear", align_corners=False)[0, 0]
