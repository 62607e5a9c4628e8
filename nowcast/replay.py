"""A folder of scans through ingest, issue and verify in one process: no Prefect, no Ray."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from nowcast.assess import assess, of_newest_model, summarise
from nowcast.core.timeline import isoformat
from nowcast.forecast import inputs
from nowcast.ingest import Ingested, Outcome, ingest, intake
from nowcast.issue import desk, device, issue_due
from nowcast.models.baselines import Advection, baselines
from nowcast.models.rollout import Rolling
from nowcast.roster import PERSISTENCE
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Feed
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_slots
from nowcast.store.forecasts import Forecasts, Record, issued, open_forecasts, records
from nowcast.store.repository import Location

Progress = Callable[[Ingested, list[str]], None]


def follow_locally(
    region: Region, settings: Settings, feed: Feed, progress: Progress, idle: Callable[[], None]
) -> None:
    """Follow a feed until it is exhausted; `idle` is called whenever nothing new is there."""
    where, at = intake(region, settings), desk(region, settings)
    while not feed.exhausted:
        paths = feed.poll()
        for path in paths:
            taken = ingest(where, path, datetime.now(UTC))
            made = issue_due(at, datetime.now(UTC)) if taken.outcome is not Outcome.QUARANTINED else []
            progress(taken, [isoformat(nowcast.init_time) for nowcast in made])
        if not paths:
            idle()


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
    archive = open_archive(location.child("archive"))
    forecasts = open_forecasts(location.child("forecasts"))
    slots, held, done = read_slots(archive), records(forecasts), issued(forecasts)
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
    scores = summarise(assess(archive, forecasts, baselines(device(settings.device))), forecasts)
    scores |= _beside_shadow(archive, forecasts, settings, location)
    return counts | {"missed": len(missed), "missed_times": missed, "models": sorted(set(done.values()))} | scores


def _warm_up(region: Region, archive: Archive, held: Mapping[int, Record]) -> int:
    """How many nowcasts stand on persistence because there was nothing to see motion in."""
    if region.model == PERSISTENCE:
        return 0
    advection = Rolling(Advection())
    return sum(not inputs(archive, advection, slot) for slot, record in held.items() if record.rung == PERSISTENCE)


def _beside_shadow(archive: Archive, forecasts: Forecasts, settings: Settings, location: Location) -> dict[str, Any]:
    if not repository.exists(location.child("shadow")):
        return {}
    shadow = open_forecasts(location.child("shadow"))
    if not (made := of_newest_model(shadow)):
        return {}
    scores = summarise(assess(archive, forecasts, baselines(device(settings.device)), shadow), forecasts)
    return {"shadow": {"model": next(iter(made.values())), "issues": len(made)} | scores}


def _scans(region: Region, settings: Settings) -> int:
    where = settings.location(region.name).child("archive")
    return len(read_slots(open_archive(where)).observed) if repository.exists(where) else 0
