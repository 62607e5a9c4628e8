"""Fields read from the stores as they are packed there, and kept while tiles are drawn from them."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import zarr
from fastapi import Depends, Request
from numpy.typing import NDArray

from nowcast.core.grid import Grid
from nowcast.store.query import Reader
from nowcast.tiles.cache import ByteCache
from nowcast.tiles.mercator import Tile, Warp, warp
from nowcast.tiles.raster import Coding

Arrays = Mapping[str, zarr.Array[Any]]

MOST_BLOCKS, MOST_WARPS, MOST_TILES, MOST_FACTS = 512 * 2**20, 128 * 2**20, 128 * 2**20, 16 * 2**20
"""Bytes kept of fields, of ways from tiles to grids, of finished tiles, of what is known of commits and nowcasts."""

FACTS = 100_000
"""Bytes that the metadata of a commit or of a nowcast are taken to need."""


@dataclass(frozen=True, eq=False)
class Stored:
    """One field, or several, as a store keeps them: `array[*at, rows, cols]`, of which `lead` picks one where given.

    They are read in blocks of `side` pixels; `key` names all of them together, and changes with their content.
    """

    key: Hashable
    array: zarr.Array[Any]
    at: tuple[int | slice, ...]
    side: int
    coding: Coding | None
    lead: int | None = None


@dataclass(frozen=True, eq=False)
class Shelf:
    """What the pictures of one service keep at hand; two requests never read or make the same thing at once."""

    blocks: ByteCache[NDArray[Any]] = field(default_factory=lambda: ByteCache(MOST_BLOCKS, lambda block: block.nbytes))
    warps: ByteCache[Warp | None] = field(default_factory=lambda: ByteCache(MOST_WARPS, lambda w: w.nbytes if w else 0))
    tiles: ByteCache[bytes] = field(default_factory=lambda: ByteCache(MOST_TILES, len))
    facts: ByteCache[Any] = field(default_factory=lambda: ByteCache(MOST_FACTS, lambda _: FACTS))

    def commit(self, reader: Reader, snapshot: str) -> Arrays:
        """The packed arrays of one commit."""
        found: Arrays = self.facts.get((reader.location.url, snapshot), lambda: dict(reader.packed(snapshot).arrays()))
        return found

    def warp(self, grid: Grid, tile: Tile) -> Warp | None:
        """The way from a tile to a grid; None where they do not meet."""
        return self.warps.get((grid.fingerprint, tile), lambda: warp(grid, tile))

    def window(self, stored: Stored, rows: slice, cols: slice) -> NDArray[Any]:
        """`field[..., rows, cols]` of what is stored as it is packed; both slices have explicit bounds."""
        side = stored.side
        across = range(cols.start // side, (cols.stop - 1) // side + 1)
        down = range(rows.start // side, (rows.stop - 1) // side + 1)
        parts = [
            [self._block(stored, r, c)[..., _within(rows, r, side), _within(cols, c, side)] for c in across]
            for r in down
        ]
        return np.block(parts)

    def _block(self, stored: Stored, r: int, c: int) -> NDArray[Any]:
        block = self.blocks.get((stored.key, r, c), lambda: _read(stored, r, c))
        part: NDArray[Any] = block if stored.lead is None else block[stored.lead]
        return part


def _read(stored: Stored, r: int, c: int) -> NDArray[Any]:
    side = stored.side
    rows, cols = slice(r * side, (r + 1) * side), slice(c * side, (c + 1) * side)
    return np.asarray(stored.array[(*stored.at, rows, cols)])


def _within(wanted: slice, block: int, side: int) -> slice:
    """The part of a wanted range that lies in a block, counted from the block's start."""
    return slice(max(wanted.start - block * side, 0), min(wanted.stop - block * side, side))


def shelf(request: Request) -> Shelf:
    """The application's."""
    found: Shelf = request.app.state.shelf
    return found


Kept = Annotated[Shelf, Depends(shelf)]
"""Type of an endpoint's parameter."""
