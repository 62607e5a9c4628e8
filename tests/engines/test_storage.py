"""Storage that fails: an object store behind a bad network, a disk that is full. Nothing is lost, false or twice."""

import logging
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from bucket import new_bucket, s3_server
from flaky import FAULTS, flaky

from nowcast import replay
from nowcast.ingest import Ingested, Outcome
from nowcast.replay import follow_locally
from nowcast.settings import Region, Settings
from nowcast.sources import inflow
from nowcast.sources.feeds import Replay
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store import repository
from nowcast.store.archive import gaps, open_archive, read_slots
from nowcast.store.forecasts import issued, open_forecasts, read_rain_rate

REGION = Region(name="here", model="advection", leads=3, thresholds=(1.0,))
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCANS = 6


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("feed")
    for scan in Storm(START, size=64, cells=3).scans(SCANS):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def calm(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[int, np.ndarray]:
    """The nowcasts in a folder of a disk that works, by slot."""
    settings = Settings(store=str(tmp_path_factory.mktemp("calm") / "store"), device="cpu")
    follow(paths, settings)
    return nowcasts(settings)


def follow(paths: list[Path], settings: Settings) -> None:
    follow_locally(REGION, settings, Replay(paths), lambda taken, made: None, lambda: None)


def nowcasts(settings: Settings) -> dict[int, np.ndarray]:
    kept = open_forecasts(settings.location("here").child("forecasts"))
    return {slot: read_rain_rate(kept, slot) for slot in issued(kept)}


def require_same(settings: Settings, calm: dict[int, np.ndarray]) -> None:
    """All scans are there, and from each a nowcast, committed once, with the numbers of a store that works."""
    archive = open_archive(settings.location("here").child("archive"))
    assert len(read_slots(archive).observed) == SCANS
    found = nowcasts(settings)
    assert found.keys() == calm.keys()
    for slot, fields in found.items():
        np.testing.assert_array_equal(fields, calm[slot])
    kept = open_forecasts(settings.location("here").child("forecasts"))
    for opened in (archive.repository, kept.repository):
        commits = [one.message for one in opened.ancestry(branch=repository.BRANCH)]
        assert len(commits) == len(set(commits))


@pytest.mark.slow
def test_an_object_store_behind_a_bad_network_holds_what_a_good_one_does(
    paths: list[Path], calm: dict[int, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request in ten meets a 503, a reset, a reset after the server has done it, or a stall."""
    monkeypatch.setattr(inflow, "AGAIN_S", 0.0)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with s3_server() as url, flaky(url, share=0.1) as (bad, weather):
        reach = new_bucket(url, "radar", monkeypatch)
        options = {"store": "s3://radar/stores", "s3_region": reach.region, "device": "cpu"}
        follow(paths, Settings(s3_endpoint_url=bad, **options))
        assert all(weather.met[fault] >= 5 for fault in FAULTS)
        require_same(Settings(s3_endpoint_url=url, **options), calm)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Eight MiB."""
    at = tmp_path / "disk"
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(at)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root: " + mounted.stderr.decode().strip())
    yield at
    subprocess.run(["umount", "-l", str(at)], check=True)


class Ballast:
    """A feed whose fourth scan finds the disk full; a while later there is room again."""

    def __init__(self, disk: Path, feed: Replay) -> None:
        self.file, self.feed, self.stored, self.polls = disk / "ballast", feed, 0, 0

    @property
    def exhausted(self) -> bool:
        return self.stored == SCANS

    def poll(self) -> list[Path]:
        new = self.feed.poll()
        self.polls += 1
        if self.polls == 4:
            self._fill()
        elif self.polls == 10:
            self.file.unlink()
        return new

    def took(self, taken: Ingested, made: list[str]) -> None:
        self.stored += taken.outcome in (Outcome.STORED, Outcome.LATE)

    def _fill(self) -> None:
        with self.file.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return


def test_a_full_disk_costs_time_only(paths: list[Path], small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans from the fourth on wait until there is room again; then there is a nowcast from the newest at least."""
    monkeypatch.setattr(inflow, "AGAIN_S", 0.05)
    settings, said = Settings(store=str(small_disk / "store"), device="cpu"), []
    monkeypatch.setattr(replay.log, "error", lambda event, **told: said.append((event, told.get("reason", ""))))
    ballast = Ballast(small_disk, Replay(paths))
    follow_locally(REGION, settings, ballast, ballast.took, lambda: time.sleep(0.01))
    assert any(event == "file cannot be taken in now" and "No space left" in reason for event, reason in said)
    archive = open_archive(settings.location("here").child("archive"))
    assert len(read_slots(archive).observed) == SCANS
    assert gaps(archive) == []
    assert max(nowcasts(settings)) == archive.timeline.slot(START + 5 * archive.timeline.cadence)
