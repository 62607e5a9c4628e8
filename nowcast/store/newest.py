"""The newest slot of a kind, looked for from the end, so that a store's age does not matter."""

from collections.abc import Collection
from typing import Any

import numpy as np
import xarray as xr
import zarr

from nowcast.store.template import AXIS_BLOCK


def newest(
    status: zarr.Array[Any] | xr.DataArray, kinds: Collection[int], stop: int | None = None, start: int = 0
) -> int | None:
    """The last slot from `start` on, and before `stop`, whose status is one of these; None when there is none."""
    stop = status.shape[0] if stop is None else min(stop, status.shape[0])
    while stop > start:
        first = max(start, (stop - 1) // AXIS_BLOCK * AXIS_BLOCK)
        found = np.flatnonzero(np.isin(np.asarray(status[first:stop]), list(kinds)))
        if len(found):
            return first + int(found[-1])
        stop = first
    return None
