"""A forecast that says how sure it is: the rain rate that stands for it, and the distribution behind it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from nowcast.core.types import FloatField
from nowcast.models import distribution
from nowcast.models.coarse import parted
from nowcast.models.track import Track

Window = tuple[slice, slice]
"""Rows and columns with explicit bounds."""

State = TypeVar("State", contravariant=True)


@dataclass(frozen=True, eq=False)
class Outlook:
    """One lead: `rain_rate` [mm h-1] (y, x), NaN where no forecast is possible, and `margins` (1, k, y, x) in blocks of
    `block` pixels a side: logits of reaching each of RATES. Whatever is asked of it is NaN where `rain_rate` is."""

    rain_rate: FloatField
    margins: Tensor
    block: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.rain_rate.shape[0], self.rain_rate.shape[1]

    def crop(self, window: Window) -> "Outlook":
        """The same of a part of the grid that begins and ends where blocks do, see `whole_blocks`."""
        return Outlook(self.rain_rate[window].copy(), self.margins[(..., *in_blocks(window, self.block))], self.block)

    @torch.inference_mode()
    def chance(self, threshold: float) -> FloatField:
        """P(rain rate >= threshold [mm h-1]), (y, x)."""
        return self._whole(distribution.chance(self.margins, threshold)[0])

    @torch.inference_mode()
    def quantile(self, share: float) -> FloatField:
        """The rain rate [mm h-1] that is not exceeded with a chance of `share`, (y, x)."""
        return self._whole(distribution.quantile(self.margins, share)[0])

    @torch.inference_mode()
    def members(self, normal: Tensor) -> FloatField:
        """Rain rates [mm h-1] (member, y, x) from standard normal fields (member, y, x) in blocks."""
        return self._whole(distribution.drawn(self.margins, normal))

    def _whole(self, blocks: Tensor) -> FloatField:
        """Of one field or several, (..., y, x)."""
        field = parted(blocks.cpu().numpy(), self.block, self.shape)
        np.copyto(field, np.float32(np.nan), where=~np.isfinite(self.rain_rate))
        return field


@runtime_checkable
class Uncertain(Protocol[State]):
    """A Nowcaster whose forecasts say how sure they are, and that knows the motion its errors move along."""

    def outlook(self, state: State) -> Iterator[Outlook]:
        """The forecast at lead 1, 2, 3, ... without end."""
        ...

    def track(self, state: State) -> Track:
        """Recent frames in blocks, and the flow that the forecast moves along."""
        ...


def whole_blocks(window: Window, block: int, shape: tuple[int, int]) -> Window:
    """The smallest part of a grid of `shape` that holds a window and begins and ends where blocks do."""
    rows, cols = (
        slice(part.start // block * block, min(side, -(-part.stop // block) * block))
        for part, side in zip(window, shape, strict=True)
    )
    return rows, cols


def in_blocks(window: Window, block: int) -> Window:
    """The blocks of such a part."""
    rows, cols = (slice(part.start // block, -(-part.stop // block)) for part in window)
    return rows, cols
