"""Engines that go away while scans come: a nowcast from every scan all the same."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import ray
from prefect.settings import PREFECT_API_URL, temporary_settings
from ray_head import free_port, ray_cluster

from flows.follow import follow_anyway
from flows.steps import issue_nowcasts
from nowcast.core.timeline import Timeline
from nowcast.ingest import Ingested
from nowcast.serving.actor import region_actor
from nowcast.serving.cluster import disconnect
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Replay
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import append, create_archive, open_archive
from nowcast.store.forecasts import open_forecasts, records

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCANS = list(Storm(START, size=64, cells=3).scans(9))
REGION = Region(name="here", cadence=5, leads=3, thresholds=(1.0,))


class Station:
    """A region whose scans arrive one by one, each followed by the flow's task."""

    def __init__(self, folder: Path, address: str, region: Region = REGION) -> None:
        self.settings = Settings(store=str(folder / "store"), device="cpu", ray_address=address)
        self.region, self.location, self.coming = region, self.settings.location("here"), iter(SCANS)
        timeline = Timeline(START.replace(hour=0), timedelta(minutes=5))
        create_archive(self.location.child("archive"), SCANS[0].grid, timeline, "rain_rate", SCANS[0].zr)

    def scan(self) -> str:
        """The rung of the nowcast from the next scan."""
        scan = next(self.coming)
        append(open_archive(self.location.child("archive")), [scan], scan.scan_id, scan.nominal_time)
        asyncio.run(issue_nowcasts.fn(self.region, self.settings))
        kept = open_forecasts(self.location.child("forecasts"))
        return records(kept)[kept.timeline.slot(scan.nominal_time)].rung

    def scan_until(self, rung: str, seconds: float) -> str:
        """Further scans until one is served so, for a while; the last rung."""
        ends = time.monotonic() + seconds
        while (found := self.scan()) != rung and time.monotonic() < ends:
            time.sleep(1)
        return found


@pytest.fixture
def left() -> Iterator[None]:
    """Whatever cluster was joined is left."""
    yield
    disconnect()


@pytest.mark.slow
@pytest.mark.usefixtures("left")
def test_a_head_that_is_killed_leaves_advection_and_a_new_one_is_joined(tmp_path: Path) -> None:
    port = free_port()
    with ray_cluster(port) as head:
        here = Station(tmp_path, head.address)
        assert [here.scan() for _ in range(3)] == ["persistence", "champion", "champion"]
        head.kill()
        assert here.scan() == "advection"
        assert here.scan() == "advection"
    with ray_cluster(port):
        assert here.scan_until("champion", 60) == "champion"


@pytest.mark.slow
@pytest.mark.usefixtures("left")
def test_a_node_that_is_lost_takes_the_actor_with_it_which_starts_on_another(tmp_path: Path) -> None:
    """The head has no CPU for it. While there is no other node the actor cannot answer."""
    region = REGION.model_copy(update={"cpus": 1, "actor_deadline_s": 20.0})
    with ray_cluster(cpus=0) as head:
        head.ask("add")
        here = Station(tmp_path, head.address, region)
        assert [here.scan() for _ in range(2)] == ["persistence", "champion"]
        before = where(here)
        head.ask("remove")
        assert here.scan() == "advection"
        head.ask("add")
        assert here.scan_until("champion", 60) == "champion"
        assert where(here) != before


def where(here: Station) -> int:
    return int(ray.get(region_actor(here.region, here.settings).status.remote(here.region))["pid"])


@contextmanager
def prefect_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Prefect's server as it is run in production, in a process of its own."""
    words = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-ui"]
    apart = {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_API_URL": ""}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(words, env=os.environ | apart, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(f"http://127.0.0.1:{port}/api/health")
            yield server
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(url: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(url)


@pytest.mark.slow
@pytest.mark.usefixtures("left")
def test_a_server_of_prefect_that_goes_away_stops_no_nowcast(tmp_path: Path) -> None:
    """It is killed after the second of six scans; then everything is begun anew while it is still away."""
    feed, settings, port = tmp_path / "feed", Settings(store=str(tmp_path / "store"), device="cpu"), free_port()
    (tmp_path / "prefect").mkdir()
    feed.mkdir()
    for scan in SCANS:
        write(scan, feed / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    paths = sorted(feed.iterdir())
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
        with prefect_server(tmp_path / "prefect", port) as server:

            def kill(taken: Ingested, made: list[str]) -> None:
                if taken.file == paths[1].name:
                    os.killpg(server.pid, signal.SIGKILL)

            assert asyncio.run(follow_anyway(REGION, settings, Replay(paths[:6]), kill)) == 6
        assert asyncio.run(follow_anyway(REGION, settings, Replay(paths[6:]), lambda taken, made: None)) == 3
    kept = open_forecasts(settings.location("here").child("forecasts"))
    rungs = [record.rung for record in records(kept).values()]
    assert rungs == ["persistence", *["champion"] * 8]
