"""Scores of probabilities as formulas over sums. Where a score is undefined it is NaN.

docs/evaluation.md has each formula with its source.
"""

from typing import NamedTuple

import numpy as np

from nowcast.verify.chances import Chances
from nowcast.verify.part import Counts, ratio


class Curve(NamedTuple):
    """Mean forecast probability and observed frequency, NaN where a bin is empty, and the share of pixels; each
    (lead, threshold, bin)."""

    probability: Counts
    frequency: Counts
    share: Counts


def brier(chances: Chances) -> Counts:
    """Mean squared error of the probabilities, (lead, threshold) (Brier 1950, in its half form)."""
    return ratio(chances.squared_error, chances.pixels)


def brier_skill_score(chances: Chances) -> Counts:
    """1 - Brier score over that of the frequency observed in the same sample, (lead, threshold).

    Undefined where all pixels are events, or none is.
    """
    return 1.0 - ratio(brier(chances), uncertainty(chances))


def uncertainty(chances: Chances) -> Counts:
    """Variance of the events, (lead, threshold): the Brier score of the frequency observed in the same sample."""
    frequency = ratio(chances.events, chances.pixels)
    return frequency * (1.0 - frequency)


def reliability(chances: Chances) -> Counts:
    """Mean squared distance of the reliability curve from the diagonal, (lead, threshold); 0 is calibrated."""
    error = np.square(chances.bin_probability - chances.bin_events) / np.maximum(chances.bin_pixels, 1.0)
    return ratio(error.sum(axis=-1), chances.pixels)


def resolution(chances: Chances) -> Counts:
    """Mean squared distance of the reliability curve from the observed frequency, (lead, threshold); more is better."""
    expected = chances.bin_pixels * ratio(chances.events, chances.pixels)[..., None]
    gain = np.square(chances.bin_events - expected) / np.maximum(chances.bin_pixels, 1.0)
    return ratio(gain.sum(axis=-1), chances.pixels)


def reliability_curve(chances: Chances) -> Curve:
    """The reliability diagram and, as `share`, its sharpness diagram."""
    pixels = chances.bin_pixels
    share = ratio(pixels, np.broadcast_to(chances.pixels[..., None], pixels.shape))
    return Curve(ratio(chances.bin_probability, pixels), ratio(chances.bin_events, pixels), share)


def expected_calibration_error(chances: Chances) -> Counts:
    """Mean distance of the reliability curve from the diagonal, (lead, threshold) (Naeini et al. 2015)."""
    return ratio(np.abs(chances.bin_probability - chances.bin_events).sum(axis=-1), chances.pixels)


def sharpness(chances: Chances) -> Counts:
    """Variance of the forecast probabilities, (lead, threshold); 0 when all are the same."""
    mean = ratio(chances.bin_probability.sum(axis=-1), chances.pixels)
    return np.maximum(ratio(chances.probability_squared, chances.pixels) - np.square(mean), 0.0)


def crps(chances: Chances) -> Counts:
    """Continuous ranked probability score of the distribution that the probabilities stand for [mm h-1], (lead,)."""
    return ratio(chances.crps, chances.pixels[:, 0])
