"""Scores as formulas over sums. Where a score is undefined, as CSI is without any event, it is NaN."""

from collections.abc import Sequence

import numpy as np

from nowcast.verify.statistics import Assessment, Counts, Sums


def csi(sums: Sums) -> Counts:
    """Critical success index, (lead, threshold): hits / (hits + misses + false alarms)."""
    return _ratio(sums.hits, sums.hits + sums.misses + sums.false_alarms)


def pod(sums: Sums) -> Counts:
    """Probability of detection, (lead, threshold): hits / (hits + misses)."""
    return _ratio(sums.hits, sums.hits + sums.misses)


def far(sums: Sums) -> Counts:
    """False alarm ratio, (lead, threshold): false alarms / (hits + false alarms)."""
    return _ratio(sums.false_alarms, sums.hits + sums.false_alarms)


def frequency_bias(sums: Sums) -> Counts:
    """Forecast events over observed events, (lead, threshold)."""
    return _ratio(sums.hits + sums.false_alarms, sums.hits + sums.misses)


def mean_error(sums: Sums) -> Counts:
    """Mean forecast minus observed rain rate [mm h-1], (lead,)."""
    return _ratio(sums.error, sums.pixels)


def mean_absolute_error(sums: Sums) -> Counts:
    """Mean absolute difference of rain rates [mm h-1], (lead,)."""
    return _ratio(sums.absolute_error, sums.pixels)


BY_THRESHOLD = {"csi": csi, "pod": pod, "far": far, "frequency_bias": frequency_bias}
BY_LEAD = {"mean_absolute_error": mean_absolute_error, "mean_error": mean_error}

Table = dict[str, dict[str, float | None]]
"""Threshold [mm h-1] -> lead [min] -> score; None where undefined."""


def table(sums: Sums, values: Counts, minutes: Sequence[float]) -> Table:
    """Scores (lead, threshold) as plain numbers."""
    return {f"{t:g}": labelled(minutes, values[:, k]) for k, t in enumerate(sums.thresholds)}


def labelled(minutes: Sequence[float], values: Counts) -> dict[str, float | None]:
    """Lead [min] -> score, rounded to four places; None where it is not finite."""
    rounded = (round(float(value), 4) if np.isfinite(value) else None for value in values)
    return {f"{minute:g}": value for minute, value in zip(minutes, rounded, strict=True)}


def csi_table(assessment: Assessment, minutes: Sequence[float]) -> dict[str, Table]:
    """CSI by method, threshold [mm h-1] and lead [min]."""
    return {name: table(sums, csi(sums), minutes) for name, sums in assessment.items()}


def _ratio(part: Counts, whole: Counts) -> Counts:
    ratio: Counts = part / whole.clip(min=1.0)
    ratio[whole == 0] = float("nan")
    return ratio
