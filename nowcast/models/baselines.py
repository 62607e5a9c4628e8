"""Methods that learn nothing: what any model must beat."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import USUAL, BoolField, FloatField, Sampling
from nowcast.models import neighbourhood
from nowcast.models.motion import extrapolate
from nowcast.models.outlook import Outlook
from nowcast.models.track import HISTORY, Track, follow
from nowcast.models.transform import denormalise


class LastSeen(NamedTuple):
    """The newest frame that covered anything, (y, x)."""

    rain_rate: FloatField
    coverage: BoolField
    sampling: Sampling = USUAL


class Persistence:
    """Eulerian persistence: what falls now keeps falling where it falls."""

    model_id = "persistence"
    context = 1

    def observe(
        self, state: LastSeen | None, rain_rate: FloatField, coverage: BoolField, sampling: Sampling = USUAL
    ) -> LastSeen:
        """The state after one more frame (y, x)."""
        if state is not None and not coverage.any():
            return state
        return LastSeen(rain_rate, coverage, sampling)

    def forecast(self, state: LastSeen) -> Iterator[FloatField]:
        """The same rain rate [mm h-1] (y, x) at every lead, NaN where not covered."""
        while True:
            yield np.where(state.coverage, state.rain_rate, np.float32(np.nan))

    def outlook(self, state: LastSeen) -> Iterator[Outlook]:
        """The same rain rates, surer of the surroundings than of the place."""
        return neighbourhood.outlooks(self.forecast(state), state.sampling)

    def track(self, state: LastSeen) -> Track:
        """The frame, at rest."""
        return follow(None, state.rain_rate, state.coverage, "cpu", state.sampling)


class Advection:
    """Lagrangian persistence: semi-Lagrangian extrapolation along the optical flow (Germann and Zawadzki 2002)."""

    model_id = "advection"
    context = HISTORY

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    @torch.inference_mode()
    def observe(
        self, state: Track | None, rain_rate: FloatField, coverage: BoolField, sampling: Sampling = USUAL
    ) -> Track:
        """The state after one more frame (y, x)."""
        return follow(state, rain_rate, coverage, self.device, sampling)

    def forecast(self, state: Track) -> Iterator[FloatField]:
        """Rain rates [mm h-1] (y, x) at lead 1, 2, ...; NaN where the air comes from outside the coverage."""
        return rain_rates(extrapolate(*state.newest, state.flow))

    def outlook(self, state: Track) -> Iterator[Outlook]:
        """The same rain rates, surer of the surroundings than of the place."""
        return neighbourhood.outlooks(self.forecast(state), state.sampling)

    def track(self, state: Track) -> Track:
        """The state itself."""
        return state


def baselines(device: str = "cpu") -> dict[str, Nowcaster[Any]]:
    """The methods that every model is measured against, by name."""
    return {"persistence": Persistence(), "advection": Advection(device)}


def rain_rates(fields: Iterator[tuple[Tensor, Tensor]]) -> Iterator[FloatField]:
    """Rain rates [mm h-1] (y, x) from normalised (field, coverage) pairs (1, 1, y, x); NaN without coverage."""
    while True:
        with torch.inference_mode():
            rain_rate = rain_rate_of(*next(fields))
        yield rain_rate


def rain_rate_of(field: Tensor, coverage: Tensor) -> FloatField:
    """Rain rates [mm h-1] (y, x) of a normalised field and its coverage, both (1, 1, y, x); NaN without coverage."""
    rain_rate: FloatField = denormalise(field).where(coverage > 0, torch.nan)[0, 0].cpu().numpy()
    return rain_rate
