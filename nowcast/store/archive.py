"""The archive: every accepted scan of a region in the slot of its nominal time, one commit per file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

import icechunk
import numpy as np
import zarr
from numpy.typing import NDArray

from nowcast.core.grid import Grid
from nowcast.core.rain import ZR
from nowcast.core.scan import Frames, Scan
from nowcast.core.timeline import Timeline, isoformat, parse_time
from nowcast.core.types import FloatField, Quantity, Sampling
from nowcast.store import repository
from nowcast.store.repository import Location, array
from nowcast.store.template import (
    DIGEST,
    STATUS_EMPTY,
    STATUS_MISSING,
    STATUS_OBSERVED,
    archive_template,
    check_grid,
    group_attributes,
    grow,
    lay_out,
)

PACKED_STEP_DBZ = 0.01
PACKED_MISSING = -32768


class Placement(StrEnum):
    """What became of a scan that was offered to the archive."""

    STORED = "stored"
    LATE = "late"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Slots:
    """What the archive held in every slot at one moment."""

    status: NDArray[np.uint8]

    @property
    def observed(self) -> NDArray[np.int64]:
        """Slots with a scan that covers something, ascending."""
        return np.flatnonzero(self.status == STATUS_OBSERVED)

    @property
    def latest(self) -> int | None:
        """The newest observed slot, or None."""
        return int(self.observed[-1]) if len(self.observed) else None


@dataclass(frozen=True, eq=False)
class Archive:
    """An open archive. `zr` turns stored reflectivity into rain rates."""

    location: Location
    repository: icechunk.Repository
    grid: Grid
    timeline: Timeline
    quantity: Quantity
    zr: ZR

    @property
    def sampling(self) -> Sampling:
        """Minutes between scans and the side of a pixel."""
        return Sampling(self.timeline.cadence.total_seconds() / 60, self.grid.spacing_km)

    @cached_property
    def description(self) -> str:
        """One line for people."""
        return f"{self.quantity} on {self.grid.describe()} every {self.timeline.cadence}"


def create_archive(location: Location, grid: Grid, timeline: Timeline, quantity: Quantity, zr: ZR) -> Archive:
    """A new, empty archive; ValueError when one lies there already."""
    own = {
        "nowcast:start": isoformat(timeline.start),
        "nowcast:cadence_s": timeline.cadence.total_seconds(),
        "nowcast:quantity": quantity,
        "nowcast:zr": [zr.a, zr.b],
    }
    created = repository.create(location)
    with repository.transaction(location, created, "layout") as group:
        lay_out(group, archive_template(grid, quantity), group_attributes(grid, "radar archive", own))
    return Archive(location, created, grid, timeline, quantity, zr)


def open_archive(location: Location) -> Archive:
    """The archive at a location; StoreNotFound when there is none."""
    opened = repository.open_existing(location)
    group = repository.read(opened)
    attributes: Mapping[str, Any] = group.attrs
    timeline = Timeline(parse_time(attributes["nowcast:start"]), timedelta(seconds=attributes["nowcast:cadence_s"]))
    zr = ZR(*attributes["nowcast:zr"])
    return Archive(location, opened, check_grid(group), timeline, attributes["nowcast:quantity"], zr)


def append(archive: Archive, scans: Sequence[Scan], file_id: bytes, received: datetime) -> list[Placement]:
    """Put the scans of one file into their slots, all in one commit; one Placement each.

    A scan that is there already is a DUPLICATE; another scan in its slot is a CONFLICT; both change nothing. LATE is
    stored, older than the newest slot. Raises GridMismatch or OffCadence for a scan that does not fit the archive.
    """
    for scan in scans:
        archive.grid.require(scan.grid)
    slots = [archive.timeline.slot(scan.nominal_time) for scan in scans]
    message = f"{len(scans)} scan(s) from {isoformat(scans[0].nominal_time)}"
    with repository.transaction(archive.location, archive.repository, message) as group:
        return [_place(archive, group, scan, slot, file_id, received) for scan, slot in zip(scans, slots, strict=True)]


def read_slots(archive: Archive) -> Slots:
    """The newest committed state of every slot."""
    return Slots(np.asarray(array(repository.read(archive.repository), "status")[:]))


def uninterrupted(slots: NDArray[np.int64], shortest: int = 1) -> list[tuple[int, int]]:
    """First and last of every run of at least `shortest` consecutive slots, `slots` being ascending."""
    parts = np.split(slots, np.flatnonzero(np.diff(slots) > 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts if len(part) >= shortest]


def read_frames(archive: Archive, first: int, last: int) -> Frames:
    """Frames of the slots first .. last, both included; slots that hold nothing are frames without coverage."""
    assert first >= 0
    group = repository.read(archive.repository)
    stop = min(last + 1, array(group, "time").shape[0])
    stored = slice(min(first, stop), stop)
    absent = last - first + 1 - (stored.stop - stored.start)
    coverage = _pad(np.asarray(array(group, "coverage")[stored]), absent, False)
    rain_rate = _pad(_rain_rate(archive, np.asarray(array(group, archive.quantity)[stored])), absent, np.nan)
    identities = _pad(np.asarray(array(group, "scan_id")[stored]), absent, 0)
    rain_rate[~coverage] = np.nan
    times = tuple(archive.timeline.time(slot) for slot in range(first, last + 1))
    ids = tuple(row.tobytes() if row.any() else b"" for row in identities)
    return Frames(times, rain_rate, coverage, ids, archive.sampling)


def scan_ids(archive: Archive, first: int, last: int) -> tuple[bytes, ...]:
    """Scan ids of the slots first .. last, both included, without reading any field; empty where missing."""
    assert first >= 0
    stored = np.asarray(array(repository.read(archive.repository), "scan_id")[first : last + 1])
    identities = _pad(stored, last - first + 1 - len(stored), 0)
    return tuple(row.tobytes() if row.any() else b"" for row in identities)


def file_ids(archive: Archive) -> set[bytes]:
    """The sha256 of every file that has a scan in the archive."""
    stored = np.asarray(array(repository.read(archive.repository), "file_id")[:])
    return {row.tobytes() for row in stored if row.any()}


def gaps(archive: Archive) -> list[datetime]:
    """Times between the first and the last scan that have none, ascending."""
    status = read_slots(archive).status
    present = np.flatnonzero(status != STATUS_MISSING)
    if not len(present):
        return []
    missing = np.flatnonzero(status == STATUS_MISSING)
    return [archive.timeline.time(int(slot)) for slot in missing[missing > present[0]]]


def _place(archive: Archive, group: zarr.Group, scan: Scan, slot: int, file_id: bytes, received: datetime) -> Placement:
    newest = array(group, "time").shape[0] - 1
    if slot <= newest and array(group, "status")[slot] != STATUS_MISSING:
        held = np.asarray(array(group, "scan_id")[slot]).tobytes()
        return Placement.DUPLICATE if held == scan.scan_id else Placement.CONFLICT
    if slot > newest:
        grow(group, "time", slot + 1)
        array(group, "time")[newest + 1 :] = archive.timeline.seconds(newest + 1, slot + 1)
    array(group, archive.quantity)[slot] = _packed(archive, scan)
    array(group, "coverage")[slot] = scan.coverage
    array(group, "scan_id")[slot] = np.frombuffer(scan.scan_id, np.uint8)
    array(group, "file_id")[slot] = np.frombuffer(file_id, np.uint8, DIGEST)
    array(group, "received_time")[slot] = int(received.timestamp())
    array(group, "status")[slot] = STATUS_OBSERVED if scan.coverage.any() else STATUS_EMPTY
    return Placement.STORED if slot > newest else Placement.LATE


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
