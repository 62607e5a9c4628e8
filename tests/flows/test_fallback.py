"""What the flow does when the region's actor is gone, hangs or fails: a nowcast from every scan, by what is simpler."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import ray

from flows.steps import issue_nowcasts
from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.core.scan import Scan
from nowcast.serving.actor import region_actor, stop
from nowcast.serving.cluster import connect, disconnect
from nowcast.settings import Region, Settings
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import append, open_archive
from nowcast.store.forecasts import open_forecasts, read_rain_rate, records

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCANS = list(Storm(START, size=64, cells=3).scans(6))
TAKE = "from {archive} import create"


class Station:
    """A region with its actor; scans arrive one by one."""

    def __init__(self, folder: Path, region: Region) -> None:
        self.region, self.settings = region, Settings(store=str(folder / "store"), device="cpu")
        self.location = self.settings.location(region.name)

    def take(self, scan: Scan) -> list[str]:
        """Take a scan and run the flow's task on it; the clock times of the nowcasts made."""
        where = self.location.child("archive")
        append(open_archive(where), [scan], scan.scan_id, scan.nominal_time)
        return [time[11:16] for time in asyncio.run(issue_nowcasts.fn(self.region, self.settings))]

    def pid(self) -> int:
        return int(ray.get(region_actor(self.region, self.settings).status.remote(self.region))["pid"])

    def ladder(self) -> list[tuple[str, str]]:
        """Rung and reason of every nowcast; each is whole."""
        kept = open_forecasts(self.location.child("forecasts"))
        for slot in records(kept):
            assert read_rain_rate(kept, slot).shape == (3, 64, 64)
        return [(record.rung, record.reason) for record in records(kept).values()]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    connect(Settings())
    yield
    disconnect()


def station(folder: Path, region: Region) -> Station:
    """With the first scan in its archive."""
    from nowcast.core.timeline import Timeline
    from nowcast.store.archive import create_archive

    made = Station(folder, region)
    timeline = Timeline(START.replace(hour=0), timedelta(minutes=5))
    archive = create_archive(made.location.child("archive"), SCANS[0].grid, timeline, "rain_rate", SCANS[0].zr)
    append(archive, [SCANS[0]], SCANS[0].scan_id, START)
    return made


def test_an_actor_that_is_killed_and_cannot_restart_leaves_advection(tmp_path: Path) -> None:
    """Its weights are gone when it comes back; once they are there again, so is it."""
    weights, hidden = tmp_path / "own.safetensors", tmp_path / "hidden"
    for suffix in (".safetensors", ".json"):
        shutil.copy(SHIPPED_WEIGHTS.with_suffix(suffix), weights.with_suffix(suffix))
    here = station(tmp_path, Region(name="dead", cadence=5, leads=3, thresholds=(1.0,), model=str(weights)))
    assert here.take(SCANS[1]) == ["12:00", "12:05"]
    weights.rename(hidden)
    os.kill(here.pid(), signal.SIGKILL)
    assert here.take(SCANS[2]) == ["12:10"]
    assert here.take(SCANS[3]) == ["12:15"]
    hidden.rename(weights)
    assert here.take(SCANS[4]) == ["12:20"]
    rungs, reasons = zip(*here.ladder(), strict=True)
    assert rungs == ("persistence", "champion", "advection", "advection", "champion")
    assert all("model cannot be loaded" in reason for reason in reasons[2:4])
    assert reasons[4] == ""
    stop(here.region)


def test_an_actor_that_hangs_is_killed_after_the_deadline_and_serves_the_next_scan(tmp_path: Path) -> None:
    region = Region(name="hung", cadence=5, leads=3, thresholds=(1.0,))
    here = station(tmp_path, region)
    assert here.take(SCANS[1]) == ["12:00", "12:05"]
    before = here.pid()
    os.kill(before, signal.SIGSTOP)
    here.region = region.model_copy(update={"actor_deadline_s": 2.0})
    assert here.take(SCANS[2]) == ["12:10"]
    here.region = region
    assert here.take(SCANS[3]) in (["12:15"], []), "empty when the call that hung was made again and came first"
    assert here.pid() != before
    assert here.ladder()[1:] == [("champion", ""), ("advection", "actor did not answer in 2 s"), ("champion", "")]
    stop(region)


def test_an_actor_that_can_never_start_leaves_advection(tmp_path: Path) -> None:
    """It wants a GPU where there is none."""
    region = Region(name="poor", cadence=5, leads=3, thresholds=(1.0,), gpus=64, actor_deadline_s=2)
    here = station(tmp_path, region)
    assert here.take(SCANS[1]) == ["12:00", "12:05"]
    (first, why), (second, also) = here.ladder()
    assert (first, second) == ("persistence", "advection")
    assert why == "actor did not answer in 2 s; 1 scan, motion needs 2"
    assert also == "actor did not answer in 2 s"
    stop(region)
