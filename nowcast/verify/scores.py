"""Scores as formulas over sums. Where a score is undefined, as CSI is without any event, it is NaN.

docs/evaluation.md has each formula with its source.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nowcast.verify import scores_chances
from nowcast.verify.part import Counts, ratio
from nowcast.verify.spatial import Spatial
from nowcast.verify.statistics import Assessment, Sums

VANISHING = 1e-12
"""A variance this small beside the mean square is rounding."""


def csi(sums: Sums) -> Counts:
    """Critical success index, (lead, threshold): hits / (hits + misses + false alarms)."""
    return ratio(sums.hits, sums.hits + sums.misses + sums.false_alarms)


def pod(sums: Sums) -> Counts:
    """Probability of detection, (lead, threshold): hits / (hits + misses)."""
    return ratio(sums.hits, sums.hits + sums.misses)


def far(sums: Sums) -> Counts:
    """False alarm ratio, (lead, threshold): false alarms / (hits + false alarms)."""
    return ratio(sums.false_alarms, sums.hits + sums.false_alarms)


def hss(sums: Sums) -> Counts:
    """Heidke skill score, (lead, threshold): right beyond chance over all beyond chance (Heidke 1926).

    Undefined where forecast and observation are both dry, or both wet, everywhere.
    """
    a, b, c = sums.hits, sums.false_alarms, sums.misses
    d = sums.pixels[:, None] - a - b - c
    return ratio(2 * (a * d - b * c), (a + c) * (c + d) + (a + b) * (b + d))


def frequency_bias(sums: Sums) -> Counts:
    """Forecast events over observed events, (lead, threshold)."""
    return ratio(sums.hits + sums.false_alarms, sums.hits + sums.misses)


def mean_error(sums: Sums) -> Counts:
    """Mean forecast minus observed rain rate [mm h-1], (lead,)."""
    return ratio(sums.error, sums.pixels)


def mean_absolute_error(sums: Sums) -> Counts:
    """Mean absolute difference of rain rates [mm h-1], (lead,)."""
    return ratio(sums.absolute_error, sums.pixels)


def mean_squared_error(sums: Sums) -> Counts:
    """Mean squared difference of rain rates [mm2 h-2], (lead,): the rainfall-MSE of Shi et al. 2015."""
    return ratio(sums.squared_error, sums.pixels)


def root_mean_squared_error(sums: Sums) -> Counts:
    """Root of the mean squared difference of rain rates [mm h-1], (lead,)."""
    return np.sqrt(mean_squared_error(sums))


def correlation(sums: Sums) -> Counts:
    """Pearson's correlation of rain rates over all pixels of all cases, (lead,); undefined where either is constant."""
    n, f, o = sums.pixels, sums.forecast, sums.observed
    forecast_spread = _spread(n, f, sums.forecast_squared)
    observed_spread = _spread(n, o, sums.observed_squared)
    return ratio(n * sums.product - f * o, np.sqrt(forecast_spread * observed_spread))


def fss(sums: Sums) -> Counts:
    """Fractions skill score, (lead, threshold, scale): 1 - sum (f - o)^2 / sum (f^2 + o^2) (Roberts and Lean 2008)."""
    spatial = _spatial(sums)
    return np.maximum(0.0, 1.0 - ratio(spatial.fraction_error, spatial.fraction_size))


def pooled_csi(sums: Sums) -> Counts:
    """Critical success index of the greatest value in blocks of pixels, (lead, threshold, pool)."""
    spatial = _spatial(sums)
    events = spatial.pooled_hits + spatial.pooled_misses + spatial.pooled_false_alarms
    return ratio(spatial.pooled_hits, events)


def rapsd_ratio(sums: Sums) -> Counts:
    """Spectral power of the forecasts over that of the observations, (lead, band); below 1 is too smooth."""
    spatial = _spatial(sums)
    return ratio(spatial.forecast_power, spatial.observed_power)


def brier(sums: Sums) -> Counts:
    """Mean squared error of the probabilities, (lead, threshold); undefined where none were scored."""
    return np.full(sums.hits.shape, np.nan) if sums.chances is None else scores_chances.brier(sums.chances)


BY_THRESHOLD = {"csi": csi, "pod": pod, "far": far, "frequency_bias": frequency_bias, "hss": hss, "brier": brier}
BY_LEAD = {
    "mean_absolute_error": mean_absolute_error,
    "mean_error": mean_error,
    "root_mean_squared_error": root_mean_squared_error,
    "correlation": correlation,
}

COUNTED: dict[str, Callable[[Sums], Counts]] = {"cases": lambda sums: sums.cases, "pixels": lambda sums: sums.pixels}

Table = dict[str, dict[str, float | None]]
"""Threshold [mm h-1] -> lead [min] -> score; None where undefined."""


def summary(assessment: Assessment, minutes: Sequence[float]) -> dict[str, Any]:
    """Scores as plain numbers: score -> method -> threshold [mm h-1] -> lead [min], errors, cases and pixels without
    threshold; None where undefined."""
    made: dict[str, Any] = {
        score: {name: table(sums, formula(sums), minutes) for name, sums in assessment.items()}
        for score, formula in BY_THRESHOLD.items()
    }
    for score, line in (BY_LEAD | COUNTED).items():
        made[score] = {name: labelled(minutes, line(sums)) for name, sums in assessment.items()}
    return made


def table(sums: Sums, values: Counts, minutes: Sequence[float]) -> Table:
    """Scores (lead, threshold) as plain numbers."""
    return {f"{t:g}": labelled(minutes, values[:, k]) for k, t in enumerate(sums.thresholds)}


def labelled(minutes: Sequence[float], values: Counts) -> dict[str, float | None]:
    """Lead [min] -> score, rounded to seven places; None where it is not finite."""
    return {f"{minute:g}": plain(value, 7) for minute, value in zip(minutes, values, strict=True)}


def plain(value: float, digits: int = 5) -> float | None:
    """A score for people and JSON: rounded, None where it is undefined."""
    return round(float(value), digits) if np.isfinite(value) else None


def csi_table(assessment: Assessment, minutes: Sequence[float]) -> dict[str, Table]:
    """CSI by method, threshold [mm h-1] and lead [min]."""
    return {name: table(sums, csi(sums), minutes) for name, sums in assessment.items()}


def _spread(pixels: Counts, total: Counts, squared: Counts) -> Counts:
    """n sum x^2 - (sum x)^2, which is n^2 times the variance; 0 where it is nothing but rounding."""
    spread = pixels * squared - total**2
    return np.where(spread > VANISHING * pixels * squared, spread, 0.0)


def _spatial(sums: Sums) -> Spatial:
    if sums.spatial is None:
        raise ValueError("spatial scores need sums made with spatial=True")
    return sums.spatial
