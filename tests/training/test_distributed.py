"""Training by two processes of Ray Train: one curve, which a killed process does not change."""

import os
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import torch
from ray._private.state import actors
from storms import TINY, WINDOWS, stormy_days

from nowcast.models.checkpoint import Checkpoint
from nowcast.serving.actor import connect, disconnect
from nowcast.settings import Settings, calm_engines
from nowcast.store.archive import Archive
from nowcast.training.distributed import Crew, train_distributed
from nowcast.training.loop import Progress, TrainConfig

CONFIG = TrainConfig(TINY, WINDOWS, steps=400, batch=1, average=0.9)
HELD_OUT = date(2026, 6, 3)
SAVE_EVERY = 100


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Two days to learn from and one that is held out; Ray is connected."""
    calm_engines()
    connect(Settings())
    yield stormy_days(tmp_path_factory.mktemp("store"), 3)
    disconnect()


class Record:
    """What was reported, and a worker killed with SIGKILL after one of the steps."""

    def __init__(self, kill_after: int = 0) -> None:
        self.progress: list[Progress] = []
        self.kill_after = kill_after
        self.killed = 0

    def __call__(self, progress: Progress) -> None:
        self.progress.append(progress)
        if progress.step == self.kill_after and not self.killed:
            self.killed = max(workers())
            os.kill(self.killed, signal.SIGKILL)

    @property
    def curve(self) -> list[float]:
        """The loss of each step, as last reported."""
        return list({one.step: one.loss for one in self.progress}.values())


def workers() -> list[int]:
    """Process ids of the live training workers."""
    alive = [actor for actor in actors().values() if actor["State"] == "ALIVE"]
    return [actor["Pid"] for actor in alive if actor["ActorClassName"] == "RayTrainWorker"]


def trained(archive: Archive, path: Path, record: Record) -> Checkpoint:
    crew = Crew(2, save_every=SAVE_EVERY, cpus=0.5)
    return train_distributed([archive], CONFIG, [HELD_OUT], "tiny", path, record, crew)


@pytest.fixture(scope="module")
def calm(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Record]:
    """A training that nothing disturbs, and what it reported."""
    record = Record()
    return trained(archive, tmp_path_factory.mktemp("calm") / "model.safetensors", record), record


def test_two_workers_train_one_model(calm: tuple[Checkpoint, Record], tmp_path: Path) -> None:
    made, record = calm
    assert [one.step for one in record.progress] == list(range(1, 401))
    assert record.progress[-1].used == 1.0
    assert sum(record.curve[-100:]) < sum(record.curve[:100])
    assert made.training.steps == 400
    assert made.training.frames == 20


def test_a_killed_worker_costs_less_than_a_checkpoint_and_changes_nothing(
    archive: Archive, calm: tuple[Checkpoint, Record], tmp_path: Path
) -> None:
    undisturbed, record = calm
    hit = Record(kill_after=250)
    made = trained(archive, tmp_path / "model.safetensors", hit)
    print(
        len(hit.progress),
        [one.step for one in hit.progress if one.step % 50 == 0],
        sum(hit.curve[-100:]),
        sum(hit.curve[:100]),
        max(abs(a - b) for a, b in zip(hit.curve, record.curve)),
    )
    assert hit.killed
    again = len(hit.progress) - len(hit.curve)
    assert 0 < again <= SAVE_EVERY
    torch.testing.assert_close(hit.curve, record.curve, rtol=1e-5, atol=0)
