"""MNIST's IDX files, made up: training images 0 to 11 of brightness 10, 20, ... and one test image with one pixel."""

import gzip
import struct
from pathlib import Path

import numpy as np

from nowcast.training.moving_mnist import TEST_IMAGES, TRAIN_IMAGES


def idx(images: np.ndarray, magic: int = 2051) -> bytes:
    """An IDX file of bytes (n, rows, columns)."""
    return struct.pack(">4I", magic, *images.shape) + images.astype(np.uint8).tobytes()


def dot(value: int = 200) -> np.ndarray:
    """An image (28, 28) that is black but for its top left pixel."""
    image = np.zeros((28, 28), np.uint8)
    image[0, 0] = value
    return image


def mnist(folder: Path) -> Path:
    """The folder, with both files in it."""
    training = np.full((12, 28, 28), 10) * np.arange(1, 13)[:, None, None]
    for name, images in ((TRAIN_IMAGES, training), (TEST_IMAGES, dot()[None])):
        (folder / name).write_bytes(gzip.compress(idx(images)))
    return folder
