"""Serving and retraining as jobs of a Ray cluster that asks for a token, handed in by `ray job submit`."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes import file_id
from ray_jobs import ROOT, JobServer, job_server

from nowcast import registry
from nowcast.core.timeline import Timeline
from nowcast.settings import Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store import repository
from nowcast.store.archive import append, create_archive
from nowcast.store.forecasts import open_forecasts, records

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCANS = list(Storm(START, size=64, cells=3).scans(60))
SETTING = ("--runtime-env", str(ROOT / "infra/ray/runtime_env.yaml"), "--log-style", "record")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Region `live` with a feed of four scans, and `here` with five hours in its archive."""
    top = tmp_path_factory.mktemp("jobs")
    for name in ("feed", "work/regions"):
        (top / name).mkdir(parents=True)
    common = "cadence: 5\nleads: 3\nthresholds: [0.1, 1.0]\n"
    (top / "work/regions/live.yaml").write_text(f"feed: {top / 'feed'}\npoll_s: 0.2\n{common}")
    (top / "work/regions/here.yaml").write_text(common)
    for scan in SCANS[:4]:
        write(scan, top / "feed" / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    where = Settings(store=str(top / "store")).location("here").child("archive")
    timeline = Timeline(START.replace(hour=0), timedelta(minutes=5))
    append(create_archive(where, SCANS[0].grid, timeline, "rain_rate", SCANS[0].zr), SCANS, file_id(0), START)
    return top


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[JobServer]:
    """Its nodes know the store; no server of Prefect answers."""
    known = {"NOWCAST_STORE": str(folder / "store"), "NOWCAST_DEVICE": "cpu", "PYTHONPATH": str(ROOT)}
    calm = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "OMP_NUM_THREADS": "1"}
    with job_server(2, **known, **calm) as server:
        yield server


def issued(folder: Path) -> list[str]:
    """The rungs of what was issued for `live`."""
    where = Settings(store=str(folder / "store")).location("live").child("forecasts")
    return [one.rung for one in records(open_forecasts(where)).values()] if repository.exists(where) else []


def wait_for(come: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < ends
        time.sleep(0.5)


def test_nobody_without_the_token_hands_in_a_job(cluster: JobServer) -> None:
    refused = cluster.ray_job("submit", "--", "true", RAY_AUTH_TOKEN="0" * 64)
    assert refused.returncode != 0
    assert "token authentication is enabled" in refused.stderr


def test_a_job_serves_a_region_by_its_actor(cluster: JobServer, folder: Path) -> None:
    words = ("--working-dir", str(folder / "work"), "--submission-id", "follow-live", "--no-wait")
    begun = cluster.ray_job(
        "submit", *SETTING, *words, "--", *["python", "-m", "nowcast", "follow", "--region", "live"]
    )
    assert begun.returncode == 0, begun.stderr
    wait_for(lambda: len(issued(folder)) == 4, 120)
    write(SCANS[4], folder / "feed" / f"storm_{SCANS[4].nominal_time:%Y%m%d%H%M}.h5")
    wait_for(lambda: len(issued(folder)) == 5, 60)
    assert issued(folder)[-1] == "champion"
    assert cluster.ray_job("stop", "follow-live").returncode == 0


def test_a_job_retrains_with_two_workers(cluster: JobServer, folder: Path) -> None:
    words = ("--working-dir", str(folder / "work"), "--submission-id", "retrain-here")
    train = "python -m nowcast retrain --region here --continue --steps 2 --workers 2 --cpus 0.5 --device cpu --json"
    done = cluster.ray_job("submit", *SETTING, *words, "--", *train.split())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (said,) = (json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"outcome"'))
    assert said["outcome"] in ("promoted", "refused")
    assert {"challenger", "champion", "persistence", "advection"} <= set(said["figures"]["mean_csi"])
    settings = Settings(store=str(folder / "store"))
    assert [one.model_id for one in registry.versions(settings.models("here"))] == [said["model"]]
    assert list((folder / "store/here/training").iterdir()) == []
