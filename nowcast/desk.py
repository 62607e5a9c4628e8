"""A region's desk: its warm methods, its stores, and what speaks against or follows a nowcast."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import torch

from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.core.grid import Grid
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import Sampling
from nowcast.ladder import FAILURES
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.rollout import Rolling
from nowcast.roster import ADVECTION, PERSISTENCE, SHIPPED, Roster, refresh, rolling, rungs
from nowcast.settings import Region, Settings
from nowcast.sight import Sight
from nowcast.skill import NothingScored, behind, newest_scored, recent
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive
from nowcast.store.forecasts import Forecasts, create_forecasts, open_to_publish
from nowcast.store.repository import Location
from nowcast.store.rows import SERVED
from nowcast.watch import Watch, watch

log = structlog.get_logger()


def no_verdict(model_id: str) -> str:
    """Nothing speaks against any model."""
    return ""


def no_watch(grid: Grid) -> Watch | None:
    """There are no catchments."""
    return None


@dataclass
class Desk:
    """A region's warm methods with their state; everything but the weights can be rebuilt from the archive.

    `verdict` says why a model should rest for now, empty when it need not. `watcher` finds the catchments on a grid,
    None when there are none. `stand_in` is why models are out of reach and simpler methods stand in for them, empty
    when they do not. `clock` gives seconds. `is_resumed` unless something may be left undone: by a process before this
    one, or by an error.
    """

    region: Region
    location: Location
    roster: Roster
    verdict: Callable[[str], str] = no_verdict
    watcher: Callable[[Grid], Watch | None] = no_watch
    stand_in: str = ""
    clock: Callable[[], float] = time.monotonic
    sight: Sight = field(default_factory=Sight)
    is_resumed: bool = False
    _archive: Archive | None = field(default=None, init=False)
    _watch: Watch | None = field(default=None, init=False)
    _stores: dict[str, Forecasts] = field(default_factory=dict, init=False)

    @property
    def archive(self) -> Archive | None:
        """The region's archive, None until its first scan."""
        if self._archive is None and repository.exists(self.location.child("archive")):
            self._archive = open_archive(self.location.child("archive"))
        return self._archive

    def watch(self, grid: Grid) -> Watch | None:
        """The region's catchments and rules, None without any."""
        if self._watch is None:
            self._watch = self.watcher(grid)
        return self._watch

    def forecasts(self, archive: Archive) -> Forecasts:
        """The region's forecast store, laid out like its archive when there is none yet."""
        region = self.region
        if "forecasts" not in self._stores:
            layout = region.leads, region.thresholds, region.quantiles
            self._stores["forecasts"] = kept = self._store("forecasts", archive, *layout)
            _compare_settings(region, kept)
        return self._stores["forecasts"]

    def beside(self, name: str, archive: Archive) -> Forecasts:
        """Where `advection` or the `shadow` keeps its nowcasts, with the leads of the region's forecasts.

        Advection's are without probabilities.
        """
        like = self.forecasts(archive)
        if name not in self._stores:
            chances = ((), ()) if name == ADVECTION else (like.thresholds, like.quantiles)
            self._stores[name] = self._store(name, archive, len(like.lead_times), *chances)
        return self._stores[name]

    def _store(self, name: str, archive: Archive, leads: int, *chances: tuple[float, ...]) -> Forecasts:
        where = self.location.child(name)
        if repository.exists(where):
            return open_to_publish(where)
        return create_forecasts(where, archive.grid, archive.timeline, leads, *chances)


def _compare_settings(region: Region, forecasts: Forecasts) -> None:
    """A store's layout outlives the settings it was made with; the log says when they have come to differ."""
    held = {"leads": len(forecasts.lead_times), "thresholds": forecasts.thresholds, "quantiles": forecasts.quantiles}
    if held != {name: getattr(region, name) for name in held}:
        log.warning("store keeps its own leads, thresholds and quantiles", region=region.name, **held)


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
    return desk_of(region, settings, roster)


def desk_of(region: Region, settings: Settings, roster: Roster, stand_in: str = "") -> Desk:
    """A desk with these methods."""
    location = settings.location(region.name)
    verdict = partial(_lagging, location, region.bench_after) if region.bench_after else no_verdict
    watcher = partial(_watcher, region, settings) if region.catchments else no_watch
    return Desk(region, location, roster, verdict, watcher, stand_in)


def _lagging(location: Location, over: timedelta, model_id: str) -> str:
    """Why a model should rest, by its live scores of the last while; empty when it need not, when there are none beside
    advection's, or when they cannot be read, which is logged.

    Once it rests it gets no new scores, so that it is tried again when the old ones are no longer in that while.
    """
    try:
        found = recent(location, model_id, newest_scored(location), over)
        return behind(found[SERVED], found[ADVECTION], over) if {SERVED, ADVECTION} <= found.keys() else ""
    except NothingScored:
        return ""
    except FAILURES as error:
        log.error("live skill cannot be read", store=location.url, reason=str(error))
        return ""


def _watcher(region: Region, settings: Settings, grid: Grid) -> Watch | None:
    """The region's watch; None, logged, while its file of catchments is not in order."""
    try:
        return watch(region, settings, grid)
    except FAILURES as error:
        log.error("no catchments", region=region.name, reason=str(error))
        return None


def serving(desk: Desk, archive: Archive) -> Rolling[Any] | None:
    """The method of the highest rung that can be loaded, by the registry as it is now."""
    refresh(desk.roster)
    return next(_loadable(desk.roster, (name for _, name in rungs(desk.roster)), archive.sampling), None)


def method_of(region: Region, settings: Settings, model_id: str, sampling: Sampling) -> Rolling[Any]:
    """The method with this id, for scans like these; ValueError when it is not at hand any more."""
    roster = desk(region, settings).roster
    refresh(roster)
    names = (*(name for _, name in rungs(roster)), SHIPPED, model_id)
    for found in _loadable(roster, names, sampling):
        if found.nowcaster.model_id == model_id:
            return found
    raise ValueError(f"{model_id}, which made the nowcast, is not at hand")


def _loadable(roster: Roster, names: Iterable[str], sampling: Sampling) -> Iterator[Rolling[Any]]:
    """Those of the methods that can be loaded, each when its turn comes."""
    for name in names:
        try:
            yield rolling(roster, name, sampling)
        except (ValueError, OSError):
            continue


def strangeness(method: Nowcaster[Any], archive: Archive) -> str:
    """How the archive is unlike what the method was trained on; empty when alike or nothing was learned."""
    if not isinstance(method, ConvLSTM):
        return ""
    return method.training.strangeness(archive.sampling)
