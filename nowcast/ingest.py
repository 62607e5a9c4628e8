"""First use case: a file becomes an archived scan, a known duplicate, or a quarantined file with a reason."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import structlog
from icechunk import IcechunkError

from nowcast.core.crashpoints import reached
from nowcast.core.grid import Grid, GridMismatch
from nowcast.core.redaction import shown
from nowcast.core.scan import Scan, brief
from nowcast.core.timeline import OffCadence, Timeline, isoformat
from nowcast.quality import ImplausibleScan, check
from nowcast.quality_change import MEMORY, check_change
from nowcast.settings import USUAL_CADENCE, Region, Settings
from nowcast.sources.feeds import name_at, time_in_name, usual_step
from nowcast.sources.limits import MIB, Limits
from nowcast.sources.payload import BadScan
from nowcast.sources.sandbox import decode
from nowcast.store import repository
from nowcast.store.archive import (
    Archive,
    Placement,
    append,
    create_archive,
    open_archive,
    original,
    read_frames,
    read_slots,
    time_of_file,
)
from nowcast.store.quarantine import is_refused, refuse
from nowcast.store.repository import Location

log = structlog.get_logger()

NAMES_APART = timedelta(days=1)
"""The times in names may be those of another zone, or of the beginning of a sum."""

TAKEN_IN = "the same bytes were taken in before"


class Outcome(StrEnum):
    """What became of a file."""

    STORED = "stored"
    LATE = "late"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


EVENTS = {
    Outcome.STORED: "scan stored",
    Outcome.LATE: "scan stored",
    Outcome.DUPLICATE: "file known",
    Outcome.QUARANTINED: "file refused",
}
"""What the log calls it."""


@dataclass(frozen=True)
class Ingested:
    """A file's outcome, the reason where there is one, and the nominal times and ids of the scans that it holds."""

    file: str
    outcome: Outcome
    reason: str = ""
    times: tuple[datetime, ...] = ()
    scan_ids: tuple[bytes, ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds, as far as the region keeps it: scans, what was noticed about them, and their whole grid. No
    scans and no grid where it was refused, with the reason."""

    path: Path
    file_id: bytes
    scans: tuple[Scan, ...] = ()
    remarks: tuple[str, ...] = ()
    source_grid: Grid | None = None
    refused: str = ""


@dataclass(frozen=True)
class Intake:
    """Where a region's files go, and what decoding one may cost."""

    region: Region
    location: Location
    quarantine: Path
    limits: Limits = field(default_factory=Limits)

    @property
    def archive_location(self) -> Location:
        """The region's archive."""
        return self.location.child("archive")


def intake(region: Region, settings: Settings) -> Intake:
    """Where a region's files go under these settings."""
    memory, output = settings.decode_memory_mib * MIB, settings.decode_output_mib * MIB
    limits = Limits(settings.decode_s, settings.decode_cpu_s, memory, output)
    return Intake(region, settings.location(region.name), settings.quarantine_folder(region.name), limits)


def ingest(where: Intake, path: Path, now: datetime) -> Ingested:
    """Take one file in; doing it again, or after a kill at any point, changes nothing more.

    Raises OSError when the file cannot be read, no process be started to decode it, or the archive not be written, now;
    that may be tried again.
    """
    with store_errors(where):
        return told(where, _ingest(where, path, now))


@contextmanager
def store_errors(where: Intake) -> Iterator[None]:
    """What the archive's store raises within becomes an OSError that names it."""
    try:
        yield
    except IcechunkError as error:
        raise OSError(f"{where.archive_location.url}: {str(error).splitlines()[0]}") from error


def told(where: Intake, result: Ingested) -> Ingested:
    """The result as it may be shown, written to the log."""
    result = replace(result, file=shown(result.file), reason=shown(result.reason))
    level = logging.WARNING if result.outcome is Outcome.QUARANTINED else logging.INFO
    outcome, reason = result.outcome.value, result.reason
    told = {"region": where.region.name, "file": result.file, "outcome": outcome, "reason": reason}
    log.log(level, EVENTS[result.outcome], **told, scans=[brief(one) for one in result.scan_ids])
    return result


def _ingest(where: Intake, path: Path, now: datetime) -> Ingested:
    file_id = digest(path)
    if _is_known(where, path, file_id):
        return taken_before(path)
    reached("ingest.begun")
    found = look(where, path, file_id, now)
    result = Ingested(path.name, Outcome.QUARANTINED, found.refused)
    if not found.refused:
        reached("ingest.decoded")
        result = place(archive_for(where, found), found, now)
    if result.outcome is Outcome.QUARANTINED:
        refuse(where.quarantine, path, file_id, result.reason, now)
        reached("ingest.refused")
    return result


def taken_before(path: Path) -> Ingested:
    """The outcome of a file that was taken in, or refused, before."""
    return Ingested(path.name, Outcome.DUPLICATE, TAKEN_IN)


def look(where: Intake, path: Path, file_id: bytes, now: datetime) -> Found:
    """Decode a file and check what it holds by itself, without the archive: in any process that sees the file.

    OSError when it cannot be read, or no process be started to decode it, now.
    """
    try:
        checked = [check(scan, now) for scan in decode(path, where.limits)]
        scans = [one.scan for one in checked]
        remarks = tuple(reason for one in checked for reason in one.reasons)
        return Found(path, file_id, tuple(_kept(where, scan) for scan in scans), remarks, scans[0].grid)
    except BadScan as error:
        return Found(path, file_id, refused=error.reason)
    except (ImplausibleScan, GridMismatch) as error:
        return Found(path, file_id, refused=str(error))


def _kept(where: Intake, scan: Scan) -> Scan:
    """The part of a scan that the region keeps."""
    box = where.region.box
    if box is None:
        return scan
    return scan.crop(*scan.grid.window(box.south, box.west, box.north, box.east))


def place(archive: Archive, found: Found, now: datetime) -> Ingested:
    """Hold what a file holds, one scan at least, against the archive and append it. A file that does not fit is
    QUARANTINED by the outcome alone: the caller refuses it."""
    path, scans, remarks = found.path, list(found.scans), list(found.remarks)
    assert found.source_grid is not None
    if _has_scan_of(archive, found.file_id, scans):
        return taken_before(path)
    try:
        (archive.source_grid or found.source_grid).require(found.source_grid)
        if len(scans) == 1:
            scans, more = _compared(archive, path, scans[0])
            remarks += more
        placements = append(archive, scans, found.file_id, now)
        reached("ingest.placed")
    except (ImplausibleScan, GridMismatch, OffCadence) as error:
        return Ingested(path.name, Outcome.QUARANTINED, str(error))
    if Placement.CONFLICT in placements:
        taken = isoformat(scans[placements.index(Placement.CONFLICT)].nominal_time)
        return Ingested(path.name, Outcome.QUARANTINED, f"another scan of {taken} is archived already")
    remarks += _repeats(archive, scans, placements)
    times, ids = tuple(scan.nominal_time for scan in scans), tuple(scan.scan_id for scan in scans)
    return Ingested(path.name, _outcome(placements), "; ".join(remarks), times, ids)


def _is_known(where: Intake, path: Path, file_id: bytes) -> bool:
    """Whether a file was refused, or is in the archive near the time in its name, or anywhere when the name tells none.

    Names may be wrong: where its scans lie is looked at as well, once they are decoded."""
    if is_refused(where.quarantine, file_id):
        return True
    if not repository.exists(where.archive_location):
        return False
    archive, named = open_archive(where.archive_location), time_in_name(path.name)
    return (time_of_file(archive, file_id) if named is None else _time_near(archive, file_id, named)) is not None


def _time_near(archive: Archive, file_id: bytes, named: datetime) -> datetime | None:
    """The time of the scan that a file brought, where it is not far from the one in the file's name."""
    return time_of_file(archive, file_id, named - NAMES_APART, named + NAMES_APART)


def _has_scan_of(archive: Archive, file_id: bytes, scans: Sequence[Scan]) -> bool:
    """Whether a file brought one of the archive's scans between the first and the last of these."""
    times = [scan.nominal_time for scan in scans]
    return time_of_file(archive, file_id, min(times), max(times)) is not None


def _compared(archive: Archive, path: Path, scan: Scan) -> tuple[list[Scan], list[str]]:
    """The scan without what cannot follow the one before it, and what was noticed.

    ImplausibleScan when all of it cannot, or when it is of another time than its name says.
    """
    archive.grid.require(scan.grid)
    slot, cadence = archive.timeline.slot(scan.nominal_time), archive.timeline.cadence
    _require_named_time(archive, path, scan.nominal_time)
    earlier = read_slots(archive, slot - max(1, MEMORY // cadence), slot - 1).observed
    if not len(earlier):
        return [scan], []
    before, elapsed = int(earlier[-1]), (slot - int(earlier[-1])) * cadence
    rain_rate = read_frames(archive, before, before).rain_rate[0]
    ray = check_change(rain_rate, scan.rain_rate, elapsed, archive.grid.spacing_km)
    count = int(ray.sum())
    return ([scan.masked(ray)], [f"{count} pixels along a line masked"]) if count else ([scan], [])


def _require_named_time(archive: Archive, path: Path, nominal_time: datetime) -> None:
    """Raise ImplausibleScan when the times in a file and in its name are apart otherwise than in the file before.

    Names count only where the archive holds the file before, by name, which shows what this feed's names mean.
    """
    if (named := time_in_name(path.name)) is None:
        return
    if (last := _file_before(path, named, archive.timeline.cadence)) is None:
        return
    before, other = last
    if (known := _time_near(archive, digest(other), before)) is None:
        return
    if (apart := nominal_time - named) != (usual := known - before):
        raise ImplausibleScan(f"its time is {apart} after the one in its name, {usual} in the file before")


def _file_before(path: Path, named: datetime, cadence: timedelta) -> tuple[datetime, Path] | None:
    """The time in its name and the path of the file before, by name. The folder is read only where that is not the one
    that the cadence tells, for it may have grown long."""
    expected = path.with_name(name_at(path.name, named - cadence))
    if time_in_name(expected.name) == named - cadence and expected.is_file():
        return named - cadence, expected
    times = ((time_in_name(other.name), other) for other in path.parent.iterdir())
    return max(((moment, other) for moment, other in times if moment and moment < named), default=None)


def digest(path: Path) -> bytes:
    """What identifies a file: the sha256 of its bytes. OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def archive_for(where: Intake, found: Found) -> Archive:
    """The region's archive, laid out for the first scan of a file when there is none yet."""
    if repository.exists(where.archive_location):
        return open_archive(where.archive_location)
    first = min(found.scans, key=lambda scan: scan.nominal_time)
    start = where.region.archive_start or first.nominal_time.replace(hour=0, minute=0, second=0)
    timeline = Timeline(start, where.region.cadence or _cadence(found.path, found.scans))
    return create_archive(where.archive_location, first.grid, timeline, first.quantity, first.zr, found.source_grid)


def _cadence(path: Path, scans: Sequence[Scan]) -> timedelta:
    """Time between scans as the file itself, or the names of its neighbours, tell."""
    within = usual_step(scan.nominal_time for scan in scans)
    named = (time_in_name(other.name) for other in path.parent.iterdir())
    return within or usual_step(moment for moment in named if moment) or USUAL_CADENCE


def _repeats(archive: Archive, scans: Sequence[Scan], placements: Sequence[Placement]) -> list[str]:
    """What is to be said of stuck scans: whose picture they show."""
    stuck = [scan for scan, placement in zip(scans, placements, strict=True) if placement is Placement.STUCK]
    slots = (archive.timeline.slot(scan.nominal_time) for scan in stuck)
    return [f"same picture as {original(archive, slot):%H:%M}" for slot in slots]


def _outcome(placements: Sequence[Placement]) -> Outcome:
    if Placement.STORED in placements or Placement.STUCK in placements:
        return Outcome.STORED
    return Outcome.LATE if Placement.LATE in placements else Outcome.DUPLICATE
