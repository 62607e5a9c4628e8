"""Moving-MNIST as in section 4.1 of Shi et al. 2015 (arXiv:1506.04214): handwritten digits bouncing in a square.

Nothing but numpy, and nothing but the digits in memory: sequence `index` of a set is made from (seed, index) alone.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE, DIGIT = 64, 28
"""Pixels along a side of a frame and of a digit."""

FRAMES_IN, FRAMES_OUT = 10, 10

SPEED = (3.0, 5.0)
"""Pixels per frame."""

TRAIN_IMAGES, TEST_IMAGES = "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"
IDX_IMAGES = 2051
"""The number an IDX file of bytes in three dimensions starts with."""

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Split:
    """`sequences` sequences of `digits` digits each, drawn from a part of the images of an IDX file.

    The part is from the share `first` to the share `last` of the file.
    """

    file: str
    first: float
    last: float
    sequences: int
    digits: int
    seed: int


SPLITS: dict[str, Split] = {
    "train": Split(TRAIN_IMAGES, 0.0, 5 / 6, 10_000, 2, 1),
    "validation": Split(TRAIN_IMAGES, 5 / 6, 1.0, 2_000, 2, 2),
    "test": Split(TEST_IMAGES, 0.0, 1.0, 3_000, 2, 3),
    "three digits": Split(TEST_IMAGES, 0.0, 1.0, 3_000, 3, 4),
}
"""The paper's numbers of sequences. No digit is in two of train, validation and test."""


@dataclass(frozen=True, eq=False)
class MovingMNIST:
    """Sequences made when asked for, from images (n, 28, 28) of 0 (background) to 255."""

    images: Images
    count: int
    digits: int
    seed: int

    def __post_init__(self) -> None:
        if self.images.shape[1:] != (DIGIT, DIGIT) or not len(self.images):
            raise ValueError(f"images must be (n, {DIGIT}, {DIGIT}), n at least 1, not {self.images.shape}")

    def sequences(self, indices: Sequence[int] | NDArray[np.integer]) -> Images:
        """Sequences (b, 20, 64, 64) by index, of bytes; IndexError when there is no such index.

        Digits, places, directions and speeds are uniform at random and independent of each other.
        """
        draws = [self._draw(int(index)) for index in indices]
        chosen, start, angle, speed = (np.stack(values) for values in zip(*draws, strict=True))
        velocity = speed[..., None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        return drawn(self.images[chosen], corners(start * (SIDE - DIGIT), velocity, FRAMES_IN + FRAMES_OUT))

    def _draw(self, index: int) -> tuple[NDArray[np.generic], ...]:
        if not 0 <= index < self.count:
            raise IndexError(f"no sequence {index}, there are {self.count}")
        random = np.random.default_rng((self.seed, index))
        chosen = random.integers(len(self.images), size=self.digits)
        start, angle = random.random((self.digits, 2)), random.uniform(0.0, 2.0 * math.pi, self.digits)
        return chosen, start, angle, random.uniform(*SPEED, self.digits)


def open_split(folder: Path, name: str) -> MovingMNIST:
    """The set `name` of SPLITS from the IDX files in a folder; ValueError, naming the file, when one is no good."""
    split = SPLITS[name]
    images = read_images(folder / split.file)
    part = images[round(split.first * len(images)) : round(split.last * len(images))]
    return MovingMNIST(part, split.sequences, split.digits, split.seed)


def read_images(path: Path) -> Images:
    """Images (n, 28, 28) of a gzipped IDX file (LeCun, Cortes and Burges, The MNIST database).

    Raises ValueError, naming the file, when it is missing, truncated or holds something else.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: MNIST's IDX files are needed") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is truncated or no gzip file: {error}") from error
    magic, count, *shape = struct.unpack(">4I", content[:16].ljust(16, b"\0"))
    if magic != IDX_IMAGES or shape != [DIGIT, DIGIT]:
        raise ValueError(f"{path} holds no IDX images of {DIGIT} x {DIGIT} bytes")
    if len(content) != 16 + count * DIGIT * DIGIT:
        raise ValueError(f"{path} should hold {count} images, but has {len(content) - 16} bytes of them")
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, DIGIT, DIGIT)


def corners(start: NDArray[np.float64], velocity: NDArray[np.float64], frames: int) -> NDArray[np.intp]:
    """Top left pixels (b, frames, digits, 2) of digits that start at (b, digits, 2) and move [pixels per frame].

    A digit that would leave stops at the edge and turns back (Srivastava et al. 2015, arXiv:1502.04681).
    """
    place, velocity = start.copy(), velocity.copy()
    path = [place.astype(np.intp)]
    for _ in range(frames - 1):
        place = place + velocity
        velocity[(place <= 0) | (place >= SIDE - DIGIT)] *= -1
        place = place.clip(0, SIDE - DIGIT)
        path.append(place.astype(np.intp))
    return np.stack(path, axis=1)


def drawn(images: Images, corner: NDArray[np.intp]) -> Images:
    """Frames (b, t, 64, 64) of images (b, digits, 28, 28) with their top left pixels at (b, t, digits, 2).

    Where digits overlap the brighter pixel shows, as in the generator of Srivastava et al. 2015.
    """
    count, frames, digits, _ = corner.shape
    canvas = np.zeros((count, frames, SIDE, SIDE), np.uint8)
    sequence, frame = np.ogrid[:count, :frames]
    for digit in range(digits):
        row, col = (corner[:, :, digit, axis, None] + np.arange(DIGIT) for axis in (0, 1))
        place = sequence[..., None, None], frame[..., None, None], row[..., None], col[..., None, :]
        canvas[place] = np.maximum(canvas[place], images[:, digit, None])
    return canvas
