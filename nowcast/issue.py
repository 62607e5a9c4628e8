"""Second use case: every archived scan gets a nowcast, exactly one, whole, on the best rung that holds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import structlog
import torch
from icechunk import IcechunkError

from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Nowcast
from nowcast.core.timeline import isoformat
from nowcast.core.types import FlagField, FloatField
from nowcast.forecast import FEWEST_SCANS, at_leisure, forecast_from, inputs
from nowcast.ladder import FAILURES, Benched, Step, deadline, descend
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.neighbourhood import exceedance
from nowcast.models.rollout import Rolling
from nowcast.quality import check_forecast
from nowcast.roster import ADVECTION, CHAMPION, PERSISTENCE, Roster, complain, lend_motion, refresh, rolling, rungs
from nowcast.settings import Region, Settings
from nowcast.sight import Sight, view
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_frames, read_slots
from nowcast.store.forecasts import (
    NO_RUNG,
    Forecasts,
    create_forecasts,
    open_to_publish,
    publish,
    records,
    withhold,
)
from nowcast.store.repository import Location
from nowcast.store.template import RADAR_NEVER

log = structlog.get_logger()


class Start(NamedTuple):
    """A slot to forecast from: its frame (y, x) [mm h-1], flags of radar coverage, the share of the usual one, and why
    motion cannot be seen, empty when it can."""

    slot: int
    rain_rate: FloatField
    radar_coverage: FlagField
    share: float
    unmoved: str


def no_verdict(model_id: str) -> str:
    """Nothing speaks against any model."""
    return ""


@dataclass
class Desk:
    """A region's warm methods with their state; everything but the weights can be rebuilt from the archive.

    `verdict` says why a model should rest for now, empty when it need not. `stand_in` is why models are out of reach
    and simpler methods stand in for them, empty when they do not. `clock` gives seconds.
    """

    region: Region
    location: Location
    roster: Roster
    verdict: Callable[[str], str] = no_verdict
    stand_in: str = ""
    clock: Callable[[], float] = time.monotonic
    sight: Sight = field(default_factory=Sight)
    _archive: Archive | None = field(default=None, init=False)
    _stores: dict[str, Forecasts] = field(default_factory=dict, init=False)

    @property
    def archive(self) -> Archive | None:
        """The region's archive, None until its first scan."""
        if self._archive is None and repository.exists(self.location.child("archive")):
            self._archive = open_archive(self.location.child("archive"))
        return self._archive

    def forecasts(self, archive: Archive) -> Forecasts:
        """The region's forecast store, laid out like its archive when there is none yet."""
        region = self.region
        if "forecasts" not in self._stores:
            self._stores["forecasts"] = kept = self._store("forecasts", archive, region.leads, region.thresholds)
            _compare_settings(region, kept)
        return self._stores["forecasts"]

    def beside(self, name: str, archive: Archive) -> Forecasts:
        """Where `advection` or the `shadow` keeps its nowcasts, with the leads of the region's forecasts.

        Advection's are without probabilities.
        """
        like = self.forecasts(archive)
        if name not in self._stores:
            thresholds = () if name == ADVECTION else like.thresholds
            self._stores[name] = self._store(name, archive, len(like.lead_times), thresholds)
        return self._stores[name]

    def _store(self, name: str, archive: Archive, leads: int, thresholds: tuple[float, ...]) -> Forecasts:
        where = self.location.child(name)
        if repository.exists(where):
            return open_to_publish(where)
        return create_forecasts(where, archive.grid, archive.timeline, leads, thresholds)


def _compare_settings(region: Region, forecasts: Forecasts) -> None:
    """A store's layout outlives the settings it was made with; the log says when they have come to differ."""
    held = len(forecasts.lead_times), forecasts.thresholds
    if held != (region.leads, region.thresholds):
        log.warning("store keeps its own leads and thresholds", region=region.name, leads=held[0], thresholds=held[1])


def device(setting: str) -> str:
    """cpu or cuda; "auto" takes a GPU when there is one."""
    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"


def checkpoint_path(region: Region) -> Path:
    """The weights the region's `model` setting names."""
    return SHIPPED_WEIGHTS if region.model == "default" else Path(region.model)


def nowcaster(region: Region, on: str) -> Nowcaster[Any]:
    """The method the region's `model` setting names, on a device; ValueError or OSError when it cannot be loaded."""
    if region.model == PERSISTENCE:
        return Persistence()
    if region.model == ADVECTION:
        return Advection(on)
    return ConvLSTM(load_checkpoint(checkpoint_path(region)), on)


def desk(region: Region, settings: Settings) -> Desk:
    """A region's desk under these settings. A method that the region names itself is loaded; the registry's models are
    when their turn comes. ValueError or OSError when that method cannot be loaded."""
    roster = Roster(settings.models(region.name), region.model, device(settings.device))
    if region.model != "default":
        roster.warm[region.model] = Rolling(nowcaster(region, roster.device))
    return Desk(region, settings.location(region.name), roster)


def serving(desk: Desk, archive: Archive) -> Rolling[Any] | None:
    """The method of the highest rung that can be loaded, by the registry as it is now."""
    refresh(desk.roster)
    for _, name in rungs(desk.roster):
        try:
            return rolling(desk.roster, name, archive.sampling)
        except (ValueError, OSError):
            continue
    return None


def strangeness(method: Nowcaster[Any], archive: Archive) -> str:
    """How the archive is unlike what the method was trained on; empty when alike or nothing was learned."""
    if not isinstance(method, ConvLSTM):
        return ""
    return method.training.strangeness(archive.sampling)


def issue_without_actor(region: Region, settings: Settings, reason: str, now: datetime) -> list[Nowcast]:
    """Issue what is due by the rungs that need no model, in this process; `reason` says why no model can be asked."""
    roster = Roster(settings.models(region.name), region.model, device(settings.device))
    return issue_due(Desk(region, settings.location(region.name), roster, stand_in=reason), now)


def due(archive: Archive, forecasts: Forecasts) -> list[int]:
    """Observed slots after the newest one that a nowcast was issued from or withheld, ascending.

    A scan that arrives late, for a slot before the newest nowcast, gets none: nobody would look at it. The newest scan
    of all is due again if its nowcast was withheld.
    """
    observed, held = read_slots(archive).observed, records(forecasts)
    newest = observed[-1] if len(observed) else -1
    done = max((slot for slot, record in held.items() if record.rung != NO_RUNG or slot < newest), default=-1)
    return [int(slot) for slot in observed[observed > done]]


def issue_due(desk: Desk, now: datetime, most: int | None = None) -> list[Nowcast]:
    """Make and publish a nowcast for every slot that is due, oldest first, or for the first `most` of them.

    Each is by the best method of its moment that works. Advection's own is kept beside each. When all are published,
    the shadow makes its own of the same slots.
    """
    archive = desk.archive
    if archive is None:
        return []
    made: list[Nowcast] = []
    for slot in due(archive, desk.forecasts(archive)):
        if len(made) == most:
            break
        if (nowcast := _issue(desk, archive, slot, now)) is not None:
            made.append(nowcast)
    if (shadow := desk.roster.named.shadow) is not None and not desk.stand_in:
        for nowcast in made:
            start = _start(desk, archive, archive.timeline.slot(nowcast.init_time))
            _beside(desk, archive, "shadow", shadow, start, now)
    return made


def _issue(desk: Desk, archive: Archive, slot: int, now: datetime) -> Nowcast | None:
    """Publish the nowcast from a slot, or write down why there is none; None when nothing was published."""
    forecasts, start = desk.forecasts(archive), _start(desk, archive, slot)
    init_time = archive.timeline.time(slot)
    told = {"region": desk.region.name, "init_time": isoformat(init_time)}
    nowcast, reason = _best(desk, archive, forecasts, start, now)
    if nowcast is None:
        if withhold(forecasts, init_time, reason, now):
            log.error("nowcast withheld", **told, reason=reason)
        return None
    is_new = publish(forecasts, nowcast, now)
    (log.warning if reason else log.info)("issued", **told, model=nowcast.model, rung=nowcast.rung, reason=reason)
    _beside(desk, archive, ADVECTION, ADVECTION, start, now, nowcast)
    return nowcast if is_new else None


def _start(desk: Desk, archive: Archive, slot: int) -> Start:
    seen = view(desk.sight, archive, read_slots(archive).observed, slot)
    sees_motion = inputs(archive, rolling(desk.roster, ADVECTION, archive.sampling), slot)
    unmoved = "" if sees_motion else f"1 scan, motion needs {FEWEST_SCANS}"
    return Start(slot, read_frames(archive, slot, slot).rain_rate[0], seen.flags, seen.share, unmoved)


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
    desk: Desk, archive: Archive, store: str, name: str, start: Start, now: datetime, served: Nowcast | None = None
) -> None:
    """Another method's nowcast from the same scan, kept apart; what goes wrong is logged once and stops nothing."""
    if start.unmoved:
        return
    try:
        kept, method = desk.beside(store, archive), rolling(desk.roster, name, archive.sampling)
        own = served if served is not None and served.model == name else make(method, archive, kept, start, now)
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
    lead_times = forecasts.lead_times
    used = inputs(archive, rolling, start.slot)
    if not used:
        raise ValueError("too few scans")
    rain_rate = forecast_from(archive, rolling, start.slot, len(lead_times), tick)
    check_forecast(rain_rate, start.rain_rate)
    rain_rate[:, start.radar_coverage == RADAR_NEVER] = np.nan
    init_time = archive.timeline.time(start.slot)
    return Nowcast(
        init_time=init_time,
        lead_times=lead_times,
        rain_rate=rain_rate,
        grid=archive.grid,
        model=rolling.nowcaster.model_id,
        scan_ids=used,
        input_age=now - init_time,
        probability=exceedance(rain_rate, lead_times, forecasts.thresholds, archive.grid.spacing_km),
        radar_coverage=start.radar_coverage,
    )
