"""Fields are read in blocks, each once, and put together again."""

from typing import Any

import numpy as np
import pytest

from nowcast.serving.api.fields import Shelf, Stored

FIELDS = np.arange(2 * 3 * 5 * 7, dtype=np.uint16).reshape(2, 3, 5, 7)
"""Slots, leads, rows, columns."""


class CountedArray:
    """Counts what is read of it."""

    def __init__(self) -> None:
        self.reads: list[Any] = []

    def __getitem__(self, at: Any) -> Any:
        self.reads.append(at)
        return FIELDS[at]


def stored(array: CountedArray, lead: int, side: int = 2) -> Stored:
    """One lead of the second slot."""
    return Stored("key", array, (1, slice(None)), side, None, lead)  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [1, 2, 3, 100])
def test_any_window_is_what_the_field_holds_there(side: int) -> None:
    shelf, array = Shelf(), CountedArray()
    for rows in (slice(0, 5), slice(1, 4), slice(2, 3), slice(4, 5)):
        for cols in (slice(0, 7), slice(1, 6), slice(3, 4), slice(6, 7)):
            found = shelf.window(stored(array, 2, side), rows, cols)
            assert np.array_equal(found, FIELDS[1, 2, rows, cols])
    assert len(array.reads) == -(-5 // side) * -(-7 // side)


def test_all_leads_of_a_block_come_with_the_first() -> None:
    shelf, array = Shelf(), CountedArray()
    for lead in range(3):
        found = shelf.window(stored(array, lead), slice(0, 2), slice(0, 2))
        assert np.array_equal(found, FIELDS[1, lead, :2, :2])
    assert len(array.reads) == 1
