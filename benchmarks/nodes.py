"""Regions on 1, 2 and 4 Ray nodes: nowcasts per second when all their scans come at once.

`python benchmarks/nodes.py` needs no files. The nodes are processes of this machine and share its cores, so that what
is seen is what nodes cost, not what more machines bring.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

import ray
from measure import Row, machine, show, spread
from ray.cluster_utils import Cluster

from nowcast.core.rain import MARSHALL_PALMER
from nowcast.core.timeline import Timeline
from nowcast.serving.actor import region_actor
from nowcast.serving.cluster import connect, disconnect
from nowcast.settings import Region, Settings
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import append, create_archive

COUNTS = 1, 2, 4
REGIONS, SIZE, LEADS, SCANS, WARM = 4, 128, 12, 8, 3
START = datetime(2026, 6, 1, tzinfo=UTC)


def rows() -> list[Row]:
    """Each number of nodes in a process of its own; every node has room for as many actors as any other."""
    measured = [_of_process(count) for count in COUNTS]
    alone = median(measured[0])
    return [
        Row(
            f"{REGIONS} regions of {SIZE} x {SIZE}, {LEADS} leads, an actor each, on {count} Ray nodes of one machine",
            f"{REGIONS / median(taken):.2f} nowcasts/s",
            f"one node: {REGIONS / alone:.2f} nowcasts/s",
            round(alone / median(taken), 2),
            "-",
            None,
            f"{spread(taken)} for {REGIONS} nowcasts at once",
            machine(),
        )
        for count, taken in zip(COUNTS, measured, strict=True)
    ]


def _of_process(count: int) -> list[float]:
    done = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.splitlines()[-1].split()]


def on_nodes(count: int) -> list[float]:
    """Seconds from the arrival of every region's scan to its last nowcast, for each scan after the first few."""
    room = {"num_cpus": REGIONS // count, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=room)
    for _ in range(count - 1):
        cluster.add_node(num_cpus=REGIONS // count)
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(store=folder, device="cpu", ray_address=cluster.address)
            regions = [Region(name=f"r{k}", cadence=5, leads=LEADS, cpus=1) for k in range(REGIONS)]
            connect(settings)
            return _cycles(settings, regions)
    finally:
        disconnect()
        cluster.shutdown()


def _cycles(settings: Settings, regions: Sequence[Region]) -> list[float]:
    storms = [Storm(START, seed=seed, size=SIZE) for seed in range(len(regions))]
    archives = [
        create_archive(
            settings.location(region.name).child("archive"),
            storm.grid,
            Timeline(START, storm.cadence),
            "rain_rate",
            MARSHALL_PALMER,
        )
        for region, storm in zip(regions, storms, strict=True)
    ]
    taken = []
    for number, scans in enumerate(zip(*(storm.scans(SCANS) for storm in storms), strict=True)):
        for archive, scan in zip(archives, scans, strict=True):
            append(archive, [scan], bytes([number + 1]) * 32, START + number * timedelta(minutes=5))
        begun = time.perf_counter()
        ray.get([region_actor(region, settings).issue.remote(region) for region in regions])
        taken.append(time.perf_counter() - begun)
    return taken[WARM:]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*on_nodes(int(sys.argv[1])))
    else:
        show(rows())
