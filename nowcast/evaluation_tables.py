"""What an evaluation found, as plain numbers. docs/evaluation.md describes the layout."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nowcast.core.timeline import isoformat
from nowcast.evaluation import Evaluated, Substituted
from nowcast.evaluation_event import LEADS
from nowcast.verify import scores
from nowcast.verify.part import Counts
from nowcast.verify.scores import plain
from nowcast.verify.spatial import BANDS, POOLS, SCALES
from nowcast.verify.statistics import Assessment, Sums, merged

CELL = {"csi": scores.csi, "bias": scores.frequency_bias, "pod": scores.pod, "far": scores.far, "hss": scores.hss}
LINE = {
    "mse": scores.mean_squared_error,
    "rmse": scores.root_mean_squared_error,
    "mae": scores.mean_absolute_error,
    "mean_error": scores.mean_error,
    "correlation": scores.correlation,
}


def summary(found: Mapping[str, Evaluated], unusable: Mapping[str, str]) -> dict[str, Any]:
    """All tables over events by folder, and over all of them together; `unusable` gives folders with a reason."""
    total: Assessment = {}
    for one in found.values():
        total = merged(total, one.assessment)
    by_event = {folder: one.assessment for folder, one in found.items()}
    return {
        "events": {folder: counts(assessment) for folder, assessment in by_event.items()},
        "all": counts(total),
        "lead_scores": {"events": {f: lead_scores(a) for f, a in by_event.items()}, "all": lead_scores(total)},
        "sample": {"events": {f: sample(one) for f, one in found.items()}, "all": together(list(found.values()))},
        "unusable": dict(unusable),
    }


def counts(assessment: Assessment) -> dict[str, Any]:
    """method -> threshold [mm h-1] -> lead step -> contingency table, n (pixels) and the scores from it."""
    return {name: _by_threshold(sums) for name, sums in assessment.items()}


def lead_scores(assessment: Assessment) -> dict[str, Any]:
    """method -> lead step -> scores of rain rates, spectral power ratio by wavelength, n (pixels) and starts."""
    return {name: _by_lead(sums) for name, sums in assessment.items()}


def sample(one: Evaluated) -> dict[str, Any]:
    """What an event's scores rest on."""
    minutes = one.sampling.minutes
    return {
        "scans": len(one.times),
        "first": isoformat(one.times[0]),
        "last": isoformat(one.times[-1]),
        "skipped": [{"file": skipped.file, "reason": skipped.reason} for skipped in one.skipped],
        "starts": one.starts,
        "substituted": _nested(one.substituted),
        "pixels": one.grid.height * one.grid.width,
        "grid": one.grid.describe(),
        "spacing_km": round(one.sampling.spacing_km, 4),
        "cadence_minutes": minutes,
        "leads_minutes": [minutes * (k + 1) for k in range(LEADS)],
    }


def together(found: Sequence[Evaluated]) -> dict[str, Any]:
    """What the scores over all events rest on."""
    substituted: Counter[tuple[str, str]] = Counter()
    for one in found:
        substituted.update(one.substituted)
    samplings = {one.sampling for one in found}
    return {
        "events": len(found),
        "scans": sum(len(one.times) for one in found),
        "skipped": sum(len(one.skipped) for one in found),
        "starts": sum(one.starts for one in found),
        "substituted": _nested(substituted),
        "cadence_minutes": sorted({sampling.minutes for sampling in samplings}),
        "spacing_km": sorted({round(sampling.spacing_km, 4) for sampling in samplings}),
    }


def _nested(substituted: Substituted) -> dict[str, dict[str, int]]:
    """method -> method that stood in -> starts."""
    nested: dict[str, dict[str, int]] = {}
    for (name, made_by), starts in substituted.items():
        nested.setdefault(name, {})[made_by] = starts
    return nested


def _by_threshold(sums: Sums) -> dict[str, Any]:
    tables = {"hits": sums.hits, "misses": sums.misses, "false_alarms": sums.false_alarms}
    values = {name: formula(sums) for name, formula in CELL.items()}
    fss, pooled = scores.fss(sums), scores.pooled_csi(sums)

    def cell(lead: int, k: int) -> dict[str, Any]:
        counted = {name: int(table[lead, k]) for name, table in tables.items()} | {"n": int(sums.pixels[lead])}
        scored = {name: plain(value[lead, k]) for name, value in values.items()}
        by_size = {"fss": _labelled(SCALES, fss[lead, k]), "pooled_csi": _labelled(POOLS, pooled[lead, k])}
        return counted | scored | by_size

    return {f"{t:g}": {str(k + 1): cell(k, i) for k in range(LEADS)} for i, t in enumerate(sums.thresholds)}


def _by_lead(sums: Sums) -> dict[str, Any]:
    values = {name: formula(sums) for name, formula in LINE.items()}
    ratio, bands = scores.rapsd_ratio(sums), [f"{shorter}-{longer}" for shorter, longer in BANDS]
    lines = {}
    for k in range(LEADS):
        scored = {name: plain(value[k]) for name, value in values.items()}
        size = {"n": int(sums.pixels[k]), "starts": int(sums.cases[k])}
        lines[str(k + 1)] = scored | {"rapsd_ratio": _labelled(bands, ratio[k])} | size
    return lines


def _labelled(labels: Sequence[object], values: Counts) -> dict[str, float | None]:
    return {str(label): plain(value) for label, value in zip(labels, values, strict=True)}
