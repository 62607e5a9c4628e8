"""The seam behind which every forecasting method stands."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from nowcast.core.types import USUAL, BoolField, FloatField, Sampling

State = TypeVar("State")


class Nowcaster(Protocol[State]):
    """A method that takes scans one by one and rolls its forecast out lead by lead.

    `observe` and `forecast` leave the state they are given as it was: a state is a value, so the same state can be
    forecast from and stepped on.
    """

    @property
    def model_id(self) -> str:
        """Name and version, stored with every nowcast."""
        ...

    @property
    def context(self) -> int:
        """Scans wanted before the forecast is at its best; a state holds between this and twice as many."""
        ...

    def observe(
        self, state: State | None, rain_rate: FloatField, coverage: BoolField, sampling: Sampling = USUAL
    ) -> State:
        """The state after one more frame (y, x); None starts afresh. A missing scan has no coverage."""
        ...

    def forecast(self, state: State) -> Iterator[FloatField]:
        """Rain rates [mm h-1], (y, x), at lead 1, 2, 3, ... without end; NaN where no forecast is possible."""
        ...
