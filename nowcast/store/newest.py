"""The newest slot of a kind, looked for from the end, so that a store's age does not matter."""

from collections.abc import Collection
from typing import Any, Protocol

import numpy as np

from nowcast.store.template import AXIS_BLOCK


class Kinds(Protocol):
    """What tells of each slot what it holds, read in parts."""

    @property
    def shape(self) -> tuple[int, ...]:
        """One length."""
        ...

    def __getitem__(self, part: slice, /) -> Any:
        """Some of it."""
        ...


def newest(status: Kinds, kinds: Collection[int], stop: int | None = None, start: int = 0) -> int | None:
    """The last slot from `start` on, and before `stop`, whose status is one of these; None when there is none."""
    stop = status.shape[0] if stop is None else min(stop, status.shape[0])
    while stop > start:
        first = max(start, (stop - 1) // AXIS_BLOCK * AXIS_BLOCK)
        found = np.flatnonzero(np.isin(np.asarray(status[first:stop]), list(kinds)))
        if len(found):
            return first + int(found[-1])
        stop = first
    return None
