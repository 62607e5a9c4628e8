"""What pictures of one nowcast are drawn from: its fields, and what was observed before and after its start."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import xarray as xr

from nowcast.core.grid import Grid
from nowcast.core.types import FloatField
from nowcast.provenance import Provenance, provenance
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_frames, read_slots
from nowcast.store.query import Reader, nowcast_at
from nowcast.store.repository import Location
from nowcast.tiles.palettes import Kind, Palette, palette

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, eq=False)
class Subject:
    """One nowcast, lazily, dims (lead_time, y, x), and the region's archive, where there is one."""

    nowcast: xr.Dataset
    grid: Grid
    source: Provenance
    archive: Archive | None = None

    @property
    def init_time(self) -> datetime:
        """When the nowcast starts."""
        return self.source.init_time

    @cached_property
    def leads(self) -> tuple[int, ...]:
        """Minutes, ascending."""
        return tuple(int(lead) for lead in self.nowcast.lead_time.values)

    @property
    def cadence(self) -> int:
        """Minutes between frames."""
        return int(self.nowcast.attrs["nowcast:cadence_s"] // 60)


@dataclass(frozen=True)
class Layer:
    """What is shown of fields, and in which colours: rain rates [mm h-1], or chances of reaching `threshold` [mm h-1].

    An observation is a chance of 0 or 1.
    """

    kind: Kind
    palette: Palette
    threshold: float = 0.0

    @property
    def title(self) -> str:
        """With units."""
        if self.kind == "rain":
            return f"{self.palette.title} [{self.palette.units}]"
        return f"Chance of rain ≥ {self.threshold:g} mm/h"


def subject(location: Location, region: str, init_time: datetime | None = None) -> Subject:
    """The nowcast of a region at a location from one initial time, or its latest.

    Raises StoreNotFound without a forecast store, NoForecast when none was issued then.
    """
    forecasts, archive = Reader(location.child("forecasts")), location.child("archive")
    nowcast = nowcast_at(forecasts, init_time)
    kept = open_archive(archive) if repository.exists(archive) else None
    return Subject(nowcast, forecasts.grid, provenance(nowcast, region), kept)


def layer(of: Subject, kind: Kind, colours: str | None = None, threshold: float = 1.0) -> Layer:
    """A layer of a nowcast; ValueError for an unknown palette or a threshold that the store does not keep."""
    chosen = palette(kind, colours)
    if kind == "rain":
        return Layer(kind, chosen)
    kept = [float(value) for value in of.nowcast.threshold.values] if "threshold" in of.nowcast else []
    near = [value for value in kept if np.isclose(value, threshold)]
    if not near:
        raise ValueError(f"no chance of {threshold:g} mm/h is kept, there are {_listed(kept)}")
    return Layer(kind, chosen, near[0])


def require_leads(of: Subject, leads: tuple[int, ...]) -> tuple[int, ...]:
    """The leads [min] themselves; ValueError for one that is neither 0, the newest scan, nor in the nowcast."""
    if unknown := [lead for lead in leads if lead not in (0, *of.leads)]:
        raise ValueError(f"no lead of {_listed(unknown)} min, there are 0 and {_listed(of.leads)}")
    if not leads or len(set(leads)) < len(leads):
        raise ValueError(f"leads must be given once each, not {_listed(leads)}")
    return leads


def forecast(of: Subject, shown: Layer, lead: int) -> FloatField:
    """The layer at a lead [min], (y, x), NaN where there is no forecast."""
    fields = of.nowcast.sel(lead_time=lead)
    if shown.kind == "rain":
        return np.asarray(fields.rain_rate.values, np.float32)
    return np.asarray(fields.probability.sel(threshold=shown.threshold).values, np.float32)


def observed(of: Subject, shown: Layer, minutes: int) -> FloatField | None:
    """The layer so many minutes after the start (before it, if negative), (y, x), NaN where no radar looked.

    None where the archive holds no usable scan of that time.
    """
    rain = observed_rain(of, minutes)
    if rain is None or shown.kind == "rain":
        return rain
    return np.where(np.isnan(rain), np.nan, rain >= shown.threshold).astype(np.float32)


def observed_rain(of: Subject, minutes: int) -> FloatField | None:
    """Rain rate [mm h-1] as `observed` gives it."""
    if of.archive is None:
        return None
    slot = of.archive.timeline.slot(of.init_time) + minutes // of.cadence
    if slot not in read_slots(of.archive).observed:
        return None
    field: FloatField = read_frames(of.archive, slot, slot).rain_rate[0]
    return field


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
