"""Live verification: what a scan says about every nowcast that was valid at its time, kept as sums by day."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock

import structlog

from nowcast.assess import Contest, judged
from nowcast.core.crashpoints import reached
from nowcast.core.timeline import isoformat
from nowcast.store import days
from nowcast.store.archive import newest_observed, read_slots
from nowcast.store.days import Pair
from nowcast.store.repository import Location
from nowcast.store.rows import Row, row

log = structlog.get_logger()

Due = dict[date, dict[int, list[int]]]
"""Day of the valid time -> slot of a nowcast -> its leads, 1 being the first."""


def score_due(
    location: Location, contest: Contest, times: Collection[datetime] = (), days_back: int = 1
) -> list[datetime]:
    """Score what has come true and was not scored yet; the valid times that rows came in for, ascending.

    Looked at are the observed slots of the newest scan's day (UTC) and of `days_back` days before, and those at
    `times`, however old, as of a scan that came late. A day is put in place as a whole: a kill loses at most the work
    on one, which the next call does again. Repeating it changes nothing.
    """
    slots, found = _looked_at(contest, times, days_back), set[datetime]()
    contest = replace(contest, first=max(0, min(slots, default=0) - contest.leads))
    for day, nowcasts in sorted(_due(location, contest, slots).items()):
        rows = [one for slot, leads in sorted(nowcasts.items()) for one in _rows(contest, slot, leads)]
        reached("score.day.before")
        if days.add(location, day, rows):
            reached("score.day.after")
            found |= {one["valid_time"] for one in rows}
    if found:
        log.info("scored", store=location.url, scans=len(found), newest=isoformat(max(found)))
    return sorted(found)


def _due(location: Location, contest: Contest, slots: Iterable[int]) -> Due:
    """Nowcasts and leads that an observed slot was not yet held against."""
    time, due = contest.archive.timeline.time, Due()
    known: dict[date, set[Pair]] = {}
    for slot in slots:
        valid = time(slot)
        for lead in range(1, contest.leads + 1):
            if slot - lead in contest.models:
                done = known[valid.date()] if valid.date() in known else days.scored(location, valid.date())
                known[valid.date()] = done
                if (valid, time(slot - lead)) not in done:
                    due.setdefault(valid.date(), {}).setdefault(slot - lead, []).append(lead)
    return due


def _looked_at(contest: Contest, times: Collection[datetime], days_back: int) -> list[int]:
    """Observed slots, ascending."""
    axis, newest = contest.archive.timeline, newest_observed(contest.archive)
    if newest is None:
        return []
    since = datetime.combine(axis.time(newest).date() - timedelta(days=days_back), clock(), UTC)
    first = (min((since, *(one for one in times if one >= axis.start))) - axis.start) // axis.cadence
    observed = read_slots(contest.archive, first).observed.tolist()
    return [slot for slot in observed if axis.time(slot) >= since or axis.time(slot) in times]


def _rows(contest: Contest, slot: int, leads: list[int]) -> Iterator[Row]:
    """A row per lead and method of the nowcast from a slot."""
    start = contest.archive.timeline.time(slot)
    about = {"init_time": start, "model": contest.models[slot], "rung": contest.records[slot].rung}
    for lead, assessment in judged(contest, slot, leads):
        ahead = contest.forecasts.lead_times[lead - 1]
        case = about | {"valid_time": start + ahead, "lead_minutes": ahead // timedelta(minutes=1)}
        for method, sums in assessment.items():
            yield row(case | {"method": method}, sums, lead - 1)
