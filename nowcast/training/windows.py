"""Training windows: random crops in space and time of rain events, with the motion found on the whole frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from nowcast.core.scan import Frames
from nowcast.models.motion import optical_flow
from nowcast.models.track import HISTORY
from nowcast.models.transform import normalise

FLOW_REDUCTION = 4
"""Motion is kept on a grid this much coarser."""

MAX_SHIFT_DB = 15.0
"""Light rain is also shown as up to this much heavier rain."""


@dataclass(frozen=True, eq=False)
class Event:
    """An uninterrupted run of frames: rain rate [mm h-1] and coverage (t, y, x), flow (t, 2, y / 4, x / 4)."""

    name: str
    rain_rate: NDArray[np.float32]
    coverage: NDArray[np.bool_]
    flow: NDArray[np.float16]


@dataclass(frozen=True)
class WindowConfig:
    """Side of the square crop [pixels], fewest and most frames in, leads out."""

    size: int = 256
    fewest_inputs: int = 4
    most_inputs: int = 8
    leads: int = 12


@dataclass(frozen=True, eq=False)
class Window:
    """A batch: fields, coverage (b, t, 1, y, x) and flow (b, t, 2, y, x); the first `inputs` frames are given."""

    field: Tensor
    coverage: Tensor
    flow: Tensor
    inputs: int


def event(name: str, frames: Frames) -> Event:
    """An event with the motion at each of its frames; seconds per frame on a CPU."""
    rain_rate = np.nan_to_num(frames.rain_rate)
    fields = normalise(torch.from_numpy(rain_rate))
    coverage = torch.from_numpy(frames.coverage)
    flows = [_flow_at(fields, coverage, t) for t in range(len(frames))]
    return Event(name, rain_rate, frames.coverage, np.stack(flows))


def _flow_at(fields: Tensor, coverage: Tensor, t: int) -> NDArray[np.float16]:
    past = slice(max(0, t + 1 - HISTORY), t + 1)
    height, width = (side // FLOW_REDUCTION for side in fields.shape[-2:])
    if t == 0:
        return np.zeros((2, height, width), np.float16)
    flow = optical_flow(fields[None, past], coverage[None, past])
    coarse: NDArray[np.float16] = interpolate(flow, size=(height, width), mode="area")[0].half().numpy()
    return coarse


class Sampler:
    """Draws windows, wetter crops more often; the same seed draws the same windows."""

    def __init__(self, events: Sequence[Event], config: WindowConfig, seed: int) -> None:
        self.config = config
        self.events = [e for e in events if len(e.rain_rate) >= config.most_inputs + config.leads]
        if not self.events:
            raise ValueError(f"no event has {config.most_inputs + config.leads} frames")
        self.random = np.random.default_rng(seed)

    def batch(self, size: int) -> Window:
        """`size` windows with the same number of input frames."""
        inputs = int(self.random.integers(self.config.fewest_inputs, self.config.most_inputs + 1))
        parts = [self._window(inputs) for _ in range(size)]
        field, coverage, flow = (torch.stack(tensors) for tensors in zip(*parts, strict=True))
        return Window(field, coverage, flow, inputs)

    def _window(self, inputs: int) -> tuple[Tensor, Tensor, Tensor]:
        drawn = [self._crop(inputs) for _ in range(4)]
        wetness = np.array([0.02 + float((field > 0).mean()) for field, _, _ in drawn])
        chosen = self.random.choice(len(drawn), p=wetness / wetness.sum())
        field, coverage, flow = (torch.from_numpy(np.ascontiguousarray(a)) for a in self._turned(*drawn[chosen]))
        flow = interpolate(flow, size=field.shape[-2:], mode="bilinear", align_corners=False)
        return field[:, None], coverage[:, None].float(), flow

    def _crop(self, inputs: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
        one = self.events[self.random.integers(len(self.events))]
        size = min(self.config.size, *one.rain_rate.shape[1:])
        size -= size % FLOW_REDUCTION
        length = inputs + self.config.leads
        t = self.random.integers(len(one.rain_rate) - length + 1)
        row, col = (
            int(self.random.integers((side - size) // FLOW_REDUCTION + 1)) * FLOW_REDUCTION
            for side in one.rain_rate.shape[1:]
        )
        when, rows, cols = slice(t, t + length), slice(row, row + size), slice(col, col + size)
        coarse = tuple(slice(s.start // FLOW_REDUCTION, s.stop // FLOW_REDUCTION) for s in (rows, cols))
        shift = 10.0 ** (self.random.uniform(0.0, MAX_SHIFT_DB) / 10.0)
        rain_rate = torch.from_numpy(one.rain_rate[when, rows, cols] * np.float32(shift))
        flow = one.flow[(when, slice(None), *coarse)].astype(np.float32)
        return normalise(rain_rate).numpy(), one.coverage[when, rows, cols], flow

    def _turned(
        self, field: NDArray[np.float32], coverage: NDArray[np.bool_], flow: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
        """One of the eight symmetries of the square, at random."""
        if self.random.random() < 0.5:
            field, coverage, flow = field[..., ::-1], coverage[..., ::-1], flow[..., ::-1]
            flow = flow * np.array([1, -1], np.float32)[:, None, None]
        if self.random.random() < 0.5:
            field, coverage, flow = field[..., ::-1, :], coverage[..., ::-1, :], flow[..., ::-1, :]
            flow = flow * np.array([-1, 1], np.float32)[:, None, None]
        if self.random.random() < 0.5:
            field, coverage = np.swapaxes(field, -1, -2), np.swapaxes(coverage, -1, -2)
            flow = np.swapaxes(flow, -1, -2)[:, ::-1]
        return field, coverage, flow
