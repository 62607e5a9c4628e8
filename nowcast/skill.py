"""How good a region's nowcasts were over the last hours or days: the rows that live verification kept, added up."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nowcast.core.timeline import isoformat
from nowcast.store import days, repository
from nowcast.store.archive import Archive, open_archive, read_slots
from nowcast.store.days import Damaged
from nowcast.store.forecasts import open_forecasts
from nowcast.store.repository import Location
from nowcast.store.rows import CASE, METHODS, MOMENT, SERVED, alike, summed
from nowcast.verify import scores
from nowcast.verify.part import Counts, ratio
from nowcast.verify.statistics import Assessment, Sums

UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

FEWEST_SCANS = 6
"""A model is told to lag only when some lead was held against as many scans."""

FEWEST_EVENTS = 1000
"""Observed event pixels that a threshold needs to count in that."""


class NothingScored(ValueError):
    """No nowcast of the region has come true yet; the message names the store."""


@dataclass(frozen=True)
class Scans:
    """How much of a window has scans: slots in it, those observed, those that nowcasts were scored by."""

    slots: int
    observed: int
    scored: int


@dataclass(frozen=True, eq=False)
class Skill:
    """Sums of the nowcasts valid after `start` and until `until`, both included but the first.

    `together` holds them by method, `by_model` by the model that made the nowcast and then by method; each is over the
    same nowcasts and pixels for all methods. `newest` is the newest time that was scored at all, `minutes` are the
    leads, `rungs` and `nowcasts` count nowcasts by model. `damaged` days could not be read; `left_out` rows are over
    other thresholds than the newest.
    """

    start: datetime
    until: datetime
    newest: datetime
    minutes: tuple[int, ...]
    scans: Scans
    together: Assessment
    by_model: Mapping[str, Assessment]
    rungs: Mapping[str, Mapping[str, int]]
    damaged: tuple[date, ...] = ()
    left_out: int = 0


def skill(location: Location, window: timedelta, until: datetime | None = None) -> Skill:
    """The skill of the region at a location over the window that ends at `until`, the newest scored time when absent.

    Raises NothingScored, StoreNotFound without an archive, and ValueError for a window that is not positive.
    """
    if window <= timedelta(0):
        raise ValueError(f"window must be positive, not {window}")
    newest = newest_scored(location)
    end = until or newest
    rows, damaged = _rows(location, end - window, end)
    same = alike(rows)
    kept = rows.filter(pa.array(same))
    minutes = _leads(location, kept)
    models = sorted(pc.unique(kept["model"]).to_pylist())
    by_model = {model: kept.filter(pc.equal(kept["model"], model)) for model in models}
    return Skill(
        start=end - window,
        until=end,
        newest=newest,
        minutes=minutes,
        scans=_scans(open_archive(location.child("archive")), end - window, end, kept),
        together=_assessment(kept, minutes),
        by_model={model: _assessment(part, minutes) for model, part in by_model.items()},
        rungs={model: _nowcasts_by_rung(part) for model, part in by_model.items()},
        damaged=damaged,
        left_out=int(np.count_nonzero(~same)),
    )


def newest_scored(location: Location) -> datetime:
    """The newest valid time that any nowcast was scored at; NothingScored when there is none."""
    for day in reversed(days.days(location)):
        try:
            found = days.read(location, day, ["valid_time"])
        except Damaged:
            continue
        if found is not None and len(found):
            newest: datetime = pc.max(found["valid_time"]).as_py()
            return newest
    raise NothingScored(f"no nowcast has been scored yet at {location.url}")


def tables(found: Skill, now: datetime) -> dict[str, Any]:
    """All of it as plain numbers, as docs/verification.md lays them out; `now` tells the age."""
    return {
        "from": isoformat(found.start),
        "until": isoformat(found.until),
        "newest_scored": isoformat(found.newest),
        "age_minutes": round((now - found.newest) / timedelta(minutes=1), 1),
        "scans": {"slots": found.scans.slots, "observed": found.scans.observed, "scored": found.scans.scored},
        "nowcasts": sum(sum(counts.values()) for counts in found.rungs.values()),
        "damaged": [day.isoformat() for day in found.damaged],
        "left_out": found.left_out,
        **_figures(found.together, found),
        "models": {
            model: {"nowcasts": sum(found.rungs[model].values()), "rungs": dict(found.rungs[model])}
            | _figures(assessment, found)
            for model, assessment in found.by_model.items()
        },
    }


def overall(together: Assessment) -> dict[str, float]:
    """CSI by method, of counts summed over leads, its mean over thresholds with FEWEST_EVENTS observed event pixels.

    Empty when too little rain or too few scans tell. All methods must be over the same nowcasts and pixels.
    """
    if (served := together.get(SERVED)) is None or served.cases.max() < FEWEST_SCANS:
        return {}
    judged = _judged(served)
    if not judged.any():
        return {}
    return {method: float(_csi_over_leads(sums)[judged].mean()) for method, sums in together.items()}


def behind(served: Sums, advection: Sums, over: timedelta) -> str:
    """Why a model should stop being served, as "CSI 0.310 below advection's 0.350 over 3 h"; empty when it need not, or
    when too little rain or too few scans tell.

    Both sums are over the same nowcasts and pixels, as `recent` gives them. CSI is of counts summed over leads, its
    mean over the thresholds with FEWEST_EVENTS observed event pixels.
    """
    judged = _judged(served)
    if not judged.any() or served.cases.max() < FEWEST_SCANS:
        return ""
    mine, theirs = (float(_csi_over_leads(sums)[judged].mean()) for sums in (served, advection))
    return f"CSI {mine:.3f} below advection's {theirs:.3f} over {in_words(over)}" if mine < theirs else ""


def recent(location: Location, model_id: str, until: datetime, over: timedelta) -> Assessment:
    """Sums by method of one model's nowcasts that were valid within `over` before `until`; empty when there are none.

    A model that is not served any more has fewer and fewer, and then none.
    """
    rows, _ = _rows(location, until - over, until)
    rows = rows.filter(pc.equal(rows["model"], model_id))
    rows = rows.filter(pa.array(alike(rows)))
    return _assessment(rows, tuple(pc.unique(rows["lead_minutes"]).sort().to_pylist()))


def parse_window(text: str) -> timedelta:
    """A duration such as 24h, 30d or 90min; ValueError for any other text."""
    match = re.fullmatch(r"(\d+)(min|h|d)", text)
    if match is None or not int(match[1]):
        raise ValueError(f"window {text!r} is no duration such as 24h, 30d or 90min")
    return int(match[1]) * UNITS[match[2]]


def in_words(duration: timedelta) -> str:
    """30 d, 3 h, 90 min: whole numbers of the largest unit above one that fits."""
    for name, unit in (("d", UNITS["d"]), ("h", UNITS["h"])):
        if duration % unit == timedelta(0) and (name == "h" or duration > unit):
            return f"{duration // unit} {name}"
    return f"{duration / UNITS['min']:g} min"


def _rows(location: Location, start: datetime, end: datetime) -> tuple[pa.Table, tuple[date, ...]]:
    """Rows valid after `start` and until `end`, and the days that could not be read."""
    found, damaged = [pa.schema([*CASE.items(), ("thresholds", pa.list_(pa.float64()))]).empty_table()], []
    for day in days.days(location):
        if start.date() <= day <= end.date():
            try:
                found.append(days.read(location, day))
            except Damaged:
                damaged.append(day)
    rows = pa.concat_tables([table for table in found if table is not None], promote_options="default")
    valid = rows["valid_time"]
    within = pc.and_(pc.greater(valid, pa.scalar(start, MOMENT)), pc.less_equal(valid, pa.scalar(end, MOMENT)))
    return rows.filter(within), tuple(damaged)


def _leads(location: Location, rows: pa.Table) -> tuple[int, ...]:
    """Minutes of all leads that nowcasts have, those that nothing came true at yet among them."""
    where, found = location.child("forecasts"), set(pc.unique(rows["lead_minutes"]).to_pylist())
    if repository.exists(where):
        found |= {lead // UNITS["min"] for lead in open_forecasts(where).lead_times}
    return tuple(sorted(found))


def _assessment(rows: pa.Table, minutes: tuple[int, ...]) -> Assessment:
    parts = {method: rows.filter(pc.equal(rows["method"], method)) for method in METHODS}
    return {method: summed(part, minutes) for method, part in parts.items() if len(part)}


def _scans(archive: Archive, start: datetime, end: datetime, rows: pa.Table) -> Scans:
    axis = archive.timeline
    within = read_slots(archive, (start - axis.start) // axis.cadence, (end - axis.start) // axis.cadence).observed
    observed, slots = [axis.time(slot) for slot in within.tolist()], (end - start) // axis.cadence
    return Scans(slots, sum(start < time <= end for time in observed), len(pc.unique(rows["valid_time"])))


def _nowcasts_by_rung(rows: pa.Table) -> dict[str, int]:
    pairs = zip(rows["init_time"].to_pylist(), rows["rung"].to_pylist(), strict=True)
    return dict(sorted(Counter(rung for _, rung in set(pairs)).items()))


def _figures(assessment: Assessment, found: Skill) -> dict[str, Any]:
    """Scores as `nowcast verify` has them, and `skill` against either baseline."""
    against = {name: sums for name, sums in assessment.items() if name != SERVED}
    gained: dict[str, Any] = {score: {} for score in ("csi_difference", "mse_skill", "brier_skill")}
    for name, sums in against.items():
        mine = assessment[SERVED]
        difference, by_brier = scores.csi(mine) - scores.csi(sums), _gain(scores.brier, mine, sums)
        gained["csi_difference"][name] = scores.table(mine, difference, found.minutes)
        gained["brier_skill"][name] = scores.table(mine, by_brier, found.minutes)
        gained["mse_skill"][name] = scores.labelled(found.minutes, _gain(scores.mean_squared_error, mine, sums))
    return scores.summary(assessment, found.minutes) | {"skill": gained}


def _gain(error: Callable[[Sums], Counts], mine: Sums, theirs: Sums) -> Counts:
    """1 - error over the other's; undefined where the other makes none."""
    return 1.0 - ratio(error(mine), error(theirs))


def _judged(sums: Sums) -> NDArray[np.bool_]:
    """(threshold,): those with observed events enough."""
    judged: NDArray[np.bool_] = (sums.hits + sums.misses).sum(axis=0) >= FEWEST_EVENTS
    return judged


def _csi_over_leads(sums: Sums) -> Counts:
    """(threshold,); 0 without any event."""
    hits, misses, false_alarms = (part.sum(axis=0) for part in (sums.hits, sums.misses, sums.false_alarms))
    csi: Counts = hits / np.maximum(hits + misses + false_alarms, 1.0)
    return csi
