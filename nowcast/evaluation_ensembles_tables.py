"""What an evaluation of members and chances found, as plain numbers. docs/evaluation.md describes the layout."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from nowcast.core.timeline import isoformat
from nowcast.evaluation_ensembles import Assessed, Evaluated, Judged
from nowcast.evaluation_event import LEADS
from nowcast.verify import scores_chances, scores_ensemble
from nowcast.verify.chances import Chances
from nowcast.verify.ensemble import Members
from nowcast.verify.part import Counts, ratio
from nowcast.verify.scores import plain
from nowcast.verify.statistics import merged

ENSEMBLE = {
    "crps": scores_ensemble.crps,
    "fair_crps": scores_ensemble.fair_crps,
    "mean_spread": scores_ensemble.mean_spread,
    "root_mean_squared_error": scores_ensemble.root_mean_squared_error,
    "spread_skill": scores_ensemble.spread_skill,
}
CELL = {
    "brier": scores_chances.brier,
    "brier_skill_score": scores_chances.brier_skill_score,
    "reliability": scores_chances.reliability,
    "resolution": scores_chances.resolution,
    "expected_calibration_error": scores_chances.expected_calibration_error,
    "sharpness": scores_chances.sharpness,
}


def summary(found: Mapping[str, Evaluated]) -> dict[str, Any]:
    """Scores by method and lead step over events by folder, and over all of them together."""
    nothing: Assessed = {}
    total = reduce(merged, (one.judged for one in found.values()), nothing)
    return {
        "events": {folder: _by_method(one.judged) for folder, one in found.items()},
        "all": _by_method(total),
        "sample": {folder: _sample(one) for folder, one in found.items()},
    }


def _sample(one: Evaluated) -> dict[str, Any]:
    substituted = [{"method": name, "by": by, "starts": starts} for (name, by), starts in one.substituted.items()]
    starts = [isoformat(time) for time in one.starts]
    return {"starts": starts, "grid": one.described, "cadence_minutes": one.minutes, "substituted": substituted}


def _by_method(judged: Assessed) -> dict[str, Any]:
    return {name: _by_lead(sums) for name, sums in judged.items()}


def _by_lead(sums: Judged) -> dict[str, Any]:
    lines: list[dict[str, Any]] = [{"n": int(count)} for count in sums.pixels]
    if sums.absolute_error is not None:
        _put(lines, "mae", [plain(value) for value in ratio(sums.absolute_error, sums.pixels)])
    for name, members in (("members", sums.members), ("blocks", sums.blocks)):
        if members is not None:
            _put(lines, name, _of_members(members))
    if sums.chances is not None:
        _put(lines, "chances", _of_chances(sums.chances))
    return {str(k + 1): line for k, line in enumerate(lines)}


def _put(lines: list[dict[str, Any]], name: str, values: list[Any]) -> None:
    for line, value in zip(lines, values, strict=True):
        line[name] = value


def _of_members(members: Members) -> list[dict[str, Any]]:
    scored = {name: formula(members) for name, formula in ENSEMBLE.items()}
    ranks = scores_ensemble.rank_histogram(members)
    return [
        {name: plain(value[k]) for name, value in scored.items()}
        | {"rank_histogram": _plain_all(ranks[k]), "n": int(members.pixels[k])}
        for k in range(LEADS)
    ]


def _of_chances(chances: Chances) -> list[dict[str, Any]]:
    scored = {name: formula(chances) for name, formula in CELL.items()}
    curve, crps = scores_chances.reliability_curve(chances)._asdict(), scores_chances.crps(chances)

    def cell(lead: int, k: int) -> dict[str, Any]:
        lines = {name: _plain_all(values[lead, k]) for name, values in curve.items()}
        counted = {"events": int(chances.events[lead, k]), "reliability_curve": lines}
        return {name: plain(value[lead, k]) for name, value in scored.items()} | counted

    return [
        {"crps": plain(crps[lead])} | {f"{t:g}": cell(lead, k) for k, t in enumerate(chances.thresholds)}
        for lead in range(LEADS)
    ]


def _plain_all(values: Counts) -> list[float | None]:
    return [plain(value) for value in values]
