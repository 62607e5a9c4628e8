"""What users ask of the stores, as xarray with CF coordinates. Readers take no lock and see whole commits only."""

import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import icechunk
import numpy as np
import xarray as xr
import zarr

from nowcast.core.grid import Grid
from nowcast.core.rain import ZR
from nowcast.core.timeline import Timeline, as_utc, isoformat, parse_time
from nowcast.core.types import FloatField
from nowcast.store import repository
from nowcast.store.newest import newest
from nowcast.store.repository import Location
from nowcast.store.template import RADAR_UNKNOWN, STATUS_ISSUED, STATUS_OBSERVED, STATUS_WITHHELD

FIRST, LAST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
"""Between them 64 bits can count nanoseconds."""


class NoForecast(ValueError):
    """The store holds no nowcast for what was asked."""


@dataclass
class Reader:
    """A store opened for reading, re-opened only when there is a newer commit.

    That is looked up again when `patience_s` seconds have passed since it was last; meanwhile other threads go on with
    what they have. A reader `pinned` to a snapshot never moves.
    """

    location: Location
    patience_s: float = 0.0
    pinned: str | None = None
    repository: icechunk.Repository = field(init=False)
    _opened: tuple[str, xr.Dataset] = field(init=False, default=("", xr.Dataset()))
    _looked_at: float = field(init=False, default=-math.inf)
    _opening: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self.repository = repository.open_existing(self.location)

    @property
    def dataset(self) -> xr.Dataset:
        """The newest committed state, or the pinned one, lazily; an object handed out earlier does not change.

        Its attribute `nowcast:snapshot` names the commit.
        """
        held, dataset = self._opened
        if time.monotonic() - self._looked_at <= self.patience_s:
            return dataset
        if not self._opening.acquire(blocking=not held or not self.patience_s):
            return dataset
        try:
            return self._newest()
        finally:
            self._opening.release()

    def _newest(self) -> xr.Dataset:
        held, dataset = self._opened
        snapshot = self.snapshot
        if snapshot != held:
            session = self.repository.readonly_session(snapshot_id=snapshot)
            dataset = _lazily(session.store).assign_attrs({"nowcast:snapshot": snapshot})
            self._opened = snapshot, dataset
        self._looked_at = time.monotonic()
        return dataset

    @property
    def snapshot(self) -> str:
        """Id of the pinned commit, or else of the newest."""
        return self.pinned or repository.snapshot_id(self.repository)

    @property
    def grid(self) -> Grid:
        """The store's grid."""
        return _grid(**self.dataset.attrs["nowcast:grid"])

    def packed(self, snapshot: str) -> zarr.Group:
        """The arrays of one commit as they are stored: whole numbers, and fill values where there is nothing."""
        return zarr.open_group(repository.session_at(self.repository, snapshot).store, mode="r")


def _lazily(store: icechunk.IcechunkStore) -> xr.Dataset:
    """One state of a store. Its time axis is reckoned and not read, which would take longer in an older store."""
    group = zarr.open_group(store, mode="r")
    name = next(axis for axis in ("init_time", "time") if axis in group)
    opened = xr.open_zarr(store, consolidated=False, chunks=None, drop_variables=name)
    attributes, axis = dict(group[name].attrs), timeline(opened)
    encoding = {"dtype": np.dtype(np.int64)} | {key: attributes.pop(key) for key in ("units", "calendar")}
    seconds = np.timedelta64(round(axis.cadence.total_seconds() * 1e9), "ns") * np.arange(opened.sizes[name])
    times = (_moment(axis.start) + seconds).astype("datetime64[s]").astype("datetime64[ns]")
    dataset: xr.Dataset = opened.assign_coords({name: xr.Variable(name, times, attributes, encoding)})
    return dataset


@lru_cache(maxsize=256)
def _grid(**fields: Any) -> Grid:
    """The same object for the same fields: it holds what is costly to set up."""
    return Grid.from_json(fields)


def latest(forecasts: Reader, until: datetime | None = None) -> xr.Dataset:
    """The nowcast with the newest initial time, or the newest one up to a time, dims (lead_time, y, x).

    NoForecast when there is none.
    """
    dataset = forecasts.dataset
    return completed(dataset.isel(init_time=_latest(forecasts, dataset, until)))


def latest_time(forecasts: Reader, until: datetime | None = None) -> datetime:
    """The initial time of `latest`."""
    dataset = forecasts.dataset
    return _time(dataset.init_time.values[_latest(forecasts, dataset, until)])


def _latest(forecasts: Reader, dataset: xr.Dataset, until: datetime | None) -> int:
    slot = newest(dataset.status, (STATUS_ISSUED,), None if until is None else _slots_up_to(dataset, until))
    if slot is None:
        raise NoForecast(
            f"{forecasts.location.url} holds no nowcast" + (f" up to {isoformat(as_utc(until))}" if until else " yet")
        )
    return slot


def nowcast_at(forecasts: Reader, init_time: datetime | None = None) -> xr.Dataset:
    """The nowcast of one initial time, or the latest; NoForecast when none was issued then."""
    if init_time is None:
        return latest(forecasts)
    dataset = forecasts.dataset
    moment = _moment(init_time)
    if moment in dataset.init_time.values:
        one = dataset.sel(init_time=moment)
        if one.status == STATUS_WITHHELD:
            raise NoForecast(f"the nowcast of {isoformat(as_utc(init_time))} was withheld: {one.reason.values}")
        if one.status == STATUS_ISSUED:
            return completed(one)
    raise NoForecast(f"no nowcast was issued at {isoformat(as_utc(init_time))}")


def init_times(forecasts: Reader, until: datetime) -> list[datetime]:
    """Initial times of all nowcasts up to a time, ascending."""
    dataset = forecasts.dataset
    wanted = (dataset.status.values == STATUS_ISSUED) & (dataset.init_time.values <= _moment(until))
    return [moment(time) for time in dataset.init_time[wanted]]


def map_at(forecasts: Reader, lead_time: timedelta, init_time: datetime | None = None) -> xr.Dataset:
    """One lead of a nowcast, dims (y, x); ValueError naming the leads there are."""
    nowcast = nowcast_at(forecasts, init_time)
    minutes = lead_time / timedelta(minutes=1)
    if minutes not in nowcast.lead_time:
        raise ValueError(f"no lead of {minutes:g} min, there are {nowcast.lead_time.values.tolist()}")
    return nowcast.sel(lead_time=int(minutes))


def point(forecasts: Reader, lat: float, lon: float, init_time: datetime | None = None) -> xr.Dataset:
    """All leads of the pixel that holds a WGS 84 point, dims (lead_time); ValueError outside the grid."""
    row, col = forecasts.grid.locate(lat, lon)
    return nowcast_at(forecasts, init_time).isel(y=row, x=col)


def box(
    forecasts: Reader, south: float, west: float, north: float, east: float, init_time: datetime | None = None
) -> xr.Dataset:
    """All leads of the smallest part of the grid that holds a WGS 84 box, dims (lead_time, y, x)."""
    rows, cols = forecasts.grid.window(south, west, north, east)
    return nowcast_at(forecasts, init_time).isel(y=rows, x=cols)


def newest_observation(archive: Reader, lat: float, lon: float, until: datetime) -> tuple[datetime, float] | None:
    """Time of the newest scan up to a time, and its rain rate [mm h-1] at the pixel that holds a WGS 84 point.

    NaN where that scan does not cover it; None when there is no scan. ValueError outside the grid.
    """
    row, col = archive.grid.locate(lat, lon)
    dataset = archive.dataset
    slot = _newest_observed(dataset, until)
    if slot is None:
        return None
    pixel = dataset.isel(time=slot, y=row, x=col)
    return moment(pixel.time), float(observed_rain(pixel))


def newest_scan(archive: Reader, until: datetime) -> datetime | None:
    """Time of the newest scan up to a time; None when there is none."""
    dataset = archive.dataset
    slot = _newest_observed(dataset, until)
    return None if slot is None else moment(dataset.time[slot])


def frames(archive: Reader, start: datetime, end: datetime) -> xr.Dataset:
    """The archive between two times, both included, missing slots among them, dims (time, y, x)."""
    return archive.dataset.sel(time=slice(_moment(start), _moment(end)))


def observed_rain(found: xr.Dataset) -> FloatField:
    """Rain rates [mm h-1] of archive frames, their dims; NaN where a scan is missing, stuck or does not cover."""
    quantity = found.attrs["nowcast:quantity"]
    values = np.asarray(found[quantity].values, np.float32)
    rain_rate = values if quantity == "rain_rate" else ZR(*found.attrs["nowcast:zr"]).rain_rate(values)
    usable = found.coverage & (found.status == STATUS_OBSERVED)
    return np.where(usable.transpose(*found[quantity].dims), rain_rate, np.float32(np.nan))


def grid_of(found: xr.Dataset) -> Grid:
    """The grid of an answer: of a box, that part of the store's. ValueError when it is no part at full resolution."""
    if "nowcast:grid" not in found.attrs or not {"y", "x"} <= set(found.dims):
        raise ValueError(f"no map or box of a store: dims {dict(found.sizes)}, attributes {sorted(found.attrs)}")
    whole = Grid.from_json(found.attrs["nowcast:grid"])
    row = round((whole.y0 - float(found.y[0])) / whole.dy - 0.5)
    col = round((float(found.x[0]) - whole.x0) / whole.dx - 0.5)
    part = whole.crop(slice(row, row + found.sizes["y"]), slice(col, col + found.sizes["x"]))
    near = 1e-3 * min(part.dx, part.dy)
    if not (np.allclose(found.x, part.x, rtol=0, atol=near) and np.allclose(found.y, part.y, rtol=0, atol=near)):
        raise ValueError(f"x {found.x.values[:2]}.., y {found.y.values[:2]}.. are no part of {whole.describe()}")
    return part


class Slot(NamedTuple):
    """One place on the archive's time axis: whether it holds a usable scan, and when that came."""

    number: int
    time: datetime
    is_observed: bool
    received_time: datetime | None


def slots(archive: xr.Dataset, start: datetime, end: datetime) -> list[Slot]:
    """Every slot of one state of the archive between two times, both included; those still to come are not observed."""
    axis, held = timeline(archive), len(archive.time)
    first = max(0, -((axis.start - start) // axis.cadence))
    numbers = range(first, (end - axis.start) // axis.cadence + 1)
    known = slice(first, max(first, min(numbers.stop, held)))
    status, received = archive.status[known].values, archive.received_time[known].values
    times = {first + int(k): _time(received[k]) for k in np.flatnonzero(status == STATUS_OBSERVED)}
    return [Slot(k, axis.time(k), k in times, times.get(k)) for k in numbers]


def timeline(dataset: xr.Dataset) -> Timeline:
    """The time axis of a store."""
    cadence = timedelta(seconds=dataset.attrs["nowcast:cadence_s"])
    return Timeline(parse_time(dataset.attrs["nowcast:start"]), cadence)


def completed(nowcast: xr.Dataset) -> xr.Dataset:
    """With valid times, and with what the layout of an earlier version lacks."""
    unknown = {"rung": "", "reason": "", "radar_coverage": np.uint8(RADAR_UNKNOWN)}
    nowcast = nowcast.assign({name: value for name, value in unknown.items() if name not in nowcast})
    leads = nowcast.lead_time.values.astype("timedelta64[m]")
    valid = nowcast.init_time.values + leads
    return nowcast.assign_coords(valid_time=("lead_time", valid, {"standard_name": "time"}))


def moment(time: xr.DataArray) -> datetime:
    """A scalar time of a data set as a UTC time."""
    return _time(time.values)


def _time(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value.astype("datetime64[s]").astype(int)), UTC)


def _newest_observed(dataset: xr.Dataset, until: datetime) -> int | None:
    return newest(dataset.status, (STATUS_OBSERVED,), _slots_up_to(dataset, until))


def _slots_up_to(dataset: xr.Dataset, until: datetime) -> int:
    """How many slots, filled or not, lie at or before a time."""
    axis = timeline(dataset)
    return max(0, (as_utc(until) - axis.start) // axis.cadence + 1)


def _moment(time: datetime) -> np.datetime64:
    """To nanoseconds; times that these cannot tell are moved to the nearest they can."""
    return np.datetime64(min(max(as_utc(time), FIRST), LAST).replace(tzinfo=None), "ns")
