"""A head, two workers and a follower on machines of their own; the worker that holds the actor is cut off."""

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engines.test_engines import SCANS
from hosts import Host, can_be_made, hosts
from ray_jobs import RAY, ROOT

from nowcast.settings import Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.store import repository
from nowcast.store.forecasts import open_forecasts, records

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not can_be_made(), reason="needs root and network namespaces"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """What all machines see; not below /tmp, of which each has its own."""
    made = Path(tempfile.mkdtemp(prefix="nowcast-", dir="/var/tmp"))
    (made / "feed").mkdir()
    (made / "regions").mkdir()
    lines = (
        f"feed: {made / 'feed'}\ncadence: 5\nleads: 3\nthresholds: [1.0]\ncpus: 1\npoll_s: 0.5\nactor_deadline_s: 120\n"
    )
    (made / "regions/here.yaml").write_text(lines)
    yield made
    shutil.rmtree(made)


def variables(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "NOWCAST_"))}
    kept = {name: value for name, value in kept.items() if "proxy" not in name.lower()}
    own = {"NOWCAST_STORE": str(folder / "store"), "NOWCAST_REGIONS": str(folder / "regions"), "NOWCAST_DEVICE": "cpu"}
    ray = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_HEAD": "10.77.0.1:6379"}
    python = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": "/tmp"}
    return kept | own | ray | python | {"PREFECT_API_URL": "http://127.0.0.1:9/api", "OMP_NUM_THREADS": "1"}


def bring(folder: Path, first: int, last: int) -> None:
    for scan in SCANS[first:last]:
        write(scan, folder / "feed" / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")


def rungs(folder: Path) -> list[str]:
    where = Settings(store=str(folder / "store")).location("here").child("forecasts")
    return [one.rung for one in records(open_forecasts(where)).values()] if repository.exists(where) else []


def wait_for(come: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < ends
        time.sleep(0.5)


def test_a_machine_that_is_cut_off_takes_no_nowcast_with_it(folder: Path) -> None:
    shared = ["--object-store-memory", "80000000", "--disable-usage-stats", "--block"]
    environment = variables(folder)
    with hosts(4) as (head, *workers, follower):
        head.start(
            [RAY, "start", "--head", "--port", "6379", "--num-cpus", "0", *shared], environment, f"{folder}/head"
        )
        wait_for(lambda: head.runs("ray::") or any("dashboard" in " ".join(p.cmdline()) for p in head.processes()), 60)
        time.sleep(5)
        for number, worker in enumerate(workers):
            words = [RAY, "start", "--address", "10.77.0.1:6379", "--num-cpus", "1", *shared]
            worker.start(words, environment, f"{folder}/worker{number}")
        bring(folder, 0, 3)
        words = [str(ROOT / "docker/beside-ray"), sys.executable, "-m", "nowcast", "follow", "--region", "here"]
        follower.start(words, environment, f"{folder}/follower")
        wait_for(lambda: len(rungs(folder)) == 3, 120)
        lost = holder(workers)
        lost.lose()
        bring(folder, 3, 6)
        wait_for(lambda: len(rungs(folder)) == 6, 120)
        assert rungs(folder)[-1] == "champion"
        assert holder(workers) is not lost


def holder(workers: list[Host]) -> Host:
    (found,) = [worker for worker in workers if worker.runs("ray::RegionActor")]
    return found
