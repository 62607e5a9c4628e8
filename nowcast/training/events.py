"""Rain events to learn from: uninterrupted runs of frames with their motion, at several cadences and pixel sizes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from nowcast.core.scan import Frames
from nowcast.core.types import BoolField, FloatField, Sampling
from nowcast.models.motion import optical_flow, steadied
from nowcast.models.track import HISTORY
from nowcast.models.transform import normalise

FLOW_REDUCTION = 4
"""Motion is kept on a grid this much coarser."""

WET = 0.1
"""mm h-1."""


@dataclass(frozen=True, eq=False)
class Event:
    """An uninterrupted run of frames: rain rate [mm h-1] and coverage (t, y, x), flow (t, 2, y / 4, x / 4)."""

    name: str
    rain_rate: FloatField
    coverage: BoolField
    flow: NDArray[np.float16]
    sampling: Sampling

    @property
    def wetness(self) -> float:
        """Share of all pixels in which it rains."""
        return float((self.rain_rate >= WET).mean())


def event(name: str, frames: Frames) -> Event:
    """An event with the motion at each of its frames; about half a second per frame on a CPU."""
    return _with_motion(name, np.nan_to_num(frames.rain_rate), frames.coverage, frames.sampling)


def variants(one: Event, fewest: int) -> Iterator[Event]:
    """The event as a radar with other habits would have seen it: fewer frames, larger pixels.

    Variants that keep fewer than `fewest` frames are left out.
    """
    minutes, spacing = one.sampling
    for every, size in ((2, 1), (1, 2), (3, 2)):
        if len(one.rain_rate[::every]) >= fewest:
            rain_rate, coverage = enlarged(one.rain_rate[::every], one.coverage[::every], size)
            sampling = Sampling(minutes * every, spacing * size)
            yield _with_motion(f"{one.name} every {every} by {size}", rain_rate, coverage, sampling)


def enlarged(rain_rate: FloatField, coverage: BoolField, size: int) -> tuple[FloatField, BoolField]:
    """Means over `size` x `size` pixels (t, y, x), covered where all of them are; what is left over is cut off."""
    if size == 1:
        return rain_rate, coverage
    height, width = (side // size for side in rain_rate.shape[1:])
    shape = (len(rain_rate), height, size, width, size)
    trimmed = (slice(None), slice(height * size), slice(width * size))
    means: FloatField = rain_rate[trimmed].reshape(shape).mean(axis=(2, 4))
    covered: BoolField = np.all(coverage[trimmed].reshape(shape), axis=(2, 4))
    return means, covered


def _with_motion(name: str, rain_rate: FloatField, coverage: BoolField, sampling: Sampling) -> Event:
    fields, covered = normalise(torch.from_numpy(rain_rate)), torch.from_numpy(coverage)
    flows = [_flow_at(fields, covered, t) for t in range(len(rain_rate))]
    return Event(name, rain_rate, coverage, np.stack(flows), sampling)


def _flow_at(fields: torch.Tensor, coverage: torch.Tensor, t: int) -> NDArray[np.float16]:
    past = slice(max(0, t + 1 - HISTORY), t + 1)
    height, width = (side // FLOW_REDUCTION for side in fields.shape[-2:])
    if t == 0:
        return np.zeros((2, height, width), np.float16)
    flow = steadied(optical_flow(fields[None, past], coverage[None, past]), fields[None, t : t + 1])
    coarse: NDArray[np.float16] = interpolate(flow, size=(height, width), mode="area")[0].half().numpy()
    return coarse
