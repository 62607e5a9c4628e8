"""A nowcast of MRMS, 3500 x 7000 pixels: seconds and memory of the whole cycle, from files to the forecast store."""

import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from measure import Row, machine, show

from nowcast.desk import desk
from nowcast.ingest import ingest, intake
from nowcast.issue import issue_due
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import files_in
from nowcast.store.archive import open_archive

SCANS, LEADS, MOST_GIB = 3, 12, 24


def rows() -> list[Row]:
    """Nothing without the MRMS files."""
    files = files_in(Settings().radar_dir / "mrms" / "20190610", "*.grib2")[:SCANS]
    return [nowcast_of(files)] if files else []


def nowcast_of(files: list[Path]) -> Row:
    """Memory is the most that the process ever held; files are decoded in a child, as ever."""
    with tempfile.TemporaryDirectory() as folder:
        settings, region = Settings(store=folder), Region(name="mrms", leads=LEADS)
        where, now = intake(region, settings), datetime.now(UTC)
        for path in files:
            ingest(where, path, now)
        grid, begun = open_archive(where.archive_location).grid, time.perf_counter()
        made = issue_due(desk(region, settings), now, newest=True)
        taken = time.perf_counter() - begun
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    name = f"MRMS {grid.height} x {grid.width}, {LEADS} leads with all chances and quantiles, by {made[0].model}"
    told = f"{taken:.0f} s, at most {held:.1f} GiB"
    return Row(name, told, "-", None, f"<= {MOST_GIB} GiB on 2 cores", held <= MOST_GIB, "once", machine())


if __name__ == "__main__":
    show(rows())
