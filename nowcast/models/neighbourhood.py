"""Probability from a single forecast: how much of the surroundings is over a rate.

Theis, Hense and Damrath 2005 (Meteorol. Appl. 12); Schwartz and Sobash 2017 (Mon. Wea. Rev. 145). The radius grows with
lead time, as the forecast's position error does. Rain that is forecast may be some decibels more or less: each value of
the surroundings is dressed with an error (Roulston and Smith 2003, Tellus A 55).
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from nowcast.core.types import FloatField, Sampling
from nowcast.models.calibration import MOST
from nowcast.models.exceedance import RATES, falling
from nowcast.models.motion import blur
from nowcast.models.outlook import Outlook

REDUCTION = 4
"""The neighbourhood is summed on a grid this much coarser."""

ERROR_DB = 1.0
"""Scale of the logistic error of each value in decibels."""

_NEPERS = ERROR_DB * math.log(10.0) / 10.0
SHIFT_DB = 10.0 * math.log10(math.sin(math.pi * _NEPERS) / (math.pi * _NEPERS))
"""By which the error is off zero, so that the mean rain rate stays."""

LEAST = 1e-8
"""Chances below it are beyond MOST; the logarithm of zero takes thirty times as long as that of any other number."""

NEAR_KM = 2.0
GROWTH_KM_PER_HOUR = 15.0


def radius_km(minutes: float) -> float:
    """Standard deviation of the Gaussian neighbourhood after a lead time."""
    return NEAR_KM + GROWTH_KM_PER_HOUR * minutes / 60.0


def outlooks(rain_rates: Iterator[FloatField], sampling: Sampling) -> Iterator[Outlook]:
    """Forecasts (y, x) at lead 1, 2, ... with the chances that their surroundings give."""
    for lead, rain_rate in enumerate(rain_rates, 1):
        yield Outlook(rain_rate, margins(rain_rate, lead * sampling.minutes, sampling.spacing_km))


@torch.inference_mode()
def margins(rain_rate: FloatField, minutes: float, spacing_km: float) -> Tensor:
    """Logits of reaching each of RATES, (1, k, y, x), from a forecast (y, x) [mm h-1], NaN where there is none."""
    field = torch.from_numpy(rain_rate)
    known = (~field.isnan()).float()
    decibels = 10.0 * torch.log10(field.clamp(min=1e-6)) + SHIFT_DB
    over = torch.stack([torch.sigmoid((decibels - 10.0 * math.log10(rate)) / ERROR_DB) for rate in RATES])
    over = over.where(field > 0, 0.0)
    shares = _shares(over, known, radius_km(minutes) / spacing_km)
    return falling(torch.logit(shares.clamp(min=LEAST)).clamp(-MOST, MOST)[None])


def _shares(over: Tensor, weight: Tensor, radius: float) -> Tensor:
    """Weighted means of `over` (k, y, x) within about `radius` pixels."""
    both = torch.cat([over, weight[None]])[None]
    coarse = avg_pool2d(both, REDUCTION, ceil_mode=True, count_include_pad=False)
    means = blur(coarse, max(radius / REDUCTION, 0.5))
    share = (means[:, :-1] / means[:, -1:].clamp(min=1e-6)).clamp(0.0, 1.0)
    return interpolate(share, size=over.shape[-2:], mode="bilinear", align_corners=False)[0]
