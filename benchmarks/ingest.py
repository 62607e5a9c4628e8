"""How fast files become an archive, and what they take there: per format, one by one and by backfill.

`python benchmarks/ingest.py [--all]` reads real files from NOWCAST_RADAR_DIR; with --all every event of it is
backfilled into a region of its own, and counts and seconds are printed.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from measure import Row, alternately, machine, show

from nowcast.backfill import Engine, backfill, engine
from nowcast.ingest import Ingested, Intake, Outcome, ingest, intake
from nowcast.logs import configure
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import files_in
from nowcast.store.archive import open_archive, read_slots
from nowcast.store.repository import array

EVENTS = {
    "FMI PGM": ("fmi-pgm/20160928", "*", 24),
    "FMI GeoTIFF": ("fmi-geotiff/20160928", "*", 3),
    "MeteoSwiss GIF": ("mch-gif/20160711", "*", 24),
    "BoM NetCDF": ("bom-rf3/66-mtstapl-20201031", "*", 24),
    "KNMI HDF5 rain": ("knmi-rap/20100826", "*", 24),
    "KNMI HDF5 reflectivity": ("knmi-pcp/20210203", "*", 24),
    "OPERA HDF5": ("opera/20180824", "*", 6),
    "MRMS GRIB2": ("mrms/20190610", "*", 3),
    "DWD RADOLAN YW": ("dwd-radolan/yw-20170816", "*", 12),
    "DWD RADOLAN RY": ("dwd-radolan/ry-20200101-nearly-dry", "*", 12),
    "MeteoNet npz": ("meteonet/2016_08.3", "rainfall_NW*", 1),
}
"""Format -> folder, files of it, and how many are taken."""

FEEDS = (
    "fmi-pgm",
    "fmi-geotiff",
    "mch-gif",
    "bom-rf3",
    "knmi-rap",
    "knmi-pcp",
    "opera",
    "mrms",
    "dwd-radolan",
    "meteonet",
)
PARTS = {"meteonet": ("rainfall_NW*", "rainfall_SE*", "reflectivity_old_NW*", "reflectivity_old_SE*")}
"""Feeds that a folder mixes are regions of their own."""

MB, ROUNDS = 1e6, 3
WORKERS = (1, 2)


def rows() -> list[Row]:
    """Rates and sizes per format; then backfill of FMI and KNMI files beside ingest one by one."""
    radar = Settings().radar_dir
    chosen = {name: files_in(radar / folder, glob)[:most] for name, (folder, glob, most) in EVENTS.items()}
    with tempfile.TemporaryDirectory() as store:
        taken = [row for name, paths in chosen.items() for row in _ingested(name, paths, Path(store))]
        return taken + [row for name in ("FMI PGM", "OPERA HDF5") for row in _compared(name, chosen[name], Path(store))]


def _ingested(name: str, paths: Sequence[Path], store: Path) -> list[Row]:
    """Bytes of files and of pixels that come in in a second, and what a scan takes in the store and in its file."""
    where = _region(store, f"rate-{name}")
    seconds = _seconds(lambda: _one_by_one(where, paths))
    archive = open_archive(where.archive_location)
    scans, files = len(np.flatnonzero(read_slots(archive).status)), sum(path.stat().st_size for path in paths)
    pixels = scans * archive.grid.height * archive.grid.width * array(archive.group, archive.quantity).dtype.itemsize
    kept = sum(path.stat().st_size for path in Path(where.archive_location.url).rglob("*") if path.is_file())
    told = f"{files / seconds / MB:.3g} MB/s of files, {pixels / seconds / MB:.3g} MB/s of stored pixels"
    return [
        Row(f"ingest {name}", told, "-", None, "-", None, f"{scans} scans in {seconds:.2f} s, once", machine()),
        Row(
            f"store {name}",
            f"{kept / scans:.0f} bytes per scan",
            f"{files / scans:.0f} in the file",
            round(kept / files, 2),
            "-",
            None,
            f"{scans} scans",
            machine(),
        ),
    ]


def _compared(name: str, paths: Sequence[Path], store: Path) -> list[Row]:
    """Backfill by some workers, in turn with ingest one by one."""
    number = iter(range(10**6))

    def fresh() -> Intake:
        return _region(store, f"{name}-{next(number)}")

    def filled(workers: int) -> None:
        with engine("threads", workers) as decode:
            backfill(fresh(), paths, datetime.now(UTC), decode, lambda one: None)

    works = [lambda: _one_by_one(fresh(), paths), *(lambda count=count: filled(count) for count in WORKERS)]
    plain, *quick = alternately(works, ROUNDS)
    return [
        _row(f"backfill {name}, {count} worker(s)", times, plain) for count, times in zip(WORKERS, quick, strict=True)
    ]


def _row(name: str, ours: Sequence[float], plain: Sequence[float]) -> Row:
    ratio = median(plain) / median(ours)
    each = sorted(b / a for a, b in zip(ours, plain, strict=True))
    told = f"{median(ours):.3g} s", f"{median(plain):.3g} s one by one"
    kept = f"{each[0]:.2f} to {each[-1]:.2f} over {len(each)} rounds"
    return Row(name, *told, round(ratio, 2), ">= 1 x faster", ratio >= 1, kept, machine())


def _region(store: Path, name: str) -> Intake:
    named = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return intake(Region(name=named), Settings(store=str(store)))


def _one_by_one(where: Intake, paths: Sequence[Path]) -> None:
    for path in paths:
        ingest(where, path, datetime.now(UTC))


def _seconds(work: Callable[[], None]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def everything() -> None:
    """Backfill every event, each into a region of its own."""
    radar = Settings().radar_dir
    events = [(feed, folder) for feed in FEEDS for folder in sorted((radar / feed).iterdir())]
    with tempfile.TemporaryDirectory() as store, engine("threads") as decode:
        for feed, folder in events:
            for pattern in PARTS.get(feed, ("*",)):
                print(f"{feed}/{folder.name}/{pattern}: {_event(Path(store), folder, pattern, decode)}", flush=True)


def _event(store: Path, folder: Path, pattern: str, decode: Engine) -> str:
    """What became of an event's files."""
    where, paths = _region(store, f"{folder.parent.name}-{folder.name}-{pattern}"), files_in(folder, pattern)
    told: list[Ingested] = []
    seconds = _seconds(lambda: backfill(where, paths, datetime.now(UTC), decode, told.append))
    counts = Counter(one.outcome.value for one in told)
    scans = len(np.flatnonzero(read_slots(open_archive(where.archive_location)).status))
    reasons = "; ".join(sorted({one.reason for one in told if one.outcome is Outcome.QUARANTINED}))
    outcomes = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{len(paths)} files, {outcomes}, {scans} scans, {seconds:.1f} s {reasons}"


if __name__ == "__main__":
    configure(Settings())
    everything() if "--all" in sys.argv else show(rows())
