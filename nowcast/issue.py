"""Second use case: every archived scan gets a nowcast, exactly one, whole, on the best rung that holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import structlog
from icechunk import IcechunkError
from structlog.contextvars import bound_contextvars

from nowcast.catchments.outlooks import Origin
from nowcast.core.crashpoints import reached
from nowcast.core.scan import Nowcast, brief
from nowcast.core.timeline import isoformat
from nowcast.core.types import FlagField, FloatField
from nowcast.desk import Desk, desk_of, device
from nowcast.forecast import FEWEST_SCANS, inputs
from nowcast.ladder import FAILURES, Benched, Step, deadline, descend
from nowcast.members import members_from, outlooks_from, rates_from
from nowcast.models.outlook import Outlook, Window, whole_blocks
from nowcast.models.rollout import Rolling
from nowcast.quality import check_forecast
from nowcast.roster import (
    ADVECTION,
    CHAMPION,
    PERSISTENCE,
    Roster,
    complain,
    lend_motion,
    method_at,
    refresh,
    rolling,
    rungs,
)
from nowcast.settings import Region, Settings
from nowcast.sight import view
from nowcast.store.archive import Archive, read_frames, received, scan_ids
from nowcast.store.due import due
from nowcast.store.forecasts import (
    NO_RUNG,
    Forecasts,
    Record,
    newest_record,
    publish,
    record_at,
    withhold,
)
from nowcast.store.template import RADAR_NEVER
from nowcast.watch import after_nowcast, is_followed, logged

log = structlog.get_logger()


def at_leisure() -> None:
    """No deadline."""


@dataclass
class Excerpt:
    """What the last method that was asked said of a window of the grid, lead by lead; nothing without a window."""

    window: Window | None = None
    outlooks: list[Outlook] = field(default_factory=list)

    def note(self, outlook: Outlook) -> None:
        """One more lead."""
        if self.window is not None:
            self.window = whole_blocks(self.window, outlook.block, outlook.shape)
            self.outlooks.append(outlook.crop(self.window))


class Start(NamedTuple):
    """A slot to forecast from: its frame (y, x) [mm h-1], flags of radar coverage, the share of the usual one, why
    motion cannot be seen, empty when it can, and what is kept of the last forecast made."""

    slot: int
    rain_rate: FloatField
    radar_coverage: FlagField
    share: float
    unmoved: str
    excerpt: Excerpt


def issue_without_actor(
    region: Region, settings: Settings, reason: str, now: datetime, newest: bool = False
) -> list[Nowcast]:
    """Issue what is due by the rungs that need no model, in this process; `reason` says why no model can be asked."""
    roster = Roster(settings.models(region.name), region.model, device(settings.device))
    return issue_due(desk_of(region, settings, roster, reason), now, newest=newest)


def issue_due(desk: Desk, now: datetime, most: int | None = None, newest: bool = False) -> list[Nowcast]:
    """Make and publish a nowcast for every slot that is due, oldest first, or for the first `most` of them.

    With `newest`, as after an outage, only for the newest; those before it are not due any more when it is published.

    Each is by the best method of its moment that works. Advection's own is kept beside each. When all are published,
    the shadow makes its own of the same slots.
    """
    with bound_contextvars(region=desk.region.name):
        return _issue_due(desk, now, most, newest)


def _issue_due(desk: Desk, now: datetime, most: int | None, newest: bool) -> list[Nowcast]:
    archive, time_is = desk.archive, ticking(now, desk.clock)
    if archive is None:
        return []
    if not desk.is_resumed:
        _resume(desk, archive, now)
    desk.is_resumed = False
    made: list[Nowcast] = []
    slots = due(archive, desk.forecasts(archive))
    for slot in slots[-1:] if newest else slots:
        if len(made) == most:
            break
        told = _named(desk, archive, slot)
        with bound_contextvars(**told):
            if (nowcast := _issue(desk, archive, slot, now, time_is, told)) is not None:
                made.append(nowcast)
    if (shadow := desk.roster.named.shadow) is not None and not desk.stand_in:
        for nowcast in made:
            slot = archive.timeline.slot(nowcast.init_time)
            _beside(desk, archive, "shadow", shadow, partial(_start, desk, archive, slot), now)
    with logged("what follows a nowcast may be left undone", desk.region):
        desk.is_resumed = not made or _is_followed(desk, archive, made[-1].init_time, made[-1].model, now)
    return made


def ticking(now: datetime, clock: Callable[[], float]) -> Callable[[], datetime]:
    """What time it is: `now` at this call, and as much later as the clock is then."""
    begun = clock()
    return lambda: now + timedelta(seconds=clock() - begun)


def _named(desk: Desk, archive: Archive, slot: int) -> dict[str, str]:
    """What the log calls the nowcast from a slot, and the scan that it starts from."""
    (scan_id,), region = scan_ids(archive, slot, slot), desk.region.name
    name = f"{region}/{isoformat(archive.timeline.time(slot))}"
    return {"region": region, "nowcast": name, "scan": brief(scan_id)}


def _resume(desk: Desk, archive: Archive, now: datetime) -> None:
    """Do what should have followed the newest nowcast, where a process was killed, or a store failed, before that."""
    forecasts = desk.forecasts(archive)
    slot, held = newest_record(forecasts) or (-1, Record("", NO_RUNG))
    if not held.is_issued or desk.stand_in:
        return
    start = _start(desk, archive, slot)
    if not start.unmoved and record_at(desk.beside(ADVECTION, archive), slot) is None:
        _beside(desk, archive, ADVECTION, ADVECTION, lambda: start, now)
    with logged("what follows a nowcast was not made up for", desk.region):
        if not _is_followed(desk, archive, archive.timeline.time(slot), held.model, now):
            method = method_at(desk.roster, held.model, archive.sampling)
            again = make(method, archive, forecasts, start, now)
            _look_after(desk, archive, replace(again, rung=held.rung), start, now)


def _is_followed(desk: Desk, archive: Archive, init_time: datetime, model: str, now: datetime) -> bool:
    """Whether a nowcast has its outlooks and its alerts are judged, where there are catchments."""
    on_watch = desk.watch(archive.grid)
    return on_watch is None or not on_watch.weights or is_followed(on_watch, init_time, model, now)


def _issue(
    desk: Desk, archive: Archive, slot: int, now: datetime, time_is: Callable[[], datetime], told: dict[str, str]
) -> Nowcast | None:
    """Publish the nowcast from a slot, or write down why there is none; None when nothing was published."""
    forecasts, start = desk.forecasts(archive), _start(desk, archive, slot)
    init_time = archive.timeline.time(slot)
    nowcast, reason = _best(desk, archive, forecasts, start, now)
    if nowcast is None:
        if withhold(forecasts, init_time, reason, now):
            log.error("nowcast withheld", **told, reason=reason)
        return None
    reached("issue.made")
    is_new = publish(forecasts, nowcast, published := time_is())
    reached("issue.published")
    if is_new:
        by = {"model": nowcast.model, "rung": nowcast.rung, "reason": reason}
        after = round((published - received(archive, slot)).total_seconds(), 1)
        (log.warning if reason else log.info)("nowcast published", **told, **by, seconds_after_receipt=after)
    _beside(desk, archive, ADVECTION, ADVECTION, lambda: start, now, nowcast)
    reached("issue.beside")
    if is_new:
        _look_after(desk, archive, nowcast, start, now)
    return nowcast if is_new else None


def _look_after(desk: Desk, archive: Archive, nowcast: Nowcast, start: Start, now: datetime) -> None:
    """What follows a nowcast that was published: the outlooks of catchments, and alerts, which others send."""
    with logged("nothing follows the nowcast", desk.region):
        on_watch, excerpt = desk.watch(archive.grid), start.excerpt
        if on_watch is None or excerpt.window is None:
            return
        made_by = next(warm for warm in desk.roster.warm.values() if warm.nowcaster.model_id == nowcast.model)
        members = members_from(archive, made_by, start.slot, excerpt.outlooks, excerpt.window, desk.region.members)
        named = nowcast.model, nowcast.rung, nowcast.input_age
        after_nowcast(on_watch, members, Origin(desk.region.name, nowcast.init_time, nowcast.lead_times, *named), now)
        reached("issue.watched")


def _start(desk: Desk, archive: Archive, slot: int) -> Start:
    seen = view(desk.sight, archive, slot)
    sees_motion = inputs(archive, rolling(desk.roster, ADVECTION, archive.sampling), slot)
    unmoved = "" if sees_motion else f"1 scan, motion needs {FEWEST_SCANS}"
    on_watch = desk.watch(archive.grid)
    excerpt = Excerpt(on_watch.window(archive.grid.shape) if on_watch else None)
    return Start(slot, read_frames(archive, slot, slot).rain_rate[0], seen.flags, seen.share, unmoved, excerpt)


def _best(
    desk: Desk, archive: Archive, forecasts: Forecasts, start: Start, now: datetime
) -> tuple[Nowcast | None, str]:
    """The nowcast of the first of the region's methods that works, and why others were passed."""
    if start.share < (least := desk.region.least_coverage):
        return None, f"the scan covers {start.share:.1%} of what was covered in the last day, {least:.1%} are needed"
    unmoved = "" if desk.region.model == PERSISTENCE else start.unmoved
    passed = [why for why in (refresh(desk.roster), desk.stand_in, unmoved) if why]
    return descend(_steps(desk, archive, forecasts, start, now), passed)


def _steps(desk: Desk, archive: Archive, forecasts: Forecasts, start: Start, now: datetime) -> Iterator[Step]:
    """The region's methods in turn. Models share a deadline; what is simpler gets the time that it takes."""
    half = archive.timeline.cadence / timedelta(seconds=1) / 2
    tick = deadline(desk.clock, desk.region.deadline_s or half)
    advection = rolling(desk.roster, ADVECTION, archive.sampling)

    def by_model(name: str) -> Nowcast:
        tick()
        model = rolling(desk.roster, name, archive.sampling)
        if why := desk.verdict(model.nowcaster.model_id):
            raise Benched(why)
        nowcast = make(model, archive, forecasts, start, now, tick)
        lend_motion(model, advection)
        return nowcast

    for rung, name in rungs(desk.roster):
        if name == PERSISTENCE or (name == ADVECTION and not start.unmoved):
            simple = rolling(desk.roster, name, archive.sampling)
            yield Step(rung, name, partial(make, simple, archive, forecasts, start, now))
        elif name != ADVECTION and not (start.unmoved or desk.stand_in):
            yield Step(rung, name, partial(by_model, name))


def _beside(
    desk: Desk,
    archive: Archive,
    store: str,
    name: str,
    begin: Callable[[], Start],
    now: datetime,
    served: Nowcast | None = None,
) -> None:
    """Another method's nowcast from the same scan, kept apart; what goes wrong is logged once and stops nothing."""
    try:
        if (start := begin()).unmoved:
            return
        kept, method = desk.beside(store, archive), rolling(desk.roster, name, archive.sampling)
        own = (
            served
            if served is not None and served.model == name
            else make(method, archive, kept, start._replace(excerpt=Excerpt()), now)
        )
        publish(kept, replace(own, rung=ADVECTION if name == ADVECTION else CHAMPION, reason=""), now)
    except (*FAILURES, IcechunkError) as error:
        complain(desk.roster, f"{store} failed", error)


def make(
    rolling: Rolling[Any],
    archive: Archive,
    forecasts: Forecasts,
    start: Start,
    now: datetime,
    tick: Callable[[], None] = at_leisure,
) -> Nowcast:
    """A method's nowcast from a slot's scan and those before it, without values where no radar looks.

    Raises ValueError when there are too few scans, ImplausibleForecast when they cannot lead to what comes out, and
    whatever `tick`, called before each lead, raises.
    """
    used = inputs(archive, rolling, start.slot)
    if not used:
        raise ValueError("too few scans")
    has_chances = forecasts.thresholds or forecasts.quantiles or start.excerpt.window
    said = (outlooks_from if has_chances else rates_from)(archive, rolling, start.slot, len(forecasts.lead_times))
    fields = _fields(said, forecasts, start, tick)
    check_forecast(fields.rain_rate, start.rain_rate)
    init_time = archive.timeline.time(start.slot)
    return Nowcast(
        init_time=init_time,
        lead_times=forecasts.lead_times,
        grid=archive.grid,
        model=rolling.nowcaster.model_id,
        scan_ids=used,
        input_age=now - init_time,
        radar_coverage=start.radar_coverage,
        **fields._asdict(),
    )


class Fields(NamedTuple):
    """What the fields of a Nowcast are called there, each (lead, y, x)."""

    rain_rate: FloatField
    probability: dict[float, FloatField]
    quantile: dict[float, FloatField]


def _fields(outlooks: Iterator[Outlook], forecasts: Forecasts, start: Start, tick: Callable[[], None]) -> Fields:
    """The fields that a store keeps, NaN where no radar looks."""
    never = start.radar_coverage == RADAR_NEVER
    shape = len(forecasts.lead_times), *forecasts.grid.shape
    rain_rate = np.empty(shape, np.float32)
    probability = {threshold: np.empty_like(rain_rate) for threshold in forecasts.thresholds}
    quantile = {share: np.empty_like(rain_rate) for share in forecasts.quantiles}
    start.excerpt.outlooks.clear()
    tick()
    for lead, outlook in enumerate(outlooks):
        outlook.rain_rate[never] = np.nan
        start.excerpt.note(outlook)
        rain_rate[lead] = outlook.rain_rate
        for threshold, chances in probability.items():
            chances[lead] = outlook.chance(threshold)
        for share, rates in quantile.items():
            rates[lead] = outlook.quantile(share)
        tick()
    return Fields(rain_rate, probability, quantile)
