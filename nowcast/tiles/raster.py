"""From fields as the stores keep them to PNG tiles."""

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nowcast.core.rain import ZR
from nowcast.core.types import BoolField, FlagField, FloatField
from nowcast.tiles.mercator import Warp
from nowcast.tiles.palettes import Palette

COMPRESSION = 1
"""zlib's level: tiles are small already, and made while someone waits."""

UNSEEN_COLOUR, UNSEEN_ALPHA = "#808080", 128
"""Of places that no radar sees: grey, half transparent."""


@dataclass(frozen=True, eq=False)
class Coding:
    """What stored whole numbers mean: number k, taken as unsigned, stands for `values[k]`; NaN is missing."""

    values: FloatField


@cache
def hundredths(dtype: str) -> Coding:
    """Unsigned hundredths whose greatest number is missing, as forecasts are stored."""
    values = np.arange(np.iinfo(dtype).max + 1, dtype=np.float64) / 100.0
    values[-1] = np.nan
    return Coding(values.astype(np.float32))


@cache
def reflectivities(zr: ZR) -> Coding:
    """Rain rates [mm h-1] of int16 hundredths of dBZ whose least number is missing, as archives are stored."""
    stored = np.arange(2**16, dtype=np.uint16).view(np.int16)
    values = zr.rain_rate((stored / 100.0).astype(np.float32))
    return Coding(np.where(stored == np.iinfo(np.int16).min, np.float32(np.nan), values))


def seen_unless(*unseen: int) -> Coding:
    """Flags or truth values, one byte each, of which some mean that nothing is seen: NaN."""
    values = np.ones(2**8, np.float32)
    values[list(unseen)] = np.nan
    return Coding(values)


def decoded(stored: NDArray[Any], coding: Coding | None) -> FloatField:
    """Values of stored numbers; the stored ones where there is no coding."""
    return stored.astype(np.float32) if coding is None else coding.values[_unsigned(stored)]


def classes(stored: NDArray[Any], palette: Palette, coding: Coding | None = None) -> FlagField:
    """The class of each value, 1 for the palette's first; 0 below it and where there is no value."""
    return _classes(stored, palette) if coding is None else _class_table(coding, palette)[_unsigned(stored)]


def blended(values: FloatField, warp: Warp) -> FloatField:
    """Values between the centres of the four pixels around each pixel of a tile, (size, size), NaN outside.

    A pixel without a value counts for nothing, and what lies in it has none: missing and dry keep their border.
    """
    height, width = values.shape
    row, col = warp.row - np.float32(0.5), warp.col - np.float32(0.5)
    north, west = np.floor(row).astype(np.int32), np.floor(col).astype(np.int32)
    flat, total, weight = values.ravel(), np.zeros(row.shape, np.float32), np.zeros(row.shape, np.float32)
    for down in (0, 1):
        share_of_row = np.abs((1 - down) - (row - north))
        place = np.clip(north + down, 0, height - 1) * width
        for across in (0, 1):
            value = flat[place + np.clip(west + across, 0, width - 1)]
            share = share_of_row * np.abs((1 - across) - (col - west))
            known = ~np.isnan(value)
            total += np.where(known, value * share, 0)
            weight += np.where(known, share, 0)
    has_none = (warp.index < 0) | np.isnan(flat[warp.index])
    return np.where(has_none, np.float32(np.nan), total / np.maximum(weight, np.float32(1e-6)))


def tile_classes(
    stored: NDArray[Any], warp: Warp, palette: Palette, coding: Coding | None = None, smooth: bool = False
) -> FlagField:
    """Classes of a tile's pixels from `stored`, the part of a field that the warp names."""
    if smooth:
        return classes(blended(decoded(stored, coding), warp), palette)
    return np.where(warp.index < 0, np.uint8(0), classes(stored.ravel()[warp.index], palette, coding))


def has_value(stored: NDArray[Any], warp: Warp, coding: Coding | None) -> BoolField:
    """Whether each pixel of a tile shows a value; not outside the grid."""
    return (warp.index >= 0) & ~np.isnan(decoded(stored.ravel()[warp.index], coding))


def png(classified: FlagField, colours: tuple[str, ...], alpha: int = 255) -> bytes:
    """A palette picture: class 0 is transparent, class k has colour k - 1."""
    image = Image.fromarray(classified)
    image.putpalette(b"\0\0\0" + b"".join(bytes.fromhex(colour[1:]) for colour in colours))
    body = io.BytesIO()
    image.save(body, "PNG", transparency=bytes([0] + [alpha] * len(colours)), compress_level=COMPRESSION)
    return body.getvalue()


@cache
def blank(size: int, unseen: bool = False) -> bytes:
    """A tile that is transparent or, where asked, unseen all over."""
    return png(np.full((size, size), unseen, np.uint8), (UNSEEN_COLOUR,), UNSEEN_ALPHA)


@cache
def _class_table(coding: Coding, palette: Palette) -> FlagField:
    return _classes(coding.values, palette)


def _classes(values: FloatField, palette: Palette) -> FlagField:
    bounds = np.asarray(palette.bounds, np.float32)
    found = np.searchsorted(bounds, values, side="right").astype(np.uint8)
    found[np.isnan(values)] = 0
    return found


def _unsigned(stored: NDArray[Any]) -> NDArray[Any]:
    return stored.view(f"u{stored.dtype.itemsize}")
