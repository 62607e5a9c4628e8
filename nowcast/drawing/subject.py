"""What pictures of one nowcast are drawn from: its fields, and what was observed before and after its start."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import xarray as xr

from nowcast.core.grid import Grid
from nowcast.core.types import BoolField, FloatField
from nowcast.provenance import Provenance, provenance
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_frames, read_slots
from nowcast.store.query import Reader, nowcast_at
from nowcast.store.repository import Location
from nowcast.tiles.palettes import Kind, Palette, palette

MARGIN = 0.05
"""Around what is known, as a share of its extent."""


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

    @cached_property
    def view(self) -> tuple[slice, slice]:
        """(rows, columns) of the part that holds everything that was seen or forecast, with a margin; all of it where
        nothing was."""
        known = np.isfinite(np.asarray(self.nowcast.rain_rate[0].values))
        newest = observed_rain(self, 0)
        if newest is not None:
            known |= np.isfinite(newest)
        if not known.any():
            return slice(0, self.grid.height), slice(0, self.grid.width)
        rows, columns = (_around(known.any(axis=axis)) for axis in (1, 0))
        return rows, columns

    @property
    def ground(self) -> Grid:
        """The grid of that part."""
        return self.grid.crop(*self.view)

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

    @property
    def observed(self) -> str:
        """What an observation shows."""
        return "Observed" if self.kind == "rain" else f"Observed ≥ {self.threshold:g} mm/h"


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
    """The layer at a lead [min] in the view, (y, x), NaN where there is no forecast."""
    if shown.kind == "rain":
        return forecast_rain(of, lead)[of.view]
    chances = of.nowcast.probability.sel(lead_time=lead, threshold=shown.threshold)
    return np.asarray(chances.values, np.float32)[of.view]


def forecast_rain(of: Subject, lead: int) -> FloatField:
    """Rain rate [mm h-1] at a lead [min] on the whole grid, (y, x), NaN where there is no forecast."""
    return np.asarray(of.nowcast.rain_rate.sel(lead_time=lead).values, np.float32)


def observed(of: Subject, shown: Layer, minutes: int) -> FloatField | None:
    """The layer in the view so many minutes after the start (before it, if negative), (y, x), NaN where no radar
    looked.

    None where the archive holds no usable scan of that time.
    """
    whole = observed_rain(of, minutes)
    if whole is None:
        return None
    rain = whole[of.view]
    if shown.kind == "rain":
        return rain
    return np.where(np.isnan(rain), np.nan, rain >= shown.threshold).astype(np.float32)


def observed_rain(of: Subject, minutes: int) -> FloatField | None:
    """Rain rate [mm h-1] as `observed` gives it, on the whole grid."""
    if of.archive is None:
        return None
    slot = of.archive.timeline.slot(of.init_time) + minutes // of.cadence
    if slot not in read_slots(of.archive).observed:
        return None
    field: FloatField = read_frames(of.archive, slot, slot).rain_rate[0]
    return field


def _around(known: BoolField) -> slice:
    """From the first to the last that is known, and MARGIN of the length on either side."""
    places = np.flatnonzero(known)
    first, last = int(places[0]), int(places[-1])
    margin = round(MARGIN * (last + 1 - first))
    return slice(max(0, first - margin), min(len(known), last + 1 + margin))


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
