"""The trained ConvLSTM as a Nowcaster: one encoder step per scan, forecasts without touching its state."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from nowcast.core.types import USUAL, BoolField, FloatField, Sampling
from nowcast.models.baselines import rain_rate_of
from nowcast.models.calibration import shares
from nowcast.models.checkpoint import Checkpoint
from nowcast.models.coarse import block, joined, parted
from nowcast.models.motion import steadied
from nowcast.models.outlook import Outlook
from nowcast.models.rain_model import RainState
from nowcast.models.track import HISTORY, Track, follow


class Warm(NamedTuple):
    """Recent frames with their motion, and the network's recurrent state, both on blocks of `block` pixels a side."""

    track: Track
    recurrent: RainState
    block: int
    shape: tuple[int, int]


class ConvLSTM:
    """A rain model on a device, ready to be stepped."""

    context = HISTORY

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu") -> None:
        self.model = checkpoint.model.to(device).eval()
        self.device = device
        self.training = checkpoint.training
        self.calibration = checkpoint.calibration
        self._model_id = checkpoint.model_id

    @property
    def model_id(self) -> str:
        """Name and the first digits of the weights' sha256."""
        return self._model_id

    @torch.inference_mode()
    def observe(
        self, state: Warm | None, rain_rate: FloatField, coverage: BoolField, sampling: Sampling = USUAL
    ) -> Warm:
        """The state after one more frame (y, x)."""
        size, shape = (state.block, state.shape) if state else (block(sampling), (coverage.shape[0], coverage.shape[1]))
        rain_rate, coverage = joined(rain_rate, coverage, size)
        blocks = Sampling(sampling.minutes, sampling.spacing_km * size)
        track = follow(state.track if state else None, rain_rate, coverage, self.device, blocks)
        field, covered = track.newest
        seen = covered if coverage.any() else torch.zeros_like(covered)
        recurrent = state.recurrent if state else self.model.start(field, blocks)
        return Warm(track, self.model.observe(recurrent, field, seen, steadied(track.flow, field)), size, shape)

    def forecast(self, state: Warm) -> Iterator[FloatField]:
        """Rain rates [mm h-1] (y, x) at lead 1, 2, ...; NaN where the air comes from outside the coverage."""
        return (outlook.rain_rate for outlook in self.outlook(state))

    def outlook(self, state: Warm) -> Iterator[Outlook]:
        """Rain rates as of `forecast`, with calibrated chances."""
        steps = self.model.steps(state.recurrent)
        sampling = state.recurrent.sampling
        observed = shares(state.recurrent.field, state.recurrent.coverage)
        while True:
            with torch.inference_mode():
                step = next(steps)
                rain_rate = rain_rate_of(*self.model.field(step, sampling))
                margins = self.calibration.calibrated(step.margins, step.lead * sampling.minutes, observed)
            yield Outlook(parted(rain_rate, state.block, state.shape), margins, state.block)

    def track(self, state: Warm) -> Track:
        """The frames, and the motion that rain has in common, both in blocks."""
        return state.track._replace(flow=state.recurrent.flow)
