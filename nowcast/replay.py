"""A folder of scans through ingest, issue and verify in one process: no Prefect, no Ray."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from icechunk import IcechunkError

from nowcast.assess import Contest, assess, of_newest_model, summarise
from nowcast.assess import contest as contest_at
from nowcast.core.timeline import isoformat
from nowcast.desk import desk, device
from nowcast.forecast import inputs
from nowcast.ingest import Ingested, Outcome, ingest, intake
from nowcast.issue import issue_due
from nowcast.models.baselines import Advection
from nowcast.models.rollout import Rolling
from nowcast.roster import PERSISTENCE
from nowcast.score import score_due
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Feed
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_slots
from nowcast.store.forecasts import Record, open_forecasts
from nowcast.store.repository import Location
from nowcast.watch import send

log = structlog.get_logger()

NEW = (Outcome.STORED, Outcome.LATE)
"""What brings a scan that nowcasts can be scored by."""

Progress = Callable[[Ingested, list[str]], None]


def follow_locally(
    region: Region, settings: Settings, feed: Feed, progress: Progress, idle: Callable[[], None]
) -> None:
    """Follow a feed until it is exhausted; `idle` is called whenever nothing new is there.

    Each scan first leads to its nowcast and then to the scores of those before; scoring that fails is logged, and tried
    again with the next scan.
    """
    where, at = intake(region, settings), desk(region, settings)
    issue_due(at, datetime.now(UTC))
    _try_to_score(region, settings, ())
    while not feed.exhausted:
        paths = feed.poll()
        for path in paths:
            taken = ingest(where, path, datetime.now(UTC))
            made = issue_due(at, datetime.now(UTC)) if taken.outcome is not Outcome.QUARANTINED else []
            progress(taken, [isoformat(nowcast.init_time) for nowcast in made])
            if taken.outcome in NEW:
                _try_to_score(region, settings, taken.times)
        if not paths:
            send(region, settings, datetime.now(UTC))
            idle()


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
