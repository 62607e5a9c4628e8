"""Finer pixels than a model was trained on are worked on in larger blocks."""

import numpy as np

from nowcast.core.types import BoolField, FloatField, Sampling

FINEST_KM = 0.7
"""Smaller pixels are joined to blocks of about a kilometre."""


def block(sampling: Sampling) -> int:
    """Side of a block [pixels]; 1 leaves the pixels as they are."""
    return 1 if sampling.spacing_km >= FINEST_KM else round(1.0 / sampling.spacing_km)


def joined(rain_rate: FloatField, coverage: BoolField, size: int) -> tuple[FloatField, BoolField]:
    """Mean over the covered pixels of each block; a block is covered where half of it or more is. Blocks at the south
    and east may hang over the edge, where nothing is covered."""
    if size == 1:
        return rain_rate, coverage
    rain, share = (_block_means(v, size) for v in (np.where(coverage, rain_rate, 0.0), coverage.astype(np.float32)))
    covered = share >= 0.5
    means = rain / np.maximum(share, 0.5)
    return np.where(covered, means, np.nan).astype(np.float32), covered


def parted(blocks: FloatField, size: int, shape: tuple[int, int]) -> FloatField:
    """Every pixel of a grid of `shape` gets the value of its block, (..., y, x)."""
    if size == 1:
        return blocks
    return np.repeat(np.repeat(blocks, size, axis=-2), size, axis=-1)[..., : shape[0], : shape[1]]


def _block_means(v: FloatField, size: int) -> FloatField:
    height, width = v.shape
    whole = np.pad(v, ((0, -height % size), (0, -width % size)))
    means: FloatField = whole.reshape(-(-height // size), size, -(-width // size), size).mean(axis=(1, 3))
    return means
