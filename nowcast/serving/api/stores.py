"""The stores that the service reads, opened once, and the clock it tells ages by."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import xarray as xr
from fastapi import Depends, Request

from nowcast.provenance import Provenance, provenance
from nowcast.settings import Region, Settings
from nowcast.store import query
from nowcast.store.query import Reader
from nowcast.store.repository import Location, exists


class UnknownRegion(LookupError):
    """The service has no region of that name; the message names those it has."""


@dataclass(frozen=True, eq=False)
class Opened:
    """One region as the service reads it; `archive` is None where there are nowcasts but no archive."""

    region: Region
    location: Location
    forecasts: Reader
    archive: Reader | None
    clock: Callable[[], datetime]

    @property
    def name(self) -> str:
        return self.region.name

    def nowcast(self, init_time: datetime | None = None) -> xr.Dataset:
        """The nowcast of an initial time, or the latest up to the clock's time; NoForecast when there is none."""
        if init_time is None:
            return query.latest(self.forecasts, self.clock())
        return query.nowcast_at(self.forecasts, init_time)

    def provenance(self, nowcast: xr.Dataset) -> Provenance:
        """Of a nowcast of this region."""
        return provenance(nowcast, self.name, self.region.stale_after)


@dataclass(eq=False)
class Stores:
    """The regions served, by name."""

    settings: Settings
    names: tuple[str, ...]
    clock: Callable[[], datetime]
    patience_s: float = 1.0
    """How long a commit may be the newest without being looked for again."""
    _opened: dict[str, Opened] = field(default_factory=dict)

    def open(self, name: str) -> Opened:
        """A region, opened at its first use; UnknownRegion, or StoreNotFound when nothing was issued there yet."""
        if name not in self.names:
            raise UnknownRegion(f"no region {name!r}, there are {', '.join(self.names)}")
        held = self._opened.get(name)
        if held is None or held.archive is None:
            location = self.settings.location(name)
            archive = location.child("archive")
            held = self._opened[name] = Opened(
                self.settings.region(name),
                location,
                Reader(location.child("forecasts"), self.patience_s) if held is None else held.forecasts,
                Reader(archive, self.patience_s) if exists(archive) else None,
                self.clock,
            )
        return held

    def only(self, name: str | None) -> Opened:
        """The region of that name, or the only one there is; ValueError when several could be meant."""
        if name is None and len(self.names) != 1:
            raise ValueError(f"name a region: there are {', '.join(self.names)}")
        return self.open(name or self.names[0])


def stores(request: Request) -> Stores:
    """What the application was made with."""
    found: Stores = request.app.state.stores
    return found


def opened(region: str, served: Annotated[Stores, Depends(stores)]) -> Opened:
    """The region that a path names."""
    return served.open(region)


Served = Annotated[Stores, Depends(stores)]
InPath = Annotated[Opened, Depends(opened)]
"""Types of an endpoint's parameters: all stores; the region named `{region}` in its path."""
