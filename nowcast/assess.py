"""Third use case: what was forecast against what came, beside what simpler methods would have said."""

from collections.abc import Mapping
from typing import Any

from nowcast.core.nowcaster import Nowcaster
from nowcast.forecast import forecast_from, judge
from nowcast.models.rollout import Rolling
from nowcast.store.archive import Archive
from nowcast.store.forecasts import Forecasts, issued, read_rain_rate
from nowcast.verify.scores import BY_LEAD, BY_THRESHOLD, labelled, table
from nowcast.verify.statistics import Assessment, merged


def assess(
    archive: Archive,
    forecasts: Forecasts,
    baselines: Mapping[str, Nowcaster[Any]],
    shadow: Forecasts | None = None,
) -> Assessment:
    """Every issued nowcast against the scans that have come since; empty when nothing was issued.

    A pixel counts where it was observed and every method made a forecast. Baselines are made anew from the archive; a
    nowcast for which one of them stood in is left out, unless there are no others.

    With `shadow`, only nowcasts from slots of which its newest model made one too, which are scored as `shadow`.
    """
    done = issued(forecasts)
    done = {slot: model_id for slot, model_id in done.items() if method(model_id) not in baselines} or done
    if shadow is not None:
        shadowed = of_newest_model(shadow)
        done = {slot: model_id for slot, model_id in done.items() if slot in shadowed}
    rollers = {name: Rolling(baseline) for name, baseline in baselines.items()}
    leads = len(forecasts.lead_times)
    totals: Assessment = {}
    for slot, model_id in done.items():
        fields = {name: forecast_from(archive, rolling, slot, leads) for name, rolling in rollers.items()}
        fields[method(model_id)] = read_rain_rate(forecasts, slot)
        if shadow is not None:
            fields["shadow"] = read_rain_rate(shadow, slot)
        totals = merged(totals, judge(archive, slot, fields, forecasts.thresholds))
    return totals


def summarise(assessment: Assessment, forecasts: Forecasts) -> dict[str, Any]:
    """Scores as plain numbers: score -> method -> threshold [mm h-1] -> lead [min]; None where undefined."""
    minutes = [lead.total_seconds() / 60 for lead in forecasts.lead_times]
    summary: dict[str, Any] = {
        score: {name: table(sums, formula(sums), minutes) for name, sums in assessment.items()}
        for score, formula in BY_THRESHOLD.items()
    }
    for score, formula in BY_LEAD.items():
        summary[score] = {name: labelled(minutes, formula(sums)) for name, sums in assessment.items()}
    summary["pixels"] = {name: labelled(minutes, sums.pixels) for name, sums in assessment.items()}
    return summary


def of_newest_model(forecasts: Forecasts) -> dict[int, str]:
    """Slot -> model id of the nowcasts by the model that made the newest one."""
    done = issued(forecasts)
    return {slot: model_id for slot, model_id in done.items() if model_id == done[max(done)]}


def method(model_id: str) -> str:
    """The method behind a model id: what stands before the first dash."""
    return model_id.partition("-")[0]
