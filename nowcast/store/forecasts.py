"""The forecast store: every nowcast of a region in the slot of its initial time, whole or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import icechunk
import numpy as np
import zarr
from numpy.typing import NDArray

from nowcast.core.crashpoints import reached
from nowcast.core.grid import Grid
from nowcast.core.scan import RUNGS, Nowcast
from nowcast.core.threads import each
from nowcast.core.timeline import Timeline, isoformat, parse_time
from nowcast.core.types import FloatField
from nowcast.store import repository
from nowcast.store.newest import newest
from nowcast.store.repository import Location, array
from nowcast.store.template import (
    DIGEST,
    MOST_INPUTS,
    STATUS_ISSUED,
    STATUS_WITHHELD,
    check_grid,
    forecast_template,
    group_attributes,
    grow,
    lay_out,
)

RAIN_RATE_MISSING = 65535
PROBABILITY_MISSING = 255
NO_RUNG = "none"
"""What stands in the place of a rung where a nowcast was withheld."""


@dataclass(frozen=True, eq=False)
class Forecasts:
    """An open forecast store."""

    location: Location
    repository: icechunk.Repository
    grid: Grid
    timeline: Timeline
    lead_times: tuple[timedelta, ...]
    thresholds: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()


class Record(NamedTuple):
    """What is known of a slot beside the fields: `rung` is "none", and `model` empty, where the nowcast was withheld.

    `rung` and `reason` are empty for nowcasts of an earlier version.
    """

    model: str
    rung: str = ""
    reason: str = ""

    @property
    def is_issued(self) -> bool:
        """Whether there is a nowcast."""
        return self.rung != NO_RUNG


def create_forecasts(
    location: Location,
    grid: Grid,
    timeline: Timeline,
    leads: int,
    thresholds: tuple[float, ...] = (),
    quantiles: tuple[float, ...] = (),
) -> Forecasts:
    """A new, empty store for `leads` leads, one cadence apart; ValueError when one lies there already."""
    lead_times = tuple(timeline.cadence * (k + 1) for k in range(leads))
    minutes = [lead / timedelta(minutes=1) for lead in lead_times]
    if any(not m.is_integer() for m in minutes):
        raise ValueError(f"leads must be whole minutes, the cadence is {timeline.cadence}")
    own = {"nowcast:start": isoformat(timeline.start), "nowcast:cadence_s": timeline.cadence.total_seconds()}
    created = repository.create(location)
    reached("forecasts.create.begun")
    with repository.transaction(location, created, "layout") as group:
        template = forecast_template(grid, (int(m) for m in minutes), thresholds, quantiles)
        lay_out(group, template, group_attributes(grid, "precipitation nowcasts", own))
        reached("forecasts.layout.written")
    return Forecasts(location, created, grid, timeline, lead_times, thresholds, quantiles)


def open_forecasts(location: Location) -> Forecasts:
    """The forecast store at a location; StoreNotFound when there is none."""
    opened = repository.open_existing(location)
    group = repository.read(opened)
    attributes: Mapping[str, Any] = group.attrs
    timeline = Timeline(parse_time(attributes["nowcast:start"]), timedelta(seconds=attributes["nowcast:cadence_s"]))
    lead_times = tuple(timedelta(minutes=int(m)) for m in np.asarray(array(group, "lead_time")[:]))
    thresholds, quantiles = (
        tuple(float(v) for v in np.asarray(array(group, name)[:])) if name in group else ()
        for name in ("threshold", "quantile")
    )
    return Forecasts(location, opened, check_grid(group), timeline, lead_times, thresholds, quantiles)


def open_to_publish(location: Location) -> Forecasts:
    """`open_forecasts`, with the arrays added that a store made by an earlier version lacks; its nowcasts stay."""
    forecasts = open_forecasts(location)
    minutes = (int(lead / timedelta(minutes=1)) for lead in forecasts.lead_times)
    template = forecast_template(forecasts.grid, minutes, forecasts.thresholds, forecasts.quantiles)
    held = repository.read(forecasts.repository)
    if not all(name in held for name in template):
        with repository.transaction(location, forecasts.repository, "layout of a newer version") as group:
            lay_out(group, template, {})
            grow(group, "init_time", array(group, "init_time").shape[0])
            reached("forecasts.upgrade.written")
    return forecasts


def publish(forecasts: Forecasts, nowcast: Nowcast, now: datetime) -> bool:
    """Make a nowcast visible in one commit; False, changing nothing, when its slot holds one that is as good or better.

    Better is a higher rung of the ladder; on the same rung, one by another model replaces the one there. Raises
    GridMismatch or ValueError when it does not fit the store.
    """
    forecasts.grid.require(nowcast.grid)
    if nowcast.lead_times != forecasts.lead_times:
        raise ValueError(f"nowcast has leads {nowcast.lead_times}, the store {forecasts.lead_times}")
    if lacking := set(forecasts.thresholds) - set(nowcast.probability):
        raise ValueError(f"nowcast has no probability at {sorted(lacking)} mm/h, which the store keeps")
    if lacking := set(forecasts.quantiles) - set(nowcast.quantile):
        raise ValueError(f"nowcast has no quantile at {sorted(lacking)}, which the store keeps")
    slot = forecasts.timeline.slot(nowcast.init_time)
    message = f"nowcast {isoformat(nowcast.init_time)} by {nowcast.model}"
    with repository.transaction(forecasts.location, forecasts.repository, message) as group:
        if not _is_better(nowcast, _record(group, slot)):
            return False
        _make_room(forecasts, group, slot)
        _write(forecasts, group, slot, nowcast, now)
        reached("forecasts.publish.written")
    reached("forecasts.publish.committed")
    return True


def withhold(forecasts: Forecasts, init_time: datetime, reason: str, now: datetime) -> bool:
    """Write down that there is no nowcast from a time, and why; False, changing nothing, when there is one, or when the
    same was written before."""
    slot = forecasts.timeline.slot(init_time)
    message = f"no nowcast {isoformat(init_time)}"
    with repository.transaction(forecasts.location, forecasts.repository, message) as group:
        held = _record(group, slot)
        if held is not None and (held.is_issued or held.reason == reason):
            return False
        _make_room(forecasts, group, slot)
        array(group, "rung")[slot] = NO_RUNG
        array(group, "reason")[slot] = reason
        array(group, "issued_time")[slot] = int(now.timestamp())
        array(group, "status")[slot] = STATUS_WITHHELD
        reached("forecasts.withhold.written")
    reached("forecasts.withhold.committed")
    return True


def issued(forecasts: Forecasts, first: int = 0) -> dict[int, str]:
    """Every slot, from `first` on, that holds a nowcast, ascending, and the model that made it."""
    return {slot: record.model for slot, record in records(forecasts, first).items() if record.is_issued}


def records(forecasts: Forecasts, first: int = 0) -> dict[int, Record]:
    """Every slot, from `first` on, that holds a nowcast or the reason why there is none, ascending."""
    group = repository.read(forecasts.repository)
    slots = np.flatnonzero(np.asarray(array(group, "status")[first:]))
    if not len(slots):
        return {}
    names = [np.asarray(array(group, name)[first:]) for name in Record._fields if name in group]
    return {first + int(slot): Record(*(str(values[slot]) for values in names)) for slot in slots}


def record_at(forecasts: Forecasts, slot: int) -> Record | None:
    """What is known of one slot; None when nothing is."""
    return _record(repository.read(forecasts.repository), slot)


def issued_times(forecasts: Forecasts, first: int = 0) -> dict[int, datetime]:
    """When each of the nowcasts in the slots from `first` on was published, ascending."""
    group = repository.read(forecasts.repository)
    slots = np.flatnonzero(np.asarray(array(group, "status")[first:]) == STATUS_ISSUED)
    seconds = np.asarray(array(group, "issued_time")[first:])
    return {first + int(slot): datetime.fromtimestamp(int(seconds[slot]), UTC) for slot in slots}


def newest_record(forecasts: Forecasts) -> tuple[int, Record] | None:
    """The newest slot that `records` would list, and what is known of it."""
    group = repository.read(forecasts.repository)
    slot = newest(array(group, "status"), (STATUS_ISSUED, STATUS_WITHHELD))
    if slot is None or (record := _record(group, slot)) is None:
        return None
    return slot, record


def newest_done(forecasts: Forecasts, before: int) -> int | None:
    """The newest slot that holds a nowcast, or the reason why there is none if it lies before another slot."""
    status = array(repository.read(forecasts.repository), "status")
    published = newest(status, (STATUS_ISSUED,))
    withheld = newest(status, (STATUS_WITHHELD,), before, 0 if published is None else published + 1)
    return published if withheld is None else withheld


def read_rain_rate(forecasts: Forecasts, slot: int) -> FloatField:
    """Rain rates [mm h-1] of one nowcast, (lead_time, y, x), NaN where there is no forecast."""
    return unpacked(np.asarray(array(repository.read(forecasts.repository), "rain_rate")[slot]), RAIN_RATE_MISSING)


def lead_by_lead(forecasts: Forecasts, slot: int, leads: range) -> Iterator[tuple[FloatField, FloatField | None]]:
    """Rain rates [mm h-1] (y, x) and probabilities (threshold, y, x), None without thresholds, of one nowcast.

    Lead 1 is the first after the slot. Fields are unpacked one by one to spare memory.
    """
    group, part = repository.read(forecasts.repository), slice(leads.start - 1, leads.stop - 1)
    rain = np.asarray(array(group, "rain_rate")[slot, part])
    chances = np.asarray(array(group, "probability")[slot, part]) if forecasts.thresholds else None
    for k, field in enumerate(rain):
        chance = None if chances is None else unpacked(chances[k], PROBABILITY_MISSING)
        yield unpacked(field, RAIN_RATE_MISSING), chance


def as_kept(rain_rate: FloatField) -> FloatField:
    """A field [mm h-1] (y, x) in the hundredths that the store would give back."""
    steps = np.empty((1, *rain_rate.shape), np.uint16)
    packed(rain_rate[None], steps, RAIN_RATE_MISSING)
    return unpacked(steps[0], RAIN_RATE_MISSING)


def unpacked(stored: NDArray[Any], missing: int) -> FloatField:
    """Values from whole hundredths, NaN for `missing`."""
    values = stored.astype(np.float32) * np.float32(0.01)
    values[stored == missing] = np.nan
    return values


def packed(values: FloatField, into: NDArray[Any], missing: int) -> None:
    """Write whole hundredths, `missing` for NaN, field by field to spare memory.

    What exceeds the format is cut to its largest value, `missing` - 1.
    """

    def pack(pair: tuple[FloatField, NDArray[Any]]) -> None:
        field, target = pair
        steps = np.rint(field * np.float32(100.0))
        np.minimum(steps, np.float32(missing - 1), out=steps)
        steps[np.isnan(steps)] = missing
        target[...] = steps

    each(pack, zip(values, into, strict=True), values.size)


def _record(group: zarr.Group, slot: int) -> Record | None:
    if slot >= array(group, "init_time").shape[0] or not array(group, "status")[slot]:
        return None
    return Record(*(str(array(group, name)[slot]) for name in Record._fields if name in group))


def _is_better(nowcast: Nowcast, held: Record | None) -> bool:
    if held is None or not held.is_issued:
        return True
    mine, theirs = RUNGS.index(nowcast.rung), RUNGS.index(held.rung or RUNGS[0])
    return mine < theirs or (mine == theirs and nowcast.model != held.model)


def _make_room(forecasts: Forecasts, group: zarr.Group, slot: int) -> None:
    size = array(group, "init_time").shape[0]
    if slot >= size:
        grow(group, "init_time", slot + 1)
        array(group, "init_time")[size:] = forecasts.timeline.seconds(size, slot + 1)


def _layered(fields: Sequence[FloatField], missing: int, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """Fields (lead, y, x) as (lead, field, y, x), as the store keeps them."""
    leads, *shape = fields[0].shape
    layers = np.empty((leads, len(fields), *shape), dtype)
    for k, field in enumerate(fields):
        packed(field, layers[:, k], missing)
    return layers


def _write(forecasts: Forecasts, group: zarr.Group, slot: int, nowcast: Nowcast, now: datetime) -> None:
    rain_rate = np.empty(nowcast.rain_rate.shape, np.uint16)
    packed(nowcast.rain_rate, rain_rate, RAIN_RATE_MISSING)
    array(group, "rain_rate")[slot] = rain_rate
    if forecasts.thresholds:
        chances = [nowcast.probability[threshold] for threshold in forecasts.thresholds]
        array(group, "probability")[slot] = _layered(chances, PROBABILITY_MISSING, np.uint8)
    if forecasts.quantiles:
        quantiles = [nowcast.quantile[share] for share in forecasts.quantiles]
        array(group, "rain_rate_quantile")[slot] = _layered(quantiles, RAIN_RATE_MISSING, np.uint16)
    inputs = np.zeros((MOST_INPUTS, DIGEST), np.uint8)
    for row, scan_id in zip(inputs, nowcast.scan_ids[-MOST_INPUTS:], strict=False):
        row[:] = np.frombuffer(scan_id, np.uint8)
    array(group, "input_scan_id")[slot] = inputs
    if nowcast.radar_coverage is not None:
        array(group, "radar_coverage")[slot] = nowcast.radar_coverage
    for name in Record._fields:
        array(group, name)[slot] = getattr(nowcast, name)
    array(group, "input_age")[slot] = int(nowcast.input_age.total_seconds())
    array(group, "issued_time")[slot] = int(now.timestamp())
    array(group, "status")[slot] = STATUS_ISSUED
