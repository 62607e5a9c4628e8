"""Every kind of fault: how it is made out of real files, the rule for it, and what must come out."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from faults import pictures
from faults.case import BEFORE, LATENCY, Case, Poll
from nowcast.core.scan import Scan
from nowcast.sources.odim_hdf5 import write

MINUTE = timedelta(minutes=1)

Maker = Callable[[Case, np.random.Generator], list[Poll]]
"""What the feed gives from the scan that is hit on. ValueError where the stretch gives no opportunity."""

Expected = Mapping[int, tuple[int, ...]]
"""Scan that leads to a nowcast -> the scans from the one that is hit on that must stand behind it."""

CLEAN: Expected = {0: (0,), 1: (0, 1)}
WITHOUT: Expected = {1: (1,)}
LATER: Expected = {1: (1,), 2: (0, 1, 2)}
ALL: Expected = {0: (0,), 1: (0, 1), 2: (0, 1, 2)}
AFTER_GAP: Expected = {2: (2,)}


@dataclass(frozen=True)
class Kind:
    """`told` is what an outcome and its reason must match for the fault to count as detected. `or_close`: the scan may
    also be used if the nowcasts are as they would be without the fault, within the bounds of `faults.judge`."""

    make: Maker
    rule: str
    told: str
    expected: Expected
    or_close: bool = False


def file_for(case: Case, scan: Scan, name: str = "") -> Path:
    """A scan, or a part of one in its whole, as ODIM HDF5 under the name of the file it stands for, or another."""
    scan = case.whole(scan)
    path = case.work / "feed" / (name or f"{case.files[BEFORE].name}.h5")
    write(scan, path)
    return path


def content_for(case: Case, content: bytes, name: str = "") -> Path:
    """Bytes as a file, likewise."""
    path = case.work / "feed" / (name or f"{case.files[BEFORE].name}.1")
    path.write_bytes(content)
    return path


def arrives(case: Case, path: Path, *after: int) -> list[Poll]:
    """A file when the scan that is hit is due, and scans after it."""
    return [Poll([path], case.time(0) + LATENCY), *case.usual(*after)]


def _picture(draw: Callable[[Case, np.random.Generator], Scan]) -> Maker:
    """The scan with another picture."""
    return lambda case, dice: arrives(case, file_for(case, draw(case, dice)), 1)


def _bytes(damage: Callable[[bytes, np.random.Generator], bytes]) -> Maker:
    """The real file with other bytes."""
    return lambda case, dice: arrives(case, content_for(case, damage(case.files[BEFORE].read_bytes(), dice)), 1)


def late(case: Case, dice: np.random.Generator) -> list[Poll]:
    """The scan comes after the next."""
    return [*case.usual(1), Poll([case.files[BEFORE]], case.time(1) + LATENCY + MINUTE), *case.usual(2)]


def duplicate(case: Case, dice: np.random.Generator) -> list[Poll]:
    """The same bytes come again under another name."""
    again = content_for(case, case.files[BEFORE].read_bytes(), f"again-{case.files[BEFORE].name}")
    return [*case.usual(0), Poll([again], case.time(0) + 2 * LATENCY), *case.usual(1)]


def recompressed(case: Case, dice: np.random.Generator) -> list[Poll]:
    """The same scan comes again in other bytes."""
    content = case.files[BEFORE].read_bytes()
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    again = content_for(case, gzip.compress(plain, 1, mtime=int(dice.integers(1, 1 << 30))))
    return [*case.usual(0), Poll([again], case.time(0) + 2 * LATENCY), *case.usual(1)]


def reissued(case: Case, dice: np.random.Generator) -> list[Poll]:
    """Another picture for the same time comes after it."""
    again = replace(
        case.target, quantity="rain_rate", values=case.target.rain_rate * np.float32(dice.uniform(0.8, 1.2))
    )
    return [*case.usual(0), Poll([file_for(case, again)], case.time(0) + 2 * LATENCY), *case.usual(1)]


def out_of_order(case: Case, dice: np.random.Generator) -> list[Poll]:
    """Three scans at once, not in the order of their times."""
    order = [(2, 1, 0), (1, 2, 0), (2, 0, 1)][dice.integers(3)]
    return [Poll([case.files[BEFORE + k] for k in order], case.time(2) + LATENCY)]


def shifted(case: Case, dice: np.random.Generator) -> list[Poll]:
    """Its time is a cadence off; its name tells the true one, or is off as well and comes without much delay."""
    off = case.cadence * int(dice.choice((-1, 1)))
    scan = replace(case.target, nominal_time=case.time(0) + off, identity=b"")
    if dice.random() < 0.5:
        renamed = file_for(case, scan, f"{scan.nominal_time:%Y%m%d%H%M}.h5")
        return arrives(case, renamed, 1)
    slow = int(dice.integers(1, 8)) * MINUTE
    return [Poll([file_for(case, scan)], case.time(0) + min(slow, case.cadence)), *case.usual(1)]


def off_minutes(case: Case, dice: np.random.Generator) -> list[Poll]:
    """Its time is a minute off."""
    off = MINUTE * int(dice.choice((-1, 1)))
    return arrives(case, file_for(case, replace(case.target, nominal_time=case.time(0) + off, identity=b"")), 1)


def future(case: Case, dice: np.random.Generator) -> list[Poll]:
    """Its time is two cadences to a day ahead."""
    steps = int(dice.integers(2, timedelta(days=1) // case.cadence))
    scan = replace(case.target, nominal_time=case.time(steps), identity=b"")
    return arrives(case, file_for(case, scan, f"{scan.nominal_time:%Y%m%d%H%M}.h5"), 1)


def missing(case: Case, dice: np.random.Generator) -> list[Poll]:
    """It never comes."""
    return [Poll([], case.time(0) + LATENCY), *case.usual(1)]


def dead(case: Case, dice: np.random.Generator) -> list[Poll]:
    """The feed gives nothing, and no error, for two scans and many looks."""
    return [*(Poll([], case.time(0) + k * MINUTE) for k in range(1, 10)), *case.usual(2)]


def forbidden(case: Case, dice: np.random.Generator) -> list[Poll]:
    """Every look at the feed is refused for some time; then the files are there."""
    errors = [PermissionError(13, "Permission denied"), ConnectionError("403 Forbidden"), TimeoutError("timed out")]
    refused = [Poll(errors[dice.integers(3)], case.time(0) + k * MINUTE) for k in range(int(dice.integers(1, 9)))]
    return [*refused, Poll([case.files[BEFORE], case.files[BEFORE + 1]], case.time(1) + LATENCY)]


def flapping(case: Case, dice: np.random.Generator) -> list[Poll]:
    """The feed fails every other time and gives old files again."""
    refused = [Poll(ConnectionError("reset by peer"), case.time(0) + k * MINUTE) for k in range(4)]
    old = [Poll(case.files[:BEFORE], case.time(0) + k * MINUTE) for k in range(4)]
    first, second = case.usual(0, 1)
    return [refused[0], old[0], refused[1], first, refused[2], old[1], refused[3], second]


def truncated(content: bytes, dice: np.random.Generator) -> bytes:
    """The beginning of a file."""
    return content[: int(len(content) * dice.uniform(0.02, 0.98))]


def corrupt(content: bytes, dice: np.random.Generator) -> bytes:
    """1 to 64 bits turned over, anywhere."""
    spoilt = bytearray(content)
    for bit in dice.integers(0, 8 * len(content), int(dice.integers(1, 65))):
        spoilt[bit // 8] ^= 1 << (bit % 8)
    return bytes(spoilt)


KINDS: dict[str, Kind] = {
    "late": Kind(late, "stored, leads to no nowcast itself, stands behind the next", "late", LATER),
    "duplicate": Kind(duplicate, "nothing changes", "duplicate", CLEAN),
    "re-issued, same scan in other bytes": Kind(recompressed, "nothing changes", "duplicate", CLEAN),
    "re-issued, another picture": Kind(reissued, "quarantined; the first stays", "quarantined another scan of", CLEAN),
    "out of order": Kind(out_of_order, "each stored in its slot, a nowcast from each", "late", ALL),
    "truncated": Kind(_bytes(truncated), "quarantined", "quarantined", WITHOUT),
    "corrupt": Kind(
        _bytes(corrupt), "quarantined, or decoded as it was but for masked pixels", "quarantined|stored", WITHOUT, True
    ),
    "stuck": Kind(_picture(pictures.stuck), "stored as stuck, is no observation", "stored .*same picture as", WITHOUT),
    "time off by a cadence": Kind(shifted, "quarantined", "quarantined", WITHOUT),
    "time off by a minute": Kind(off_minutes, "quarantined", "quarantined .*(raster|name)", WITHOUT),
    "future stamp": Kind(future, "quarantined", "quarantined .*future", WITHOUT),
    "missing scan": Kind(missing, "no coverage at its time, no nowcast from it", "", WITHOUT),
    "clutter": Kind(_picture(pictures.clutter), "quarantined", "quarantined rain of .* appears", WITHOUT),
    "spikes": Kind(_picture(pictures.spikes), "masked; the rest is used", "stored .*masked", CLEAN, True),
    "interference, ray": Kind(_picture(pictures.ray), "quarantined", "quarantined rain .*appears", WITHOUT),
    "interference, sector": Kind(_picture(pictures.sector), "quarantined", "quarantined rain ", WITHOUT),
    "changed grid": Kind(_picture(pictures.other_grid), "quarantined", "quarantined (shape|extent|crs)", WITHOUT),
    "dBZ given as mm/h": Kind(_picture(pictures.decibels), "quarantined", "quarantined", WITHOUT),
    "m/h given as mm/h": Kind(_picture(pictures.metres), "quarantined", "quarantined", WITHOUT),
    "rates ten or twelve times too high or low": Kind(_picture(pictures.scaled), "quarantined", "quarantined", WITHOUT),
    "all missing": Kind(_picture(pictures.all_missing), "stored as empty, no nowcast", "stored no pixel", WITHOUT),
    "all dry after rain": Kind(_picture(pictures.all_dry), "quarantined", "quarantined rain .*vanishes", WITHOUT),
    "dead feed": Kind(dead, "no nowcast, then the next scan's", "", AFTER_GAP),
    "feed refuses (credential)": Kind(forbidden, "waited for; then all is as it was", "feed out of reach", CLEAN),
    "flapping feed": Kind(flapping, "nothing changes", "feed out of reach", CLEAN),
}
