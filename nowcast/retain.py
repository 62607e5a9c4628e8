"""Fourth use case: a region's stores keep what is young enough, so that they do not grow for ever."""

from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from nowcast.settings import Region, Settings
from nowcast.store import repository
from nowcast.store.retention import empty, sweep

log = structlog.get_logger()

STORES = ("archive", "forecasts", "advection", "shadow")
LONGER = timedelta(days=1)
"""Scans stay so much longer than nowcasts, which are scored beside those made anew from the scans before them."""


class Retained(NamedTuple):
    """What went from one store: slots emptied, commits forgotten, bytes freed."""

    store: str
    slots: int
    commits: int
    freed: int


def retain(region: Region, settings: Settings, now: datetime) -> list[Retained]:
    """Empty and sweep the region's stores as `keep` and `keep_history` say; what went from each.

    It may run beside everything else, and again after a kill. Scores by day, outlooks and alerts stay. Raises
    TimeoutError or Conflict, an OSError both, when others write; that may be tried again.
    """
    made = []
    for name in STORES:
        where = settings.location(region.name).child(name)
        if not repository.exists(where):
            continue
        keep = region.keep and region.keep + (LONGER if name == "archive" else timedelta(0))
        slots = empty(where, keep, now) if keep else 0
        swept = sweep(where, region.keep_history, now)
        made.append(Retained(name, slots, swept.commits, swept.freed))
        log.info("retained", region=region.name, **made[-1]._asdict())
    return made
