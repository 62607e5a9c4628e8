"""Scores as formulas over sums. Where a score is undefined, as CSI is without any event, it is NaN."""

from nowcast.verify.statistics import Counts, Sums


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


def _ratio(part: Counts, whole: Counts) -> Counts:
    ratio: Counts = part / whole.clip(min=1.0)
    ratio[whole == 0] = float("nan")
    return ratio
