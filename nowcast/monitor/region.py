"""One region as its stores show it now. Every part is read for itself, so that one that is broken hides no other."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import structlog
from icechunk import IcechunkError

from nowcast import registry, skill
from nowcast.alerts.book import read_book
from nowcast.core.scan import RUNGS
from nowcast.core.timeline import parse_time
from nowcast.ladder import FAILURES
from nowcast.monitor.figures import UP, Figure
from nowcast.provenance import STALE_AFTER_CADENCES
from nowcast.settings import Region, Settings
from nowcast.skill import NothingScored
from nowcast.store import quarantine, repository
from nowcast.store.archive import Archive, newest_observed, open_archive, read_slots, received_times
from nowcast.store.due import due
from nowcast.store.forecasts import NO_RUNG, Forecasts, issued_times, newest_record, open_forecasts, records
from nowcast.store.repository import Location
from nowcast.store.template import STATUS_EMPTY, STATUS_MISSING, STATUS_OBSERVED, STATUS_STUCK
from nowcast.verify import scores

log = structlog.get_logger()

STATUSES = {
    "observed": STATUS_OBSERVED,
    "empty": STATUS_EMPTY,
    "stuck": STATUS_STUCK,
    "missing": STATUS_MISSING,
}
STEPS = (*RUNGS, NO_RUNG)
DAY = timedelta(days=1)
SKILL_OVER = timedelta(hours=3)
SKILL_S = 60.0
"""Scores are added up anew after so many seconds: it takes longer than all the rest."""


class Nowcasts(NamedTuple):
    """Those of the last day: rung by slot, "none" where one was withheld, and seconds from receipt to publication."""

    rungs: Mapping[int, str]
    seconds: Mapping[int, float]


@dataclass(eq=False)
class Sight:
    """What is kept of a region between two looks. `clock` tells the time, `told` holds the failures in the log; `made`
    is None until the nowcasts were read."""

    region: Region
    settings: Settings
    clock: Callable[[], datetime]
    made: Nowcasts | None = None
    told: dict[str, str] = field(default_factory=dict)
    _archive: Archive | None = None
    _forecasts: Forecasts | None = None
    _kept: dict[str, tuple[object, list[Figure]]] = field(default_factory=dict)

    @property
    def location(self) -> Location:
        return self.settings.location(self.region.name)

    @property
    def archive(self) -> Archive:
        """StoreNotFound before the first scan."""
        if self._archive is None:
            self._archive = open_archive(self.location.child("archive"))
        return self._archive

    @property
    def forecasts(self) -> Forecasts | None:
        """None before the first nowcast."""
        if self._forecasts is None and repository.exists(self.location.child("forecasts")):
            self._forecasts = open_forecasts(self.location.child("forecasts"))
        return self._forecasts

    def once(self, part: str, key: object, read: Callable[[], Iterator[Figure]]) -> list[Figure]:
        """What is read, or was read when the key was the same."""
        if part not in self._kept or self._kept[part][0] != key:
            self._kept[part] = key, list(read())
        return self._kept[part][1]


def look(sight: Sight) -> list[Figure]:
    """Every figure that can be had of a region; what goes wrong is logged when it begins, and `nowcast_region_up` 0."""
    found: list[Figure] = []
    for name, part in PARTS.items():
        try:
            found += part(sight)
            sight.told.pop(name, None)
        except (*FAILURES, IcechunkError) as error:
            reason = str(error) or type(error).__name__
            if sight.told.get(name) != reason:
                sight.told[name] = reason
                log.error("region cannot be read", region=sight.region.name, part=name, reason=reason)
    return [*found, Figure(UP, float(not sight.told))]


def _scans(sight: Sight) -> Iterator[Figure]:
    archive = sight.archive
    axis, newest = archive.timeline, newest_observed(archive)
    yield Figure("nowcast_cadence_seconds", axis.cadence.total_seconds())
    if newest is None:
        return
    yield Figure("nowcast_scan_age_seconds", (sight.clock() - axis.time(newest)).total_seconds())
    snapshot = repository.snapshot_id(archive.repository)
    yield from sight.once("slots", snapshot, lambda: _slots(archive, newest))


def _slots(archive: Archive, newest: int) -> Iterator[Figure]:
    """Those before the archive's first scan are no gap."""
    status = read_slots(archive, newest + 1 - DAY // archive.timeline.cadence, newest).status
    since_first = status[np.flatnonzero(status != STATUS_MISSING)[0] :]
    for name, kind in STATUSES.items():
        yield Figure("nowcast_slots", float(np.count_nonzero(since_first == kind)), (name,))


def _nowcasts(sight: Sight) -> Iterator[Figure]:
    archive, forecasts = sight.archive, sight.forecasts
    lasts = sight.region.stale_after or STALE_AFTER_CADENCES * archive.timeline.cadence
    yield Figure("nowcast_stale_after_seconds", lasts.total_seconds())
    yield Figure("nowcast_best_rung_step", float(_best(sight.region)))
    if forecasts is None:
        sight.made = Nowcasts({}, {})
        yield Figure("nowcast_queue_scans", float(len(read_slots(archive).observed)))
        return
    stores = archive.repository, forecasts.repository
    key = tuple(repository.snapshot_id(one) for one in stores)
    for figure in sight.once("nowcasts", key, lambda: _issued(sight, archive, forecasts)):
        is_time = figure.name == "nowcast_nowcast_age_seconds"
        yield figure._replace(value=sight.clock().timestamp() - figure.value) if is_time else figure


def _issued(sight: Sight, archive: Archive, forecasts: Forecasts) -> Iterator[Figure]:
    """The age is given as the time that it counts from."""
    yield Figure("nowcast_queue_scans", float(len(due(archive, forecasts))))
    if (newest := newest_record(forecasts)) is None:
        sight.made = Nowcasts({}, {})
        return
    first = max(0, newest[0] + 1 - DAY // forecasts.timeline.cadence)
    known, published = records(forecasts, first), issued_times(forecasts, first)
    received = received_times(archive, first)
    seconds = {k: max(0.0, (published[k] - received[k]).total_seconds()) for k in published if k in received}
    sight.made = Nowcasts({slot: record.rung or RUNGS[0] for slot, record in known.items()}, seconds)
    yield Figure("nowcast_rung_step", float(STEPS.index(newest[1].rung or RUNGS[0])))
    if published:
        last = max(published)
        yield Figure("nowcast_nowcast_age_seconds", forecasts.timeline.time(last).timestamp())
        yield Figure("nowcast_model_info", 1.0, ("served", known[last].model))


def _best(region: Region) -> int:
    return RUNGS.index(region.model) if region.model in RUNGS else 0


def _models(sight: Sight) -> Iterator[Figure]:
    named = registry.pointer(sight.settings.models(sight.region.name))
    if sight.region.model == "default":
        yield Figure("nowcast_model_info", 1.0, ("champion", named.champion or "shipped"))
    if named.shadow is not None:
        yield Figure("nowcast_model_info", 1.0, ("shadow", named.shadow))


def _skill(sight: Sight) -> Iterator[Figure]:
    """Of the last hours; nothing before any nowcast has come true."""
    try:
        newest = skill.newest_scored(sight.location)
    except NothingScored:
        return
    yield Figure("nowcast_scored_age_seconds", (sight.clock() - newest).total_seconds())
    yield from sight.once("skill", sight.clock().timestamp() // SKILL_S, lambda: _csi(sight.location))


def _csi(location: Location) -> Iterator[Figure]:
    found = skill.skill(location, SKILL_OVER)
    for method, sums in found.together.items():
        for minutes, by_threshold in zip(found.minutes, scores.csi(sums), strict=True):
            for threshold, csi in zip(sums.thresholds, by_threshold, strict=True):
                if np.isfinite(csi):
                    yield Figure("nowcast_csi", float(csi), (method, f"{threshold:g}", f"{minutes:g}"))
    for method, csi in skill.overall(found.together).items():
        yield Figure("nowcast_mean_csi", csi, (method,))


def _refused(sight: Sight) -> Iterator[Figure]:
    yield Figure("nowcast_refused_files", float(quarantine.count(sight.settings.quarantine_folder(sight.region.name))))


def _alerts(sight: Sight) -> Iterator[Figure]:
    if not sight.region.alerts:
        return
    book = read_book(sight.location.child("alerts"))
    waits = [(sight.clock() - parse_time(message.written)).total_seconds() for message in book.outbox]
    yield Figure("nowcast_alerts_waiting", float(len(waits)))
    yield Figure("nowcast_alerts_oldest_waiting_seconds", max(waits, default=0.0))
    yield Figure("nowcast_alerts_given_up", float(len(book.dead)))


PARTS: dict[str, Callable[[Sight], Iterator[Figure]]] = {
    "scans": _scans,
    "nowcasts": _nowcasts,
    "models": _models,
    "skill": _skill,
    "quarantine": _refused,
    "alerts": _alerts,
}
"""What is read one by one."""
