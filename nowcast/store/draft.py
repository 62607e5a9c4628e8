"""What is about to be committed to an archive: rows wait in memory, are seen there, and are written all at once."""

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from nowcast.store.repository import array
from nowcast.store.template import AXIS_BLOCK, grow

AXIS = "time"


@dataclass(eq=False)
class Rows:
    """An array (slot, ...) and the rows of it that are not written yet. Single values are read once, in blocks."""

    stored: zarr.Array[Any]
    size: int
    waiting: dict[int, NDArray[Any]] = field(default_factory=dict)
    _blocks: dict[int, NDArray[Any]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """As it will be."""
        return (self.size, *self.stored.shape[1:])

    def __getitem__(self, key: int | slice) -> NDArray[Any]:
        if isinstance(key, slice):
            return self._range(*key.indices(self.size)[:2])
        return self.waiting[key] if key in self.waiting else self._range(key, key + 1)[0]

    def __setitem__(self, slot: int, row: Any) -> None:
        self.waiting[slot] = np.asarray(row, self.stored.dtype)
        self.size = max(self.size, slot + 1)

    def _range(self, first: int, stop: int) -> NDArray[Any]:
        found = np.full((max(0, stop - first), *self.stored.shape[1:]), self.stored.fill_value, self.stored.dtype)
        written = min(stop, self.stored.shape[0])
        if first < written:
            found[: written - first] = self._stored(first, written)
        for slot in [slot for slot in self.waiting if first <= slot < stop]:
            found[slot - first] = self.waiting[slot]
        return found

    def _stored(self, first: int, stop: int) -> NDArray[Any]:
        if self.stored.ndim > 1:
            return np.asarray(self.stored[first:stop])
        blocks = range(first // AXIS_BLOCK, (stop - 1) // AXIS_BLOCK + 1)
        start = blocks.start * AXIS_BLOCK
        return np.concatenate([self._block(k) for k in blocks])[first - start : stop - start]

    def _block(self, number: int) -> NDArray[Any]:
        if number not in self._blocks:
            self._blocks[number] = np.asarray(self.stored[number * AXIS_BLOCK : (number + 1) * AXIS_BLOCK])
        return self._blocks[number]

    def write(self) -> None:
        """Rows that follow each other in one go, so that their chunks are packed in parallel."""
        for _, run in groupby(enumerate(sorted(self.waiting)), lambda pair: pair[1] - pair[0]):
            slots = [slot for _, slot in run]
            self.stored[slots[0] : slots[-1] + 1] = np.stack([self.waiting.pop(slot) for slot in slots])


@dataclass(eq=False)
class Draft:
    """An open transaction on an archive."""

    group: zarr.Group
    members: dict[str, Rows] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Rows:
        if name not in self.members:
            stored = array(self.group, name)
            self.members[name] = Rows(stored, stored.shape[0])
        self.members[name].size = max(rows.size for rows in self.members.values())
        return self.members[name]

    def write(self) -> None:
        """Put all rows into the transaction."""
        grow(self.group, AXIS, max((rows.size for rows in self.members.values()), default=0))
        for name, rows in self.members.items():
            Rows(array(self.group, name), rows.size, rows.waiting).write()
