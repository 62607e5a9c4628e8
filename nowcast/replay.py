"""A folder of scans through ingest, issue and verify in one process: no Prefect, no Ray."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from icechunk import IcechunkError
from structlog.contextvars import bound_contextvars

from nowcast.assess import Contest, assess, of_newest_model, summarise
from nowcast.assess import contest as contest_at
from nowcast.core.timeline import isoformat
from nowcast.desk import Desk, desk, device
from nowcast.forecast import inputs
from nowcast.ingest import Ingested, Intake, Outcome, ingest, intake
from nowcast.issue import issue_due
from nowcast.models.baselines import Advection
from nowcast.models.rollout import Rolling
from nowcast.roster import PERSISTENCE
from nowcast.score import score_due
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Feed
from nowcast.sources.inflow import Inflow, is_backlog
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_slots
from nowcast.store.forecasts import Record, open_forecasts
from nowcast.store.repository import Location
from nowcast.watch import send

log = structlog.get_logger()

NEW = (Outcome.STORED, Outcome.LATE)
"""What brings a scan that nowcasts can be scored by."""

Progress = Callable[[Ingested, list[str]], None]
"""Called after each file with what became of it and the initial times of the nowcasts it led to."""


def follow_locally(
    region: Region, settings: Settings, feed: Feed, progress: Progress, idle: Callable[[], None]
) -> None:
    """Follow a feed until it is exhausted; `idle` is called whenever nothing new is there.

    What a process before this one left undone is done first. Scans lead to their nowcasts and then to the scores of
    those before; scoring that fails is logged, and tried again with the next scan. A store that fails, as when its disk
    is full, is tried again and again. After an outage the newest scan alone leads to a nowcast, before most others come
    in. Alerts that wait are sent when no scan does, and at the end.
    """
    with bound_contextvars(region=region.name):
        _follow(region, settings, feed, progress, idle)


def _follow(region: Region, settings: Settings, feed: Feed, progress: Progress, idle: Callable[[], None]) -> None:
    where, at, inflow = intake(region, settings), desk(region, settings), Inflow(feed)
    made = _try_to_issue(at)
    _try_to_score(region, settings, ())
    while not inflow.exhausted:
        paths = inflow.poll()
        taken = [one for path in paths if (one := _take(where, inflow, path)) is not None]
        usable = any(one.outcome is not Outcome.QUARANTINED for one in taken)
        made = _try_to_issue(at, is_backlog(paths)) if usable or made is None else []
        tell(progress, taken, made or [])
        if times := new_times(taken):
            _try_to_score(region, settings, times)
        if not paths:
            send(region, settings, datetime.now(UTC))
            idle()
    send(region, settings, datetime.now(UTC))


def tell(progress: Progress, taken: Sequence[Ingested], made: list[str]) -> None:
    """What became of files that came together; their nowcasts stand with the last."""
    for number, one in enumerate(taken, 1):
        progress(one, made if number == len(taken) else [])


def new_times(taken: Iterable[Ingested]) -> list[datetime]:
    """Times of the scans that nowcasts can now be scored by."""
    return [moment for one in taken if one.outcome in NEW for moment in one.times]


def _take(where: Intake, inflow: Inflow, path: Path) -> Ingested | None:
    """What became of a file; None, logged, when it cannot be read now: it comes again."""
    try:
        return ingest(where, path, datetime.now(UTC))
    except OSError as error:
        log.error("file cannot be taken in now", region=where.region.name, file=path.name, reason=str(error))
        inflow.put_back(path)
        return None


def score(region: Region, settings: Settings, times: Collection[datetime] = (), days_back: int = 1) -> list[datetime]:
    """`score_due` of a region; nothing before its first nowcast."""
    location = settings.location(region.name)
    if not repository.exists(location.child("forecasts")):
        return []
    return score_due(location, _contest(location, settings), times, days_back)


def verification(region: Region, settings: Settings) -> dict[str, Any]:
    """What the region's stores hold, and the scores: scans, issues, warm_up, withheld, missed, and score tables.

    `warm_up` counts the nowcasts by persistence from scans with too few before them to see motion, `withheld` the scans
    that led to none, with a reason, `missed` those that led to none without, as scans do that come too late. `stuck`
    counts scans that repeat a picture and are none of these; `rungs` the nowcasts by rung of the fallback ladder.
    `shadow`, where there is one, holds the same scores over the starts that it and the champion share.
    """
    location = settings.location(region.name)
    if not repository.exists(location.child("forecasts")):
        return {"region": region.name, "scans": _scans(region, settings), "issues": 0, "warm_up": 0, "missed": 0}
    contest = _contest(location, settings)
    archive, done = contest.archive, contest.models
    slots, held = read_slots(archive), contest.records
    missed = [isoformat(archive.timeline.time(int(slot))) for slot in slots.observed if int(slot) not in held]
    counts = {
        "region": region.name,
        "scans": len(slots.observed),
        "stuck": len(slots.stuck),
        "issues": len(done),
        "warm_up": _warm_up(region, archive, held),
        "withheld": len(held) - len(done),
        "rungs": dict(Counter(held[slot].rung for slot in done)),
    }
    scores = summarise(assess(contest), contest.forecasts) | _beside_shadow(contest, location)
    return counts | {"missed": len(missed), "missed_times": missed, "models": sorted(set(done.values()))} | scores


def _warm_up(region: Region, archive: Archive, held: Mapping[int, Record]) -> int:
    """How many nowcasts stand on persistence because there was nothing to see motion in."""
    if region.model == PERSISTENCE:
        return 0
    advection = Rolling(Advection())
    return sum(not inputs(archive, advection, slot) for slot, record in held.items() if record.rung == PERSISTENCE)


def _contest(location: Location, settings: Settings) -> Contest:
    archive, forecasts = open_archive(location.child("archive")), open_forecasts(location.child("forecasts"))
    return contest_at(location, archive, forecasts, Advection(device(settings.device)))


def _try_to_issue(at: Desk, newest: bool = False) -> list[str] | None:
    """Initial times of what was due; None, logged, while a store fails: it stays due."""
    try:
        return [isoformat(nowcast.init_time) for nowcast in issue_due(at, datetime.now(UTC), newest=newest)]
    except (OSError, IcechunkError) as error:
        log.error("issuing failed", region=at.region.name, reason=str(error))
        return None


def _try_to_score(region: Region, settings: Settings, times: Collection[datetime]) -> None:
    try:
        score(region, settings, times)
    except (ValueError, ArithmeticError, LookupError, OSError, RuntimeError, IcechunkError) as error:
        log.error("scoring failed", region=region.name, reason=str(error))


def _beside_shadow(contest: Contest, location: Location) -> dict[str, Any]:
    if not repository.exists(location.child("shadow")):
        return {}
    shadow = open_forecasts(location.child("shadow"))
    if not (made := of_newest_model(shadow)):
        return {}
    scores = summarise(assess(replace(contest, shadow=shadow)), contest.forecasts)
    return {"shadow": {"model": next(iter(made.values())), "issues": len(made)} | scores}


def _scans(region: Region, settings: Settings) -> int:
    where = settings.location(region.name).child("archive")
    return len(read_slots(open_archive(where)).observed) if repository.exists(where) else 0
