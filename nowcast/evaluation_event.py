"""A folder of scans as an event that methods can be tried on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.ingest import Intake, Outcome, ingest
from nowcast.settings import Region
from nowcast.sources.feeds import files_in
from nowcast.sources.payload import BadScan
from nowcast.sources.sandbox import decode
from nowcast.store.archive import Archive, open_archive, read_slots
from nowcast.store.repository import Location

SCANS_IN, LEADS, EVERY = 4, 12, 6


@dataclass(frozen=True)
class Skipped:
    """A file that no score rests on, its path below the event's folder, and why."""

    file: str
    reason: str


@dataclass(frozen=True, eq=False)
class Event:
    """Scans of one product on one grid, times of those that cover anything, slots to forecast from, files left out."""

    archive: Archive
    times: tuple[datetime, ...]
    starts: tuple[int, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, eq=False)
class Kind:
    """What the scans of an event have in common, and where they go."""

    source: str
    product: str
    grid: Grid
    intake: Intake

    def fits(self, scan: Scan) -> bool:
        """Whether a scan is of this kind."""
        return (self.source, self.product) == (scan.source, scan.product) and not self.grid.mismatch(scan.grid)


def gather(folder: Path, temporary: Path) -> Event:
    """The scans of a folder in an archive below `temporary`; ValueError when no forecast can be judged on them.

    Of several products or grids the one with the most scans counts. A file that cannot be read, that repeats another or
    is of another kind is skipped.
    """
    kinds: list[Kind] = []
    taken: dict[str, Kind] = {}
    skipped = []
    for path in files_in(folder):
        name = str(path.relative_to(folder))
        try:
            kind = _kind(kinds, decode(path)[0], temporary)
            result = ingest(kind.intake, path, datetime.now(UTC))
        except (BadScan, OSError) as error:
            skipped.append(Skipped(name, error.reason if isinstance(error, BadScan) else str(error)))
            continue
        if result.outcome in (Outcome.STORED, Outcome.LATE):
            taken[name] = kind
        else:
            skipped.append(Skipped(name, result.reason or "holds no scan that others do not"))
    if not taken:
        raise ValueError(f"{folder} holds no scan: {skipped[0].reason if skipped else 'it is empty'}")
    return _largest(folder, taken, skipped)


def starts(observed: list[int]) -> list[int]:
    """Slots to forecast from: each ends a run of four observed ones, has one to judge by, and is six after the last."""
    present, chosen = set(observed), [-EVERY]
    for slot in observed:
        complete = all(slot - k in present for k in range(SCANS_IN))
        if slot - chosen[-1] >= EVERY and complete and any(slot + k in present for k in range(1, LEADS + 1)):
            chosen.append(slot)
    return chosen[1:]


def _kind(kinds: list[Kind], scan: Scan, temporary: Path) -> Kind:
    """The kind a scan is of, made known when it is new."""
    for kind in kinds:
        if kind.fits(scan):
            return kind
    location = Location(str(temporary / str(len(kinds))))
    intake = Intake(Region(name="evaluation"), location, temporary / "refused" / str(len(kinds)))
    kinds.append(Kind(scan.source, scan.product, scan.grid, intake))
    return kinds[-1]


def _largest(folder: Path, taken: dict[str, Kind], skipped: list[Skipped]) -> Event:
    """The event of the kind with the most scans; files of the others are skipped."""
    archives = {kind: open_archive(kind.intake.archive_location) for kind in taken.values()}
    observed = {kind: read_slots(archive).observed.tolist() for kind, archive in archives.items()}
    most = max(archives, key=lambda kind: len(observed[kind]))
    chosen = starts(observed[most])
    others = [Skipped(name, _other(kind, most)) for name, kind in taken.items() if kind is not most]
    if not chosen:
        raise ValueError(f"{folder} has no {SCANS_IN} consecutive scans with a later one: {len(observed[most])} scans")
    times = tuple(archives[most].timeline.time(slot) for slot in observed[most])
    return Event(archives[most], times, tuple(chosen), (*skipped, *others))


def _other(kind: Kind, most: Kind) -> str:
    names = (f"{one.source} {one.product} on {one.grid.describe()}" for one in (kind, most))
    return "{} is not the event's {}".format(*names)
