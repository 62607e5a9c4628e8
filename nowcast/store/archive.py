"""The archive: every accepted scan of a region in the slot of its nominal time, one commit per file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import islice
from typing import Any

import icechunk
import numpy as np
import zarr
from numpy.typing import NDArray

from nowcast.core.crashpoints import reached
from nowcast.core.grid import Grid
from nowcast.core.rain import WET, ZR
from nowcast.core.scan import Frames, Scan
from nowcast.core.timeline import Timeline, isoformat, parse_time
from nowcast.core.types import BoolField, FloatField, Quantity, Sampling
from nowcast.store import repository
from nowcast.store.draft import Draft
from nowcast.store.newest import newest
from nowcast.store.repository import Location, array
from nowcast.store.template import (
    DIGEST,
    STATUS_EMPTY,
    STATUS_MISSING,
    STATUS_OBSERVED,
    STATUS_STUCK,
    archive_template,
    check_grid,
    group_attributes,
    lay_out,
)

PACKED_STEP_DBZ = 0.01
PACKED_MISSING = -32768

STUCK_WITHIN, STUCK_AMONG = 12, 3
"""A scan is compared with the last three that are at most so many slots older: a feed stands still, goes on with its
old picture after a gap, or gives two pictures by turns."""

STUCK_WET = 50
"""Pixels with rain that make it no chance that two pictures are alike. Dry ones are, and so may be a few echoes from
the ground."""


class Placement(StrEnum):
    """What became of a scan that was offered to the archive."""

    STORED = "stored"
    LATE = "late"
    STUCK = "stuck"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Slots:
    """What the archive held at one moment in the slots from `first` on."""

    status: NDArray[np.uint8]
    first: int = 0

    @property
    def observed(self) -> NDArray[np.int64]:
        """Slots with a scan that covers something, ascending."""
        return self.first + np.flatnonzero(self.status == STATUS_OBSERVED)

    @property
    def stuck(self) -> NDArray[np.int64]:
        """Slots whose picture is that of an earlier one, ascending."""
        return self.first + np.flatnonzero(self.status == STATUS_STUCK)

    @property
    def latest(self) -> int | None:
        """The newest observed slot, or None."""
        return int(self.observed[-1]) if len(self.observed) else None


@dataclass(frozen=True, eq=False)
class Archive:
    """An open archive. `zr` turns stored reflectivity into rain rates. `source_grid` is the grid of the scans that its
    grid is a part of, None where that is not known. `draft` is what is read and appended to within `together`."""

    location: Location
    repository: icechunk.Repository
    grid: Grid
    timeline: Timeline
    quantity: Quantity
    zr: ZR
    source_grid: Grid | None = None
    draft: Draft | None = None

    @property
    def group(self) -> zarr.Group | Draft:
        """What is read: the newest committed state, within `together` what is about to be."""
        return repository.read(self.repository) if self.draft is None else self.draft

    @property
    def sampling(self) -> Sampling:
        """Minutes between scans and the side of a pixel."""
        return Sampling(self.timeline.cadence.total_seconds() / 60, self.grid.spacing_km)

    @cached_property
    def description(self) -> str:
        """One line for people."""
        return f"{self.quantity} on {self.grid.describe()} every {self.timeline.cadence}"


def create_archive(
    location: Location, grid: Grid, timeline: Timeline, quantity: Quantity, zr: ZR, source_grid: Grid | None = None
) -> Archive:
    """A new, empty archive; ValueError when one lies there already."""
    own = {
        "nowcast:start": isoformat(timeline.start),
        "nowcast:cadence_s": timeline.cadence.total_seconds(),
        "nowcast:quantity": quantity,
        "nowcast:zr": [zr.a, zr.b],
    }
    if source_grid is not None:
        own["nowcast:source_grid"] = source_grid.to_json()
    created = repository.create(location)
    reached("archive.create.begun")
    with repository.transaction(location, created, "layout") as group:
        lay_out(group, archive_template(grid, quantity), group_attributes(grid, "radar archive", own))
        reached("archive.layout.written")
    return Archive(location, created, grid, timeline, quantity, zr, source_grid)


def open_archive(location: Location) -> Archive:
    """The archive at a location; StoreNotFound when there is none."""
    opened = repository.open_existing(location)
    group = repository.read(opened)
    attributes: Mapping[str, Any] = group.attrs
    timeline = Timeline(parse_time(attributes["nowcast:start"]), timedelta(seconds=attributes["nowcast:cadence_s"]))
    zr = ZR(*attributes["nowcast:zr"])
    source = attributes.get("nowcast:source_grid")
    source_grid = Grid.from_json(source) if source else None
    return Archive(location, opened, check_grid(group), timeline, attributes["nowcast:quantity"], zr, source_grid)


def append(archive: Archive, scans: Sequence[Scan], file_id: bytes, received: datetime) -> list[Placement]:
    """Put the scans of one file into their slots, all in one commit; one Placement each.

    A scan that is there already is a DUPLICATE; another scan in its slot is a CONFLICT; both change nothing. LATE is
    stored, older than the newest slot. STUCK is stored, but is no observation: it shows the picture, rain and all, of
    one of the scans before it. Another scan for such a slot takes its place. When a scan comes late, the next ones are
    compared with it, so that the order of coming does not matter. Raises GridMismatch or OffCadence for a scan that
    does not fit the archive.
    """
    for scan in scans:
        archive.grid.require(scan.grid)
    slots = [archive.timeline.slot(scan.nominal_time) for scan in scans]
    message = f"{len(scans)} scan(s) from {isoformat(scans[0].nominal_time)}"
    with _writing(archive, message) as draft:
        pairs = zip(scans, slots, strict=True)
        placements = [_place(archive, draft, scan, slot, file_id, received) for scan, slot in pairs]
    reached("archive.append.committed")
    return placements


@contextmanager
def together(archive: Archive, message: str) -> Iterator[Archive]:
    """The archive to append several files to in one commit, made when the block ends; none if it raises. What was
    appended within is seen within."""
    with _transaction(archive, message) as draft:
        yield replace(archive, draft=draft)


@contextmanager
def _transaction(archive: Archive, message: str) -> Iterator[Draft]:
    with repository.transaction(archive.location, archive.repository, message) as group:
        draft = Draft(group)
        yield draft
        draft.write()
        reached("archive.append.written")


def _writing(archive: Archive, message: str) -> AbstractContextManager[Draft]:
    return _transaction(archive, message) if archive.draft is None else nullcontext(archive.draft)


def _rows(group: zarr.Group | Draft, name: str) -> Any:
    """An array (slot, ...) that is indexed by slots."""
    return group[name] if isinstance(group, Draft) else array(group, name)


def read_slots(archive: Archive, first: int = 0, last: int | None = None) -> Slots:
    """The newest committed state of every slot, or of those from `first` on, up to `last`, both included."""
    first, stop = max(0, first), None if last is None else max(0, last + 1)
    return Slots(np.asarray(_rows(archive.group, "status")[first:stop]), first)


def newest_observed(archive: Archive) -> int | None:
    """The newest slot with a scan that covers something, or None."""
    return newest(_rows(archive.group, "status"), (STATUS_OBSERVED,))


def original(archive: Archive, slot: int) -> datetime:
    """The time of the observation whose picture a stuck slot shows."""
    group = archive.group
    pictures, status = _rows(group, archive.quantity), _rows(group, "status")
    field, before = np.asarray(pictures[slot]), list(islice(_observed_before(status, slot), STUCK_AMONG))
    alike = [k for k in before if _is_same(field, np.asarray(pictures[k]))]
    return archive.timeline.time((alike or before)[0])


def _observed_before(status: Any, slot: int) -> Iterator[int]:
    """Observed slots before another, descending."""
    while (before := newest(status, (STATUS_OBSERVED,), slot)) is not None:
        yield (slot := before)


def uninterrupted(slots: NDArray[np.int64], shortest: int = 1) -> list[tuple[int, int]]:
    """First and last of every run of at least `shortest` consecutive slots, `slots` being ascending."""
    parts = np.split(slots, np.flatnonzero(np.diff(slots) > 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts if len(part) >= shortest]


def read_frames(archive: Archive, first: int, last: int) -> Frames:
    """Frames of the slots first .. last, both included; slots that hold nothing are frames without coverage."""
    assert first >= 0
    group = archive.group
    stop = min(last + 1, _rows(group, "time").shape[0])
    stored = slice(min(first, stop), stop)
    absent = last - first + 1 - (stored.stop - stored.start)
    coverage = _pad(np.asarray(_rows(group, "coverage")[stored]), absent, False)
    rain_rate = _pad(_rain_rate(archive, np.asarray(_rows(group, archive.quantity)[stored])), absent, np.nan)
    rain_rate[~coverage] = np.nan
    times = tuple(archive.timeline.time(slot) for slot in range(first, last + 1))
    return Frames(times, rain_rate, coverage, _scan_ids(group, first, last), archive.sampling)


def read_coverage(archive: Archive, slot: int) -> BoolField:
    """Where one slot was observed, (y, x)."""
    return np.asarray(_rows(archive.group, "coverage")[slot])


def scan_ids(archive: Archive, first: int, last: int) -> tuple[bytes, ...]:
    """Scan ids of the slots first .. last, both included, no field read; empty where nothing was observed."""
    assert first >= 0
    return _scan_ids(archive.group, first, last)


def received(archive: Archive, slot: int) -> datetime:
    """When the scan of a slot that holds one was ingested."""
    return datetime.fromtimestamp(int(_rows(archive.group, "received_time")[slot]), UTC)


def received_times(archive: Archive, first: int = 0) -> dict[int, datetime]:
    """When each of the scans in the slots from `first` on was ingested, ascending."""
    observed = np.flatnonzero(np.asarray(_rows(archive.group, "status")[first:]) == STATUS_OBSERVED)
    seconds = np.asarray(_rows(archive.group, "received_time")[first:])
    return {first + int(slot): datetime.fromtimestamp(int(seconds[slot]), UTC) for slot in observed}


def file_ids(archive: Archive) -> set[bytes]:
    """The sha256 of every file that has a scan in the archive: all of it is looked through."""
    stored = np.asarray(_rows(archive.group, "file_id")[:])
    return {row.tobytes() for row in stored if row.any()}


def time_of_file(
    archive: Archive, file_id: bytes, since: datetime | None = None, until: datetime | None = None
) -> datetime | None:
    """The time of the first scan, of all or of those between two times, both included, that a file brought; None when
    there is none. Between two times it is found as quickly in an old archive as in a young one."""
    axis = archive.timeline
    first = 0 if since is None else max(0, -((axis.start - since) // axis.cadence))
    stop = None if until is None else max(0, (until - axis.start) // axis.cadence + 1)
    stored = np.asarray(_rows(archive.group, "file_id")[first:stop])
    slots = np.flatnonzero((stored == np.frombuffer(file_id, np.uint8)).all(axis=1))
    return axis.time(first + int(slots[0])) if len(slots) else None


def gaps(archive: Archive) -> list[datetime]:
    """Times between the first and the last scan that have none, ascending."""
    status = read_slots(archive).status
    present = np.flatnonzero(status != STATUS_MISSING)
    if not len(present):
        return []
    missing = np.flatnonzero(status == STATUS_MISSING)
    return [archive.timeline.time(int(slot)) for slot in missing[missing > present[0]]]


def _scan_ids(group: zarr.Group | Draft, first: int, last: int) -> tuple[bytes, ...]:
    identities, status = (np.asarray(_rows(group, name)[first : last + 1]) for name in ("scan_id", "status"))
    there = status == STATUS_OBSERVED
    ids = [row.tobytes() if is_there else b"" for row, is_there in zip(identities, there, strict=True)]
    return (*ids, *[b""] * (last - first + 1 - len(ids)))


def _place(archive: Archive, draft: Draft, scan: Scan, slot: int, file_id: bytes, received: datetime) -> Placement:
    last = draft["time"].shape[0] - 1
    held = draft["status"][slot] if slot <= last else STATUS_MISSING
    if held != STATUS_MISSING:
        is_known = np.asarray(draft["scan_id"][slot]).tobytes() == scan.scan_id
        if is_known or held != STATUS_STUCK:
            return Placement.DUPLICATE if is_known else Placement.CONFLICT
    if slot > last:
        for between, seconds in enumerate(archive.timeline.seconds(last + 1, slot + 1), last + 1):
            draft["time"][between] = seconds
    draft[archive.quantity][slot] = _packed(archive, scan)
    reached("archive.scan.half")
    draft["scan_id"][slot] = np.frombuffer(scan.scan_id, np.uint8)
    draft["file_id"][slot] = np.frombuffer(file_id, np.uint8, DIGEST)
    draft["received_time"][slot] = int(received.timestamp())
    draft["coverage"][slot] = scan.coverage
    draft["status"][slot] = STATUS_OBSERVED if scan.coverage.any() else STATUS_EMPTY
    for other in (slot, *_pictures(draft, slot + 1, slot + 1 + STUCK_WITHIN)[:STUCK_AMONG]):
        _tell_stuck(archive, draft, other)
    if draft["status"][slot] == STATUS_STUCK:
        return Placement.STUCK
    return Placement.STORED if slot >= last else Placement.LATE


def _pictures(draft: Draft, first: int, stop: int) -> list[int]:
    """The slots first .. stop - 1 that hold a picture, an observation or a stuck one."""
    status = np.asarray(draft["status"][first:stop])
    return [first + int(k) for k in np.flatnonzero((status == STATUS_OBSERVED) | (status == STATUS_STUCK))]


def _tell_stuck(archive: Archive, draft: Draft, slot: int) -> None:
    """Mark an observed slot as stuck if its picture is one of the last. Its field still tells where it was covered."""
    field, status = np.asarray(draft[archive.quantity][slot]), draft["status"]
    if status[slot] != STATUS_OBSERVED or not _is_wet(archive, field):
        return
    before = _pictures(draft, max(0, slot - STUCK_WITHIN), slot)[-STUCK_AMONG:]
    if any(_is_same(field, np.asarray(draft[archive.quantity][k])) for k in reversed(before)):
        status[slot] = STATUS_STUCK
        draft["coverage"][slot] = np.zeros(archive.grid.shape, bool)


def _is_same(field: NDArray[Any], other: NDArray[Any]) -> bool:
    return bool(np.array_equal(field, other, equal_nan=field.dtype.kind == "f"))


def _is_wet(archive: Archive, field: NDArray[Any]) -> bool:
    """Whether a field, as stored, holds rain enough to be told from another."""
    missing = np.isnan(field) if archive.quantity == "rain_rate" else field == PACKED_MISSING
    return bool(np.count_nonzero(_rain_rate(archive, field)[~missing] >= WET) >= STUCK_WET)


def _packed(archive: Archive, scan: Scan) -> NDArray[Any]:
    """The scan's field as the archive stores it."""
    if archive.quantity == "rain_rate":
        return scan.rain_rate
    dbz = scan.values if scan.quantity == "reflectivity" else archive.zr.reflectivity(scan.values)
    steps = np.round(dbz / PACKED_STEP_DBZ)
    return np.where(scan.coverage, steps, PACKED_MISSING).astype(np.int16)


def _rain_rate(archive: Archive, stored: NDArray[Any]) -> FloatField:
    if archive.quantity == "rain_rate":
        return stored.astype(np.float32)
    return archive.zr.rain_rate((stored * np.float32(PACKED_STEP_DBZ)).astype(np.float32))


def _pad(stored: NDArray[Any], absent: int, value: Any) -> NDArray[Any]:
    if not absent:
        return stored
    return np.concatenate([stored, np.full((absent, *stored.shape[1:]), value, stored.dtype)])
