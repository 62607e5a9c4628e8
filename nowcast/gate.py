"""Is a challenger better than the champion, and than what learns nothing? Decided by counts alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nowcast.verify.statistics import Assessment, Sums, merged

CHALLENGER, CHAMPION = "challenger", "champion"

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """When a challenger is promoted.

    A threshold is judged when it has `fewest_events` observed event pixels, summed over leads and starts, from
    `fewest_starts` starts or more. Skill is CSI of counts summed over leads and starts, its mean over the judged
    thresholds. The challenger's must exceed the champion's by more than `margin`, and every baseline's. At no judged
    threshold may its CSI be lower than the champion's by more than `worst`, nor its frequency bias outside `bias`. It
    must be ahead of the champion in the share `confidence` of `resamples` sets of starts, drawn with replacement (the
    bootstrap of Efron 1979, paired by start), so that no single start promotes.
    """

    fewest_events: int = 1000
    fewest_starts: int = 5
    margin: float = 0.001
    worst: float = 0.02
    bias: tuple[float, float] = (0.5, 2.0)
    confidence: float = 0.9
    resamples: int = 1000


STRICT = Rules()


@dataclass(frozen=True)
class Verdict:
    """Whether to promote, why, and the figures behind it: method -> threshold [mm h-1] -> CSI and frequency bias."""

    promote: bool
    reasons: tuple[str, ...]
    figures: Mapping[str, Any]


def judge(by_start: Sequence[Assessment], rules: Rules = STRICT) -> Verdict:
    """The verdict on `challenger` beside `champion` and any baselines, all on the same pixels, from one set of sums per
    start."""
    if not by_start:
        return Verdict(False, ("too little rain to judge: no start",), {})
    total = reduce(merged, by_start)
    judged = _judged(by_start, rules)
    figures = _figures(total, by_start, judged)
    if not judged.any():
        return Verdict(False, (_too_little(by_start, rules),), figures)
    ahead = _ahead(by_start, judged, rules)
    faults = (*_beaten(total, judged, rules), *_worse(total, judged, rules), *_biased(total, judged, rules))
    if ahead < rules.confidence:
        faults = (
            *faults,
            f"ahead of the champion in {ahead:.0%} of resampled starts, {rules.confidence:.0%} is needed",
        )
    return Verdict(not faults, faults or (_praise(total, judged, ahead),), figures | {"ahead": round(ahead, 4)})


def refusal(*reasons: str) -> Verdict:
    """The verdict without a comparison."""
    return Verdict(False, reasons, {})


def _tables(sums: Sums) -> Counts:
    """Hits, misses, false alarms by threshold, summed over leads: (3, threshold)."""
    return np.stack([table.sum(axis=0) for table in (sums.hits, sums.misses, sums.false_alarms)])


def _csi(tables: Counts) -> Counts:
    """(..., threshold) from (..., 3, threshold); 0 without any event."""
    hits, events = tables[..., 0, :], tables.sum(axis=-2)
    return np.asarray(hits / np.maximum(events, 1.0))


def _bias(tables: Counts) -> Counts:
    """Forecast over observed events, (threshold,)."""
    hits, misses, false_alarms = tables
    return np.asarray((hits + false_alarms) / np.maximum(hits + misses, 1.0))


def _events(by_start: Sequence[Assessment]) -> tuple[Counts, Counts]:
    """Observed event pixels, and starts with any, by threshold."""
    events = np.stack([_tables(one[CHALLENGER])[:2].sum(axis=0) for one in by_start])
    return events.sum(axis=0), (events > 0).sum(axis=0)


def _judged(by_start: Sequence[Assessment], rules: Rules) -> NDArray[np.bool_]:
    """Which thresholds have rain enough."""
    pixels, starts = _events(by_start)
    return np.asarray((pixels >= rules.fewest_events) & (starts >= rules.fewest_starts))


def _too_little(by_start: Sequence[Assessment], rules: Rules) -> str:
    found = zip(by_start[0][CHALLENGER].thresholds, *_events(by_start), strict=True)
    counts = ", ".join(f"{pixels:.0f} pixels from {starts} starts at {t:g} mm/h" for t, pixels, starts in found)
    return f"too little rain to judge: {counts}; {rules.fewest_events} from {rules.fewest_starts} are needed"


def _skill(sums: Sums, judged: NDArray[np.bool_]) -> float:
    return float(_csi(_tables(sums))[judged].mean())


def _ahead(by_start: Sequence[Assessment], judged: NDArray[np.bool_], rules: Rules) -> float:
    """Share of resampled sets of starts in which the challenger's skill is the greater; a tie counts half."""
    random = np.random.default_rng(0)
    drawn = random.integers(len(by_start), size=(rules.resamples, len(by_start)))
    skills = []
    for name in (CHALLENGER, CHAMPION):
        tables = np.stack([_tables(one[name]) for one in by_start])
        skills.append(_csi(tables[drawn].sum(axis=1))[:, judged].mean(axis=1))
    return float(((skills[0] > skills[1]) + 0.5 * (skills[0] == skills[1])).mean())


def _beaten(total: Assessment, judged: NDArray[np.bool_], rules: Rules) -> list[str]:
    mine = _skill(total[CHALLENGER], judged)
    others = {name: _skill(sums, judged) for name, sums in total.items() if name != CHALLENGER}
    margins = {name: rules.margin if name == CHAMPION else 0.0 for name in others}
    return [
        f"mean CSI {mine:.4f} does not exceed that of {name}, {theirs:.4f}"
        for name, theirs in others.items()
        if not mine > theirs + margins[name]
    ]


def _worse(total: Assessment, judged: NDArray[np.bool_], rules: Rules) -> list[str]:
    mine, theirs = (_csi(_tables(total[name])) for name in (CHALLENGER, CHAMPION))
    return [
        f"CSI at {threshold:g} mm/h is {mine[k]:.4f}, the champion's {theirs[k]:.4f}"
        for k, threshold in enumerate(total[CHALLENGER].thresholds)
        if judged[k] and mine[k] < theirs[k] - rules.worst
    ]


def _biased(total: Assessment, judged: NDArray[np.bool_], rules: Rules) -> list[str]:
    found = _bias(_tables(total[CHALLENGER]))
    low, high = rules.bias
    return [
        f"frequency bias at {threshold:g} mm/h is {found[k]:.2f}, outside {low:g} .. {high:g}"
        for k, threshold in enumerate(total[CHALLENGER].thresholds)
        if judged[k] and not low <= found[k] <= high
    ]


def _praise(total: Assessment, judged: NDArray[np.bool_], ahead: float) -> str:
    mine, theirs = (_skill(total[name], judged) for name in (CHALLENGER, CHAMPION))
    return f"mean CSI {mine:.4f} exceeds the champion's {theirs:.4f}, in {ahead:.0%} of resampled starts"


def _figures(total: Assessment, by_start: Sequence[Assessment], judged: NDArray[np.bool_]) -> dict[str, Any]:
    thresholds = [f"{t:g}" for t in total[CHALLENGER].thresholds]
    events, _ = _events(by_start)
    return {
        "starts": len(by_start),
        "judged": [name for name, enough in zip(thresholds, judged, strict=True) if enough],
        "events": dict(zip(thresholds, (int(n) for n in events), strict=True)),
        "csi": {name: _rounded(thresholds, _csi(_tables(sums))) for name, sums in total.items()},
        "frequency_bias": {name: _rounded(thresholds, _bias(_tables(sums))) for name, sums in total.items()},
        "mean_csi": {name: round(_skill(sums, judged), 4) for name, sums in total.items()} if judged.any() else {},
    }


def _rounded(names: Sequence[str], values: Counts) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}
