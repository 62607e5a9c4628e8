"""Training windows: random crops in space and time of rain events, with the motion found on the whole frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from nowcast.core.types import BoolField, FloatField, Sampling
from nowcast.models.rain_model import Pixels, RainModel, RainState
from nowcast.models.transform import normalise
from nowcast.training.events import FLOW_REDUCTION, Event

SHIFT_DB = (-5.0, 10.0)
"""Half of the windows are shown with rain this much heavier."""

DROPPED = 0.1
"""Share of windows in which one of the frames given, not the last, is missing."""

Place = tuple[slice, slice, slice]
"""Frames, rows and columns."""

THINNED = 4
"""Every fourth row and column is scored, which ones at random: neighbours say nearly the same."""


@dataclass(frozen=True)
class WindowConfig:
    """Side of the square crop [pixels], fewest and most frames in, fewest and most leads, leads scored in a window."""

    size: int = 320
    fewest_inputs: int = 4
    most_inputs: int = 6
    fewest_leads: int = 4
    leads: int = 12
    scored: int = 4

    @property
    def shortest(self) -> int:
        """Frames that an event needs."""
        return self.most_inputs + self.fewest_leads


@dataclass(frozen=True, eq=False)
class Window:
    """A batch: fields, coverage (b, t, 1, y, x) and flow (b, inputs, 2, y, x); the first `inputs` frames are given.

    `leads` are the leads to score, ascending, and `pixels` the rows and columns; `origin` says where each member comes
    from.
    """

    field: Tensor
    coverage: Tensor
    flow: Tensor
    inputs: int
    leads: tuple[int, ...]
    pixels: Pixels
    sampling: Sampling
    origin: tuple[str, ...]

    def truth(self) -> tuple[Tensor, Tensor]:
        """Observed field and coverage, both (b, leads, 1, y, x), at the leads and pixels to score."""
        future = [self.inputs + lead - 1 for lead in self.leads]
        field, coverage = (v[:, future][(..., *self.pixels)] for v in (self.field, self.coverage))
        return field, coverage

    def on(self, device: str) -> "Window":
        """The same window on a device."""
        field, coverage, flow = (v.to(device) for v in (self.field, self.coverage, self.flow))
        return replace(self, field=field, coverage=coverage, flow=flow)


def encoded(model: RainModel, window: Window) -> RainState:
    """The model's state after the frames given."""
    state = model.start(window.field[:, 0], window.sampling)
    for t in range(window.inputs):
        state = model.observe(state, window.field[:, t], window.coverage[:, t], window.flow[:, t])
    return state


class Sampler:
    """Draws windows, wetter events and crops more often; the same seed draws the same windows."""

    def __init__(self, events: Sequence[Event], config: WindowConfig, seed: int) -> None:
        self.config = config
        self.events = [e for e in events if len(e.rain_rate) >= config.shortest]
        if not self.events:
            raise ValueError(f"no event has {config.shortest} frames")
        self.random = np.random.default_rng(seed)
        weights = np.array([len(e.rain_rate) * (0.01 + e.wetness) for e in self.events]) ** 0.5
        self._weights = weights / weights.sum()

    def batch(self, size: int) -> Window:
        """`size` windows of one event, with the same number of input frames."""
        config = self.config
        event = self.events[self.random.choice(len(self.events), p=self._weights)]
        inputs = int(self.random.integers(config.fewest_inputs, config.most_inputs + 1))
        leads = min(config.leads, len(event.rain_rate) - inputs)
        chosen = 1 + self.random.choice(leads, min(config.scored, leads), replace=False)
        parts = [self._window(event, inputs, leads) for _ in range(size)]
        fields, coverages, flows, origin = zip(*parts, strict=True)
        scored = tuple(int(lead) for lead in sorted(chosen))
        row, col = (slice(int(offset), None, THINNED) for offset in self.random.integers(THINNED, size=2))
        field, coverage, flow = (torch.stack(tensors) for tensors in (fields, coverages, flows))
        return Window(field, coverage, flow, inputs, scored, (row, col), event.sampling, origin)

    def state(self) -> dict[str, Any]:
        """Where the random numbers stand, for `restore`."""
        return dict(self.random.bit_generator.state)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on drawing from where `state` was taken."""
        self.random.bit_generator.state = state

    def _window(self, event: Event, inputs: int, leads: int) -> tuple[Tensor, Tensor, Tensor, str]:
        drawn = [self._place(event, inputs + leads) for _ in range(4)]
        wetness = np.array([0.01 + normalise(torch.from_numpy(event.rain_rate[place])).mean() for place in drawn])
        place = drawn[self.random.choice(len(drawn), p=wetness / wetness.sum())]
        field, coverage, flow = (
            torch.from_numpy(np.ascontiguousarray(a)) for a in self._turned(*self._cut(event, place, inputs))
        )
        flow = interpolate(flow, size=field.shape[-2:], mode="bilinear", align_corners=False)
        origin = f"{event.name} frame {place[0].start} row {place[1].start} col {place[2].start}"
        return field[:, None], coverage[:, None].float(), flow, origin

    def _place(self, event: Event, length: int) -> Place:
        shape = event.rain_rate.shape
        size = min(self.config.size, *shape[1:])
        size -= size % FLOW_REDUCTION
        t = int(self.random.integers(shape[0] - length + 1))
        row, col = (
            int(self.random.integers((side - size) // FLOW_REDUCTION + 1)) * FLOW_REDUCTION for side in shape[1:]
        )
        return slice(t, t + length), slice(row, row + size), slice(col, col + size)

    def _cut(self, event: Event, place: Place, inputs: int) -> tuple[FloatField, BoolField, FloatField]:
        when, rows, cols = place
        coarse = (slice(s.start // FLOW_REDUCTION, s.stop // FLOW_REDUCTION) for s in (rows, cols))
        flow = event.flow[(slice(when.start, when.start + inputs), slice(None), *coarse)].astype(np.float32)
        shift = self.random.uniform(*SHIFT_DB) if self.random.random() < 0.5 else 0.0
        rain_rate = event.rain_rate[place] * np.float32(10.0 ** (shift / 10.0))
        coverage = event.coverage[place].copy()
        if self.random.random() < DROPPED:
            coverage[self.random.integers(inputs - 1)] = False
        return normalise(torch.from_numpy(rain_rate)).numpy() * coverage, coverage, flow

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
