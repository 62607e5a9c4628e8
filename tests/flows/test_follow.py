"""Prefect flow and Ray actor together; the actor is killed with SIGKILL between two scans; scoring cannot write."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import ray
from agreement import largest_difference
from prefect.testing.utilities import prefect_test_harness

from flows.follow import follow
from nowcast.ingest import Ingested
from nowcast.replay import verification
from nowcast.serving.actor import region_actor, stop
from nowcast.settings import Region, Settings
from nowcast.skill import skill, tables
from nowcast.sources.feeds import Replay, files_in
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.forecasts import issued, open_forecasts, read_rain_rate


def process(region: Region, settings: Settings) -> int:
    """The id of the process that a region's actor runs in."""
    return int(ray.get(region_actor(region, settings).status.remote(region))["pid"])


def test_a_killed_actor_loses_no_issue_and_changes_no_number(tmp_path: Path) -> None:
    """Live scores equal those of the offline evaluation in both regions. A third cannot keep any: it issues all the
    same."""
    for scan in Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=64, cells=4).scans(8):
        write(scan, tmp_path / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    paths, settings = files_in(tmp_path, "*.h5"), Settings(store=str(tmp_path / "store"))
    killed: list[int] = []

    def kill_once(taken: Ingested, made: list[str]) -> None:
        if taken.file == paths[4].name:
            killed.append(process(Region(name="killed"), settings))
            os.kill(killed[0], signal.SIGKILL)

    with prefect_test_harness(server_startup_timeout=240):
        for name, progress in (("calm", lambda taken, made: None), ("killed", kill_once)):
            asyncio.run(follow(Region(name=name, leads=6), settings, Replay(paths), progress))
        (tmp_path / "store" / "blocked").mkdir()
        (tmp_path / "store" / "blocked" / "skill").touch()
        blocked = Region(name="blocked", model="advection")
        assert asyncio.run(follow(blocked, settings, Replay(paths[:2]), lambda taken, made: None)) == 2
    after = process(Region(name="killed"), settings)
    assert killed
    assert after != killed[0]
    calm, hit = (open_forecasts(settings.location(name).child("forecasts")) for name in ("calm", "killed"))
    assert len(issued(calm)) == 8
    assert issued(hit) == issued(calm)
    for slot in issued(calm):
        np.testing.assert_array_equal(read_rain_rate(hit, slot), read_rain_rate(calm, slot))
    for name in ("calm", "killed"):
        live = tables(skill(settings.location(name), timedelta(hours=1)), datetime.now(UTC))
        assert live["scans"]["scored"] == 7
        assert largest_difference(live, verification(Region(name=name, leads=6), settings)) <= 1e-6
    for name in ("calm", "killed", "blocked"):
        stop(Region(name=name))
    ray.shutdown()
