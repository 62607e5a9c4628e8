"""Many regions in one process, taking turns: seconds per nowcast, and memory, as their number grows."""

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta

from measure import Row, machine, show

from nowcast.core.rain import MARSHALL_PALMER
from nowcast.core.timeline import Timeline
from nowcast.desk import desk
from nowcast.issue import issue_due
from nowcast.settings import Region, Settings
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import append, create_archive

COUNTS = 1, 4, 16, 64
SIZE, LEADS, SCANS = 128, 12, 4
START = datetime(2026, 6, 1, tzinfo=UTC)


def rows() -> list[Row]:
    """Each number of regions in a process of its own, so that memory is its own."""
    measured: list[tuple[float, float]] = []
    for count in COUNTS:
        done = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, text=True, check=True)
        taken, held = (float(word) for word in done.stdout.split()[-2:])
        measured.append((taken, held))
    alone = measured[0]
    return [
        Row(
            f"{count} regions of {SIZE} x {SIZE}, {LEADS} leads, in one process",
            f"{taken:.2f} s per nowcast, {held:.0f} MiB, {300 / taken:.0f} regions every 5 min",
            f"one region: {alone[0]:.2f} s, {alone[1]:.0f} MiB",
            round(taken / alone[0], 2),
            "-",
            None,
            f"mean of {count} nowcasts after {SCANS - 1} scans",
            machine(),
        )
        for count, (taken, held) in zip(COUNTS, measured, strict=True)
    ]


def turns(count: int) -> tuple[float, float]:
    """Seconds per nowcast of the last scan, and MiB at most."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=folder, device="cpu")
        storms = [Storm(START, seed=seed, size=SIZE) for seed in range(count)]
        regions = [Region(name=f"r{k}", cadence=5, leads=LEADS) for k in range(count)]
        desks = [desk(region, settings) for region in regions]
        for storm, region in zip(storms, regions, strict=True):
            where = settings.location(region.name).child("archive")
            create_archive(where, storm.grid, Timeline(START, storm.cadence), "rain_rate", MARSHALL_PALMER)
        for number, scans in enumerate(zip(*(storm.scans(SCANS) for storm in storms), strict=True)):
            now = START + number * timedelta(minutes=5) + timedelta(minutes=1)
            for at, scan in zip(desks, scans, strict=True):
                assert at.archive is not None
                append(at.archive, [scan], bytes([number + 1]) * 32, now)
            begun = time.perf_counter()
            for at in desks:
                issue_due(at, now)
            taken = time.perf_counter() - begun
    return taken / count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*turns(int(sys.argv[1])))
    else:
        show(rows())
