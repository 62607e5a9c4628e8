"""Second use case: every archived scan gets a nowcast, exactly one, whole."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
import torch
from icechunk import IcechunkError

from nowcast import champion, registry
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Nowcast
from nowcast.core.timeline import isoformat
from nowcast.forecast import forecast_from, inputs
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.neighbourhood import exceedance
from nowcast.models.rollout import Rolling
from nowcast.registry import Pointer
from nowcast.settings import Region, Settings
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_slots
from nowcast.store.forecasts import Forecasts, create_forecasts, issued, open_forecasts, publish
from nowcast.store.repository import Location

log = structlog.get_logger()

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "rain.safetensors"


@dataclass
class Desk:
    """A region's warm model with its state; everything but the weights can be rebuilt from the archive.

    `held` says which of the registry's models are loaded: `rolling` is its champion, `shadow` its shadow.
    """

    region: Region
    location: Location
    rolling: Rolling[Any]
    device: str = "cpu"
    shadow: Rolling[Any] | None = None
    held: Pointer = field(default_factory=Pointer)
    complaints: set[str] = field(default_factory=set)
    _archive: Archive | None = field(default=None, init=False)
    _forecasts: Forecasts | None = field(default=None, init=False)

    @property
    def models(self) -> Location:
        """The region's model registry."""
        return self.location.child("models")

    @property
    def archive(self) -> Archive | None:
        """The region's archive, None until its first scan."""
        if self._archive is None and repository.exists(self.location.child("archive")):
            self._archive = open_archive(self.location.child("archive"))
        return self._archive

    def forecasts(self, archive: Archive) -> Forecasts:
        """The region's forecast store, laid out like its archive when there is none yet."""
        where = self.location.child("forecasts")
        if self._forecasts is None and repository.exists(where):
            self._forecasts = open_forecasts(where)
            _compare_settings(self.region, self._forecasts)
        if self._forecasts is None:
            region = self.region
            self._forecasts = create_forecasts(where, archive.grid, archive.timeline, region.leads, region.thresholds)
        return self._forecasts


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
    if region.model == "persistence":
        return Persistence()
    if region.model == "advection":
        return Advection(on)
    return ConvLSTM(load_checkpoint(checkpoint_path(region)), on)


def desk(region: Region, settings: Settings) -> Desk:
    """A region's desk under these settings, its model loaded."""
    on = device(settings.device)
    return Desk(region, settings.location(region.name), Rolling(nowcaster(region, on)), on)


def strangeness(method: Nowcaster[Any], archive: Archive) -> str:
    """How the archive is unlike what the method was trained on; empty when alike or nothing was learned."""
    if not isinstance(method, ConvLSTM):
        return ""
    return method.training.strangeness(archive.sampling)


def pick_up(desk: Desk, archive: Archive) -> None:
    """Take over the champion and the shadow that the region's registry names, if they are others than those held.

    What cannot be read or loaded, or does not fit the archive's scans, changes nothing and is logged once; a desk that
    just started then looks for the champion before.
    """
    if desk.region.model != "default":
        return
    try:
        named = registry.pointer(desk.models)
    except (ValueError, OSError) as error:
        _complain(desk, "registry cannot be read", error)
        return
    if named.champion != desk.held.champion:
        _take_over(desk, archive, [named.champion] if desk.held.champion else [named.champion, named.previous])
    if named.shadow != desk.held.shadow:
        loaded = _loaded(desk, archive, named.shadow) if named.shadow else None
        desk.shadow = Rolling(loaded) if loaded else None
        desk.held = replace(desk.held, shadow=named.shadow if loaded else None)


def _take_over(desk: Desk, archive: Archive, candidates: list[str | None]) -> None:
    """Make the first candidate that can be loaded the desk's model; its state is built from the archive."""
    for model_id in candidates:
        if model_id == desk.held.champion:
            return
        if (loaded := _loaded(desk, archive, model_id)) is not None:
            desk.rolling, desk.held = Rolling(loaded), replace(desk.held, champion=model_id)
            log.info("champion taken over", region=desk.region.name, model=loaded.model_id)
            return


def _loaded(desk: Desk, archive: Archive, model_id: str | None) -> Nowcaster[Any] | None:
    """A registered model, the shipped one for None; None when it is refused."""
    try:
        if model_id is None:
            return nowcaster(desk.region, desk.device)
        return champion.nowcaster(desk.models, model_id, archive.sampling, desk.device)
    except (ValueError, OSError) as error:
        _complain(desk, "model refused", error)
        return None


def _complain(desk: Desk, what: str, error: Exception) -> None:
    if str(error) not in desk.complaints:
        desk.complaints.add(str(error))
        log.error(what, region=desk.region.name, reason=str(error), model=desk.rolling.nowcaster.model_id)


def issue_due(desk: Desk, now: datetime) -> list[Nowcast]:
    """Make and publish a nowcast for every observed slot after the newest one issued, oldest first.

    A scan that arrives late, for a slot before the newest nowcast, gets none: nobody would look at it. Each nowcast is
    by the champion of its moment alone. When all are published, the shadow makes its own of the same slots.
    """
    archive = desk.archive
    if archive is None:
        return []
    forecasts = desk.forecasts(archive)
    done = max(issued(forecasts), default=-1)
    made = []
    for slot in read_slots(archive).observed:
        if slot <= done:
            continue
        pick_up(desk, archive)
        if (nowcast := make(desk.rolling, archive, forecasts, int(slot), now)) is not None:
            publish(forecasts, nowcast, now)
            made.append(nowcast)
            log.info("issued", region=desk.region.name, init_time=isoformat(nowcast.init_time), model=nowcast.model)
    if made and desk.shadow is not None:
        _issue_shadow(desk, desk.shadow, archive, [nowcast.init_time for nowcast in made], now)
    return made


def _issue_shadow(desk: Desk, shadow: Rolling[Any], archive: Archive, times: list[datetime], now: datetime) -> None:
    """The shadow's nowcasts, kept apart; whatever goes wrong with them is logged once and stops nothing."""
    try:
        kept = shadow_forecasts(desk, archive)
        for time in times:
            if (nowcast := make(shadow, archive, kept, archive.timeline.slot(time), now)) is not None:
                publish(kept, nowcast, now)
    except (ValueError, ArithmeticError, LookupError, OSError, RuntimeError, IcechunkError) as error:
        _complain(desk, "shadow failed", error)


def shadow_forecasts(desk: Desk, archive: Archive) -> Forecasts:
    """Where the shadow's nowcasts are kept, laid out like the region's forecasts."""
    where, like = desk.location.child("shadow"), desk.forecasts(archive)
    if repository.exists(where):
        return open_forecasts(where)
    return create_forecasts(where, like.grid, like.timeline, len(like.lead_times), like.thresholds)


def make(rolling: Rolling[Any], archive: Archive, forecasts: Forecasts, slot: int, now: datetime) -> Nowcast | None:
    """The nowcast from a slot's scan and those before it; None when there are too few to see motion."""
    lead_times = forecasts.lead_times
    used = inputs(archive, rolling, slot)
    if not used:
        return None
    rain_rate = forecast_from(archive, rolling, slot, len(lead_times))
    init_time = archive.timeline.time(slot)
    return Nowcast(
        init_time=init_time,
        lead_times=lead_times,
        rain_rate=rain_rate,
        grid=archive.grid,
        model=rolling.nowcaster.model_id,
        scan_ids=used,
        input_age=now - init_time,
        probability=exceedance(rain_rate, lead_times, forecasts.thresholds, archive.grid.spacing_km),
    )
