"""Third use case: what was forecast against what came, beside what simpler methods would have said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import FloatField
from nowcast.models.rollout import Rolling
from nowcast.store.archive import Archive, read_frames, scan_ids
from nowcast.store.forecasts import Forecasts, issued, read_rain_rate
from nowcast.verify.scores import csi, far, frequency_bias, mean_absolute_error, mean_error, pod
from nowcast.verify.statistics import Sums, compare, zero

Assessment = Mapping[str, Sums]
"""Sums per method, all over the same pixels."""


@dataclass(frozen=True, eq=False)
class Case:
    """One issued nowcast: every method's fields (lead_time, y, x) from the same scans."""

    slot: int
    fields: Mapping[str, FloatField]


def assess(archive: Archive, forecasts: Forecasts, baselines: Mapping[str, Nowcaster[Any]]) -> Assessment:
    """Every issued nowcast against the scans that have come since; empty when nothing was issued.

    A pixel counts where it was observed and every method made a forecast. Baselines are made anew from the archive.
    """
    totals: dict[str, Sums] = {}
    leads = len(forecasts.lead_times)
    for case in _cases(archive, forecasts, baselines):
        for name, sums in _compare(archive, forecasts, case).items():
            totals[name] = totals.get(name, zero(leads, forecasts.thresholds)) + sums
    return totals


def summarise(assessment: Assessment, forecasts: Forecasts) -> dict[str, Any]:
    """Scores as plain numbers: score -> method -> threshold [mm h-1] -> lead [min]; None where undefined."""
    minutes = [f"{lead.total_seconds() / 60:g}" for lead in forecasts.lead_times]
    by_threshold = {"csi": csi, "pod": pod, "far": far, "frequency_bias": frequency_bias}
    by_lead = {"mean_absolute_error": mean_absolute_error, "mean_error": mean_error}
    summary: dict[str, Any] = {
        score: {
            name: {f"{t:g}": _labelled(minutes, formula(sums)[:, k]) for k, t in enumerate(sums.thresholds)}
            for name, sums in assessment.items()
        }
        for score, formula in by_threshold.items()
    }
    for score, formula in by_lead.items():
        summary[score] = {name: _labelled(minutes, formula(sums)) for name, sums in assessment.items()}
    summary["pixels"] = {name: _labelled(minutes, sums.pixels) for name, sums in assessment.items()}
    return summary


def method(model_id: str) -> str:
    """The method behind a model id: what stands before the first dash."""
    return model_id.partition("-")[0]


def _cases(archive: Archive, forecasts: Forecasts, baselines: Mapping[str, Nowcaster[Any]]) -> Iterable[Case]:
    rollers = {name: Rolling(baseline) for name, baseline in baselines.items()}
    for slot, model_id in issued(forecasts).items():
        fields = {name: _rolled(archive, rolling, slot, forecasts) for name, rolling in rollers.items()}
        yield Case(slot, fields | {method(model_id): read_rain_rate(forecasts, slot)})


def _rolled(archive: Archive, rolling: Rolling[Any], slot: int, forecasts: Forecasts) -> FloatField:
    ids = scan_ids(archive, rolling.first_slot(slot), slot)
    state = rolling.advance(slot, ids, lambda first, last: read_frames(archive, first, last))
    return np.stack(list(islice(rolling.nowcaster.forecast(state), len(forecasts.lead_times))))


def _compare(archive: Archive, forecasts: Forecasts, case: Case) -> dict[str, Sums]:
    leads, thresholds = len(forecasts.lead_times), forecasts.thresholds
    observed = read_frames(archive, case.slot + 1, case.slot + leads)
    sums = {name: zero(leads, thresholds) for name in case.fields}
    for lead in range(leads):
        forecast_by_all = np.all([np.isfinite(fields[lead]) for fields in case.fields.values()], axis=0)
        mask = observed.coverage[lead] & forecast_by_all
        if not mask.any():
            continue
        for name, fields in case.fields.items():
            added = compare(fields[lead], observed.rain_rate[lead], mask, lead, leads, thresholds)
            sums[name] = sums[name] + added
    return sums


def _labelled(labels: list[str], values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float | None]:
    return {
        label: round(float(value), 4) if np.isfinite(value) else None
        for label, value in zip(labels, values, strict=True)
    }
