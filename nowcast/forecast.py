"""What a method forecasts from a slot of an archive, and how good methods are over many slots."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Frames
from nowcast.core.types import FloatField
from nowcast.models.rollout import Rolling
from nowcast.store.archive import Archive, read_frames, scan_ids
from nowcast.verify.statistics import Assessment, compare_all, merged

Item = TypeVar("Item")

FEWEST_SCANS = 2
"""Motion cannot be seen in less."""


def inputs(archive: Archive, rolling: Rolling[Any], slot: int) -> tuple[bytes, ...]:
    """Ids of the scans behind a forecast from `slot`, newest last; empty when they are too few or the slot has none."""
    ids = scan_ids(archive, rolling.first_slot(slot), slot)
    used = tuple(scan_id for scan_id in ids if scan_id)
    return used if ids[-1] and len(used) >= min(FEWEST_SCANS, rolling.nowcaster.context) else ()


def forecast_from(archive: Archive, rolling: Rolling[Any], slot: int, leads: int) -> FloatField:
    """Rain rates [mm h-1] (lead, y, x) at lead 1 .. `leads` after a slot, from the archive's scans up to it alone."""
    return np.stack(list(islice(rolling.nowcaster.forecast(state_at(archive, rolling, slot)), leads)))


def state_at(archive: Archive, rolling: Rolling[Any], slot: int) -> Any:
    """The method's state after the archive's scans up to a slot."""
    ids = scan_ids(archive, rolling.first_slot(slot), slot)
    state = rolling.advance(slot, ids, lambda first, last: read_frames(archive, first, last))
    assert state is not None
    return state


def stepped(method: Nowcaster[Any], frames: Frames) -> Any:
    """The method's state after these frames alone, of which there must be one."""
    state = None
    for rain_rate, coverage in zip(frames.rain_rate, frames.coverage, strict=True):
        state = method.observe(state, rain_rate, coverage, frames.sampling)
    assert state is not None
    return state


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, the first and the last among them, spread over all."""
    places = np.linspace(0, len(items) - 1, min(most, len(items)))
    return [items[place] for place in places.round().astype(int)]


def evaluate(
    archive: Archive,
    slots: Iterable[int],
    methods: Mapping[str, Nowcaster[Any]],
    leads: int,
    thresholds: tuple[float, ...],
) -> Assessment:
    """Sums per method over forecasts from the given slots, ascending, all methods on the same pixels."""
    nothing: Assessment = {}
    return reduce(merged, by_start(archive, slots, methods, leads, thresholds), nothing)


def by_start(
    archive: Archive,
    slots: Iterable[int],
    methods: Mapping[str, Nowcaster[Any]],
    leads: int,
    thresholds: tuple[float, ...],
) -> Iterator[Assessment]:
    """What `evaluate` sums up, slot by slot."""
    rollers = {name: Rolling(method) for name, method in methods.items()}
    for slot in slots:
        fields = {name: forecast_from(archive, rolling, slot, leads) for name, rolling in rollers.items()}
        yield judge(archive, slot, fields, thresholds)


def judge(archive: Archive, slot: int, fields: Mapping[str, FloatField], thresholds: tuple[float, ...]) -> Assessment:
    """Sums per method of forecasts (lead, y, x) from one slot against the scans that came after it."""
    leads = len(next(iter(fields.values())))
    observed = read_frames(archive, slot + 1, slot + leads)
    return compare_all(fields, observed.rain_rate, observed.coverage, thresholds)
