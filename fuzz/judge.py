"""What becomes of a damaged file: decoded in the sandbox, and checked as ingest and the archive check."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from nowcast.core.grid import Grid, GridMismatch
from nowcast.core.scan import Scan
from nowcast.core.timeline import OffCadence, Timeline
from nowcast.quality import CLOCK_TOLERANCE, ImplausibleScan, check
from nowcast.sources.limits import MIB, Limits
from nowcast.sources.payload import BadScan
from nowcast.sources.sandbox import decode

LIMITS = Limits(wall_s=10.0, cpu_s=5, memory=2048 * MIB, output=256 * MIB)
CORNER = 0.01
"""How far a corner may lie from where it should, as a share of a pixel."""


class Verdict(StrEnum):
    """What became of a file. The last three must never be."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    CRASHED = "crashed"
    HUNG = "hung"
    WRONG_GRID = "wrong grid"
    WRONG_TIME = "wrong time"
    WRONG_SCAN = "wrong scan"


@dataclass(frozen=True)
class Case:
    """A specimen's grid and time raster: what an archive that took it in asks of all others."""

    grid: Grid
    timeline: Timeline
    now: datetime


def case_of(specimen: Path) -> Case:
    """What the archive of an undamaged file asks for: its grid, and whole minutes from its day on."""
    scans = decode(specimen, LIMITS)
    start = scans[0].nominal_time.replace(hour=0, minute=0, second=0, microsecond=0)
    return Case(scans[0].grid, Timeline(start, timedelta(minutes=1)), datetime.now(UTC))


def judge(case: Case, path: Path) -> tuple[Verdict, str]:
    """The verdict, and the reason where the file was refused."""
    try:
        scans = decode(path, LIMITS)
        for scan in scans:
            check(scan, case.now)
            case.grid.require(scan.grid)
            case.timeline.slot(scan.nominal_time)
    except BadScan as bad:
        return _refusal(bad.reason), bad.reason
    except (ImplausibleScan, GridMismatch, OffCadence) as error:
        return Verdict.REFUSED, f"{type(error).__name__}: {error}"
    faults = [fault for scan in scans if (fault := _fault(case, scan))]
    return (faults[0], f"{scans[0].grid} at {scans[0].nominal_time}") if faults else (Verdict.ACCEPTED, "")


def _refusal(reason: str) -> Verdict:
    if reason.startswith(("decoder died", "decoder ended", "decoder hung up", "decoder sent")):
        return Verdict.CRASHED
    return Verdict.HUNG if reason.startswith("decoding took more") else Verdict.REFUSED


def _fault(case: Case, scan: Scan) -> Verdict | None:
    """What is wrong with an accepted scan, found without the code that should have refused it."""
    if scan.values.shape != case.grid.shape or not _same_corners(case.grid, scan.grid):
        return Verdict.WRONG_GRID
    if not case.timeline.start <= scan.nominal_time <= case.now + CLOCK_TOLERANCE:
        return Verdict.WRONG_TIME
    if (scan.values[scan.coverage] != scan.values[scan.coverage]).any():
        return Verdict.WRONG_SCAN
    return None


def _same_corners(grid: Grid, other: Grid) -> bool:
    """Whether corners and centre lie at the same longitudes and latitudes."""
    last = grid.height - 1, grid.width - 1
    places = ((0, 0), (0, last[1]), (last[0], 0), last, (last[0] / 2, last[1] / 2))
    degrees = CORNER * grid.spacing_km / 111.195
    for row, col in places:
        (lon, lat), (lon_2, lat_2) = grid.lonlat(row, col), other.lonlat(row, col)
        if not (abs(lon - lon_2) < 4 * degrees and abs(lat - lat_2) < degrees):
            return False
    return True
