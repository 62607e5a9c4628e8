"""What follows a nowcast: the outlook of every catchment, kept, and the alerts of the region's rules."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from icechunk import IcechunkError

from nowcast.alerts import judging
from nowcast.alerts.book import read_book
from nowcast.alerts.delivery import deliver
from nowcast.alerts.judging import update_alerts
from nowcast.alerts.rules import EVERY
from nowcast.catchments.geojson import read_catchments
from nowcast.catchments.outlooks import CatchmentOutlook, Origin, outlooks
from nowcast.catchments.polygons import Catchment, Weights, weigh
from nowcast.core.grid import Grid
from nowcast.core.timeline import parse_time
from nowcast.core.types import FloatField
from nowcast.ladder import FAILURES
from nowcast.settings import Region, Settings
from nowcast.store.forecasts import Forecasts, issued, read_rain_rate
from nowcast.store.outlooks import outlooks_at, publish_outlooks

log = structlog.get_logger()

AROUND = 32
"""Pixels beyond the catchments that members are made on as well: what rain looks like is read off them."""


@dataclass(frozen=True, eq=False)
class Watch:
    """A region's catchments on its grid, and its rules."""

    region: Region
    settings: Settings
    weights: tuple[Weights, ...]

    def window(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of a grid of `shape` that hold all catchments and some pixels around."""
        rows, cols = (
            slice(
                max(0, min(int(places.min()) for places in of_axis) - AROUND),
                min(side, max(int(places.max()) for places in of_axis) + 1 + AROUND),
            )
            for of_axis, side in zip(zip(*((w.rows, w.cols) for w in self.weights), strict=True), shape, strict=True)
        )
        return rows, cols


def watch(region: Region, settings: Settings, grid: Grid) -> Watch:
    """A region's watch, without catchments when its YAML names no file.

    Raises ValueError or OSError for a file that cannot be read, a catchment outside the grid, a rule for no catchment.
    """
    path = settings.catchments(region)
    if path is None:
        return Watch(region, settings, ())
    catchments = read_catchments(path)
    require_known(region, path, catchments)
    return Watch(region, settings, tuple(weigh(one, grid) for one in catchments))


def require_known(region: Region, path: Path, catchments: Iterable[Catchment]) -> None:
    """ValueError for a rule of the region whose catchment is not among those of its file."""
    known = {EVERY, *(one.catchment_id for one in catchments)}
    for rule in region.alerts:
        if rule.catchment not in known:
            raise ValueError(f"rule {rule.name} of region {region.name}: {path} has no catchment {rule.catchment}")


def after_nowcast(
    watch: Watch, members_by_lead: Iterable[FloatField], origin: Origin, now: datetime
) -> tuple[CatchmentOutlook, ...]:
    """Make and keep the outlooks of a nowcast that was published, and write down what its alerts are.

    Fields are (member, y, x) [mm h-1], lead by lead. Nothing is sent, see `send`. Whatever goes wrong with one of the
    steps is logged and stops neither the caller nor the others; without outlooks the result is empty.
    """
    where, made = watch.settings.location(watch.region.name), tuple[CatchmentOutlook, ...]()
    with logged("no outlooks", watch.region):
        made = outlooks(watch.weights, members_by_lead, origin)
    if made:
        with logged("outlooks not kept", watch.region):
            publish_outlooks(where.child("catchments"), made, now)
        with logged("alerts not judged", watch.region):
            update_alerts(where.child("alerts"), watch.region.alerts, made, now)
    return made


def is_followed(watch: Watch, init_time: datetime, model: str, now: datetime) -> bool:
    """Whether the outlooks of a nowcast are kept and, unless it is stale, the alerts judged by it.

    ValueError or OSError when that cannot be read.
    """
    where = watch.settings.location(watch.region.name)
    if not outlooks_at(where.child("catchments"), init_time, model):
        return False
    if not watch.region.alerts or now - init_time > judging.STALE_AFTER:
        return True
    standings = read_book(where.child("alerts")).standings.values()
    judged = [bool(one.judged) and parse_time(one.judged) >= init_time for one in standings]
    return bool(judged) and all(judged)


def send(region: Region, settings: Settings, now: datetime) -> None:
    """Send the alerts that wait, in a few seconds at most: after publishing, in every cycle, where no nowcast waits."""
    if region.alerts:
        with logged("alerts not sent", region):
            deliver(settings.location(region.name).child("alerts"), region.alerts, settings.token, now)


@contextmanager
def logged(what: str, region: Region) -> Iterator[None]:
    """Log what goes wrong instead of raising it."""
    try:
        yield
    except (*FAILURES, IcechunkError) as error:
        log.error(what, region=region.name, reason=str(error) or type(error).__name__)


def one_member(fields: Iterable[FloatField]) -> Iterator[FloatField]:
    """A deterministic nowcast's fields (y, x), lead by lead, as an ensemble of one member."""
    return (field[None] for field in fields)


def from_store(watch: Watch, forecasts: Forecasts) -> tuple[CatchmentOutlook, ...]:
    """The outlooks of the newest nowcast in a store, as one member; empty when there is no nowcast. Nothing is kept."""
    if not (done := issued(forecasts)):
        return ()
    slot = max(done)
    origin = Origin(watch.region.name, forecasts.timeline.time(slot), forecasts.lead_times, done[slot])
    return outlooks(watch.weights, one_member(read_rain_rate(forecasts, slot)), origin)
