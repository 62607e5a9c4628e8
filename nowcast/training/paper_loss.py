"""What table 1 of Shi et al. 2015 (arXiv:1506.04214) counts: the cross-entropy per sequence."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, pixel_unshuffle

from nowcast.models.paper import PaperModel
from nowcast.training.moving_mnist import FRAMES_IN, FRAMES_OUT, Images, MovingMNIST

PATCH = 4
"""Pixels along a side of the patches that become channels: (1, 64, 64) to (16, 16, 16)."""

AT_ONCE = 16
"""Sequences that are scored together."""

FloatArray = NDArray[np.float64]

GREYS: FloatArray = np.arange(256) / 255.0
"""What the byte values stand for."""


def patches(sequences: Images, device: str = "cpu") -> Tensor:
    """Bytes (b, t, 64, 64) as numbers in [0, 1], their 4 x 4 patches as channels: (b, t, 16, 16, 16)."""
    frames = torch.from_numpy(sequences).to(device).float().div(255.0)
    return pixel_unshuffle(frames[:, :, None], PATCH)


def cross_entropy(model: PaperModel, frames: Tensor, bf16: bool = False) -> Tensor:
    """-sum(T log P + (1 - T) log(1 - P)) over the pixels of the 10 frames to come, mean of the sequences [nats].

    P is the sigmoid of what the model makes of the first 10 of `frames` (b, 20, c, h, w), T the last 10. With `bf16`
    the network, but not the loss, is computed in bfloat16.
    """
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=bf16):
        logits = model(frames[:, :FRAMES_IN], FRAMES_OUT)
    truth = frames[:, FRAMES_IN:]
    return binary_cross_entropy_with_logits(logits.float(), truth, reduction="sum") / len(frames)


@torch.inference_mode()
def score(model: PaperModel, on: MovingMNIST, first: int, device: str = "cpu", bf16: bool = False) -> float:
    """Cross-entropy per sequence [nats] of a model on the `first` sequences of a set, or all when it has fewer."""
    total = 0.0
    for sequences in _blocks(on, first):
        total += float(cross_entropy(model, patches(sequences, device), bf16)) * len(sequences)
    return total / min(first, on.count)


def brightness(on: MovingMNIST, first: int) -> FloatArray:
    """How many pixels (256,) of the frames to come have each byte value, per sequence, over the `first` sequences."""
    counts = [np.bincount(block[:, FRAMES_IN:].ravel(), minlength=256) for block in _blocks(on, first)]
    per_sequence: FloatArray = np.stack(counts).sum(axis=0) / min(first, on.count)
    return per_sequence


def constant_score(counts: FloatArray, learned: FloatArray) -> float:
    """Cross-entropy per sequence [nats], by `brightness`, of forecasting the mean of `learned` at every pixel."""
    mean = float(learned @ GREYS / learned.sum())
    return float(-(counts @ (GREYS * np.log(mean) + (1.0 - GREYS) * np.log1p(-mean))))


def least_score(counts: FloatArray) -> float:
    """Cross-entropy per sequence [nats], by `brightness`, of the truth itself, which no forecast beats.

    It is above 0 because of pixels that are neither black nor white.
    """
    grey = GREYS[1:-1]
    return float(-(counts[1:-1] @ (grey * np.log(grey) + (1.0 - grey) * np.log1p(-grey))))


def _blocks(on: MovingMNIST, first: int) -> Iterator[Images]:
    """The `first` sequences of a set, a few at a time."""
    count = min(first, on.count)
    for start in range(0, count, AT_ONCE):
        yield on.sequences(range(start, min(start + AT_ONCE, count)))
