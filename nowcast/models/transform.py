"""Between rain rates and the numbers a network works on."""

import torch
from torch import Tensor

FLOOR_DB = -15.0
"""10 log10(mm h-1) of the lowest rain a network sees: about 0.03 mm h-1, as in pysteps."""

SPAN_DB = 40.0
"""Decibels that one unit of a normalised field stands for."""


def normalise(rain_rate: Tensor) -> Tensor:
    """mm h-1, any shape, to 0 (dry) and upwards, 1 at 25 dB = 316 mm h-1; NaN becomes 0."""
    decibels = 10.0 * torch.log10(rain_rate.clamp(min=1e-6))
    return ((decibels - FLOOR_DB) / SPAN_DB).clamp(min=0.0).nan_to_num(0.0)


def denormalise(field: Tensor) -> Tensor:
    """Inverse of `normalise`: mm h-1, exactly 0 where the field is 0."""
    rain_rate = torch.pow(10.0, (field * SPAN_DB + FLOOR_DB) / 10.0)
    return torch.where(field > 0, rain_rate, torch.zeros_like(rain_rate))
