"""Array work on several cores: numpy lets go of the interpreter while it computes."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from nowcast.core.types import FloatField

WORTH = 1 << 20
"""Values below which threads take longer to start than they save."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Iterable[Item], values: int) -> list[Result]:
    """`work` done on each of the items, in their order, by as many threads as there are cores if there are many
    `values` in all."""
    cores = os.cpu_count() or 1
    if cores == 1 or values < WORTH:
        return [work(item) for item in items]
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(work, items))


def is_beyond(values: FloatField, least: float, most: float) -> bool:
    """Whether any value (t, y, x) but NaN is below `least` or above `most`."""

    def field_is(field: FloatField) -> bool:
        return bool(np.fmin.reduce(field, axis=None) < least or np.fmax.reduce(field, axis=None) > most)

    return any(each(field_is, values, values.size))
