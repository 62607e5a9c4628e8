"""The frames of a region, observed and forecast, and where the fields behind them lie in the stores."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import xarray as xr

from nowcast.core.grid import Grid
from nowcast.core.rain import ZR
from nowcast.provenance import Provenance
from nowcast.serving.api.fields import Arrays, Shelf, Stored
from nowcast.serving.api.stores import Opened
from nowcast.store import query
from nowcast.store.query import Reader, Slot
from nowcast.store.template import FRAME_TILE, RADAR_NEVER, RADAR_UNAVAILABLE, TILE
from nowcast.tiles.raster import hundredths, reflectivities, seen_unless

FRAME_PATTERN = r"^(obs-\d{1,10}|fc-\d{1,10}-\d{1,5})$"
FORECAST_BLOCK = 4 * TILE
"""Pixels a side of the parts in which a nowcast is read, all leads at once: whole chunks of the store."""

VERSION_DIGITS = 12

UNSEEN_FLAGS = seen_unless(RADAR_NEVER, RADAR_UNAVAILABLE)
NOT_COVERED = seen_unless(0)
"""How to read where a nowcast's radars, and where an observation, saw something."""

CHANCE = "chance-"
"""How the names of layers of chances begin; the threshold [mm h-1] follows."""

Layers = Mapping[str, Stored]


class UnknownFrame(LookupError):
    """There is no such frame, or it has no such layer; the message names it."""


@dataclass(frozen=True)
class Frame:
    """One picture of the sequence; `version` changes whenever its content can have changed."""

    name: str
    kind: Literal["observed", "missing", "forecast"]
    time: datetime
    version: str = ""
    lead_min: int | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame that can be drawn: its layers by name, `rain` always among them; `provenance` if a nowcast made it."""

    frame: Frame
    grid: Grid
    layers: Layers
    provenance: Provenance | None = None


@dataclass(frozen=True, eq=False)
class Issue:
    """A nowcast as one commit holds it."""

    url: str
    arrays: Arrays
    grid: Grid
    slot: int
    provenance: Provenance
    version: str
    leads: tuple[int, ...]
    thresholds: tuple[float, ...]
    quantiles: tuple[float, ...]

    @property
    def frames(self) -> list[Frame]:
        """All leads, ascending."""
        init = self.provenance.init_time
        names = (f"fc-{int(init.timestamp())}-{lead}" for lead in self.leads)
        return [
            Frame(name, "forecast", init + timedelta(minutes=lead), self.version, lead)
            for name, lead in zip(names, self.leads, strict=True)
        ]

    def picture(self, lead_min: int) -> Picture:
        """One lead; UnknownFrame when there is none such."""
        if lead_min not in self.leads:
            raise UnknownFrame(f"no lead of {lead_min} min, there are {', '.join(map(str, self.leads))}")
        lead = self.leads.index(lead_min)
        return Picture(self.frames[lead], self.grid, self._layers(lead), self.provenance)

    def _layers(self, lead: int) -> Layers:
        at, every, key = (self.slot,), slice(None), (self.url, self.slot, self.version)
        rain, chance = hundredths("uint16"), hundredths("uint8")
        layers = {"rain": Stored((*key, "rain"), self.arrays["rain_rate"], (*at, every), FORECAST_BLOCK, rain, lead)}
        for k, name in enumerate(map(chance_layer, self.thresholds)):
            layers[name] = Stored(
                (*key, name), self.arrays["probability"], (*at, every, k), FORECAST_BLOCK, chance, lead
            )
        if "radar_coverage" in self.arrays:
            flags = self.arrays["radar_coverage"]
            layers["coverage"] = Stored((*key, "coverage"), flags, at, FORECAST_BLOCK, UNSEEN_FLAGS)
        return layers


def chance_layer(threshold: float) -> str:
    """The name of the layer of chances to reach a rain rate [mm h-1]."""
    return f"{CHANCE}{threshold:g}"


def issue(opened: Opened, shelf: Shelf, init_time: datetime | None = None) -> Issue:
    """The nowcast of an initial time, or the latest; NoForecast when there is none."""
    if init_time is None:
        init_time = query.latest_time(opened.forecasts, opened.clock())
    snapshot = opened.forecasts.dataset.attrs["nowcast:snapshot"]
    key = opened.forecasts.location.url, snapshot, init_time
    found: Issue = shelf.facts.get(key, lambda: _issue(opened, shelf, opened.nowcast(init_time)))
    return found


def _issue(opened: Opened, shelf: Shelf, nowcast: xr.Dataset) -> Issue:
    told = opened.provenance(nowcast)
    return Issue(
        url=opened.forecasts.location.url,
        arrays=shelf.commit(opened.forecasts, told.snapshot),
        grid=opened.forecasts.grid,
        slot=query.timeline(nowcast).slot(told.init_time),
        provenance=told,
        version=_version(told.init_time, told.issued_time, told.model, told.rung),
        leads=tuple(int(lead) for lead in nowcast.lead_time.values),
        thresholds=_levels(nowcast, "threshold"),
        quantiles=_levels(nowcast, "quantile"),
    )


def _levels(nowcast: xr.Dataset, name: str) -> tuple[float, ...]:
    return tuple(float(value) for value in nowcast[name].values) if name in nowcast else ()


def observed(opened: Opened, start: datetime, end: datetime) -> list[Frame]:
    """A frame for each slot of the archive between two times, both included; none where there is no archive."""
    if opened.archive is None:
        return []
    return [_observed_frame(slot) for slot in query.slots(opened.archive.dataset, start, end)]


def picture(opened: Opened, shelf: Shelf, name: str) -> Picture:
    """The frame of a name that fits FRAME_PATTERN; UnknownFrame or NoForecast when there is none."""
    kind, seconds, *lead = name.split("-")
    time = datetime.fromtimestamp(int(seconds), UTC)
    if kind == "fc":
        return issue(opened, shelf, time).picture(int(lead[0]))
    if opened.archive is None:
        raise UnknownFrame(f"region {opened.name} has no archive of observations")
    archive, dataset = opened.archive, opened.archive.dataset
    key = archive.location.url, dataset.attrs["nowcast:snapshot"], time
    found: Picture = shelf.facts.get(key, lambda: _observation(archive, dataset, shelf, time))
    return found


def _observation(archive: Reader, dataset: xr.Dataset, shelf: Shelf, time: datetime) -> Picture:
    slot = next(iter(query.slots(dataset, time, time)), None)
    if slot is None or not slot.is_observed:
        raise UnknownFrame(f"no scan was observed at {time:%Y-%m-%dT%H:%M:%SZ}")
    arrays = shelf.commit(archive, dataset.attrs["nowcast:snapshot"])
    frame = _observed_frame(slot)
    quantity, key = dataset.attrs["nowcast:quantity"], (archive.location.url, slot.number, frame.version)
    coding = reflectivities(ZR(*dataset.attrs["nowcast:zr"])) if quantity == "reflectivity" else None
    layers = {
        "rain": Stored((*key, "rain"), arrays[quantity], (slot.number,), FRAME_TILE, coding),
        "coverage": Stored((*key, "coverage"), arrays["coverage"], (slot.number,), FRAME_TILE, NOT_COVERED),
    }
    return Picture(frame, archive.grid, layers)


def _observed_frame(slot: Slot) -> Frame:
    name = f"obs-{int(slot.time.timestamp())}"
    if not slot.is_observed:
        return Frame(name, "missing", slot.time)
    return Frame(name, "observed", slot.time, _version(slot.time, slot.received_time))


def _version(*told: Any) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:VERSION_DIGITS]
