"""Training by two processes of Ray Train: one curve, which a killed process does not change."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import torch
from event_files import written
from radar import RADAR, needs_radar
from ray._private.state import actors
from storms import TINY, WINDOWS, stormy_days
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.ingest import Intake, Outcome, ingest
from nowcast.models.checkpoint import Checkpoint, load_checkpoint
from nowcast.serving.cluster import connect, disconnect
from nowcast.settings import Box, Region, Settings, calm_engines
from nowcast.store.archive import Archive, read_slots
from nowcast.store.repository import Location
from nowcast.training.distributed import Crew, Run, share, state_file, take_up, train_distributed
from nowcast.training.job import events
from nowcast.training.loop import Progress, TrainConfig, Trainer
from nowcast.training.windows import Sampler

CONFIG = TrainConfig(TINY, WINDOWS, steps=400, batch=1, average=0.9)
CREW = Crew(2, save_every=100, cpus=0.5)
KILL_AFTER = 250
HELD_OUT = date(2026, 6, 3)


class Record:
    """What was reported; with `kill_after` a worker is killed with SIGKILL after that step."""

    def __init__(self, kill_after: int = 0) -> None:
        self.progress: list[Progress] = []
        self.kill_after = kill_after
        self.killed: int | None = None

    def __call__(self, progress: Progress) -> None:
        self.progress.append(progress)
        if progress.step == self.kill_after and self.killed is None:
            self.killed = workers()[-1]
            os.kill(self.killed, signal.SIGKILL)

    @property
    def steps(self) -> list[int]:
        return [one.step for one in self.progress]

    @property
    def curve(self) -> list[float]:
        """The loss of each step, as last reported."""
        return list({one.step: one.loss for one in self.progress}.values())


def workers() -> list[int]:
    """Process ids of the live training workers."""
    alive = [actor for actor in actors().values() if actor["State"] == "ALIVE"]
    return [actor["Pid"] for actor in alive if actor["ActorClassName"] == "RayTrainWorker"]


@pytest.fixture(scope="module", autouse=True)
def calm_ray() -> None:
    """Ray with our settings, not all of which are its defaults."""
    calm_engines()


@pytest.fixture(scope="module")
def cluster(calm_ray: None) -> Iterator[None]:
    """A Ray of our own."""
    connect(Settings())
    yield
    disconnect()


@pytest.fixture(scope="module")
def archive(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two days to learn from and one that is held out."""
    return stormy_days(tmp_path_factory.mktemp("store"), 3)


def trained(archive: Archive, path: Path, record: Record) -> Checkpoint:
    return train_distributed([archive], CONFIG, [HELD_OUT], "tiny", path, record, CREW)


@pytest.fixture(scope="module")
def calm(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Record, Path]:
    """A training that nothing disturbs, what it reported, and the file that it wrote."""
    record, path = Record(), tmp_path_factory.mktemp("calm") / "model.safetensors"
    return trained(archive, path, record), record, path


def test_two_workers_train_one_model(calm: tuple[Checkpoint, Record, Path]) -> None:
    made, record, path = calm
    assert record.steps == list(range(1, 401))
    assert record.progress[-1].used == 1.0
    assert sum(record.curve[-100:]) < 0.7 * sum(record.curve[:100])
    assert load_checkpoint(path).model_id == made.model_id
    assert (made.training.steps, made.training.frames) == (400, 20)
    assert set(made.training.scores) == {"persistence", "advection", "convlstm"}
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.json", "model.safetensors"]


@pytest.mark.slow
def test_a_killed_worker_costs_less_than_a_checkpoint_and_changes_no_number(
    archive: Archive, calm: tuple[Checkpoint, Record, Path], tmp_path: Path
) -> None:
    undisturbed, record, _ = calm
    hit = Record(KILL_AFTER)
    made = trained(archive, tmp_path / "model.safetensors", hit)
    assert hit.killed is not None
    assert set(hit.steps) == set(record.steps)
    assert 0 < len(hit.steps) - len(record.steps) <= CREW.save_every
    torch.testing.assert_close(hit.curve, record.curve, rtol=1e-5, atol=0)
    for name, value in undisturbed.model.state_dict().items():
        torch.testing.assert_close(made.model.state_dict()[name], value, rtol=1e-5, atol=1e-7)


@needs_radar
@pytest.mark.slow
def test_the_command_trains_on_real_scans_with_two_workers(tmp_path: Path) -> None:
    """Eleven KNMI scans of each of two evenings, the northern Netherlands alone; the second is held out."""
    settings, region = Settings(store=str(tmp_path / "store")), Region(name="knmi", box=NORTH)
    where = Intake(region, settings.location("knmi"), settings.quarantine_folder("knmi"))
    for day in ("20210201", "20210203"):
        for path in sorted((RADAR / "knmi-pcp" / day).iterdir())[:11]:
            assert ingest(where, path, datetime(2026, 6, 1, tzinfo=UTC)).outcome is Outcome.STORED
    out, logs = tmp_path / "knmi.safetensors", tmp_path / "logs"
    words = ["train", "--region", "knmi", "--store", settings.store, "--out", str(out), "--logs", str(logs)]
    words += ["--first-windows", "4", "--steps", "6", "--size", "48", "--hold-out", "2021-02-03"]
    words += ["--workers", "2", "--cpus", "0.5"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    made = load_checkpoint(out)
    assert result.stdout.splitlines()[-1] == f"{out}: {made.model_id}"
    assert (made.training.steps, made.training.frames, made.training.held_out) == (6, 11, ("2021-02-03",))
    assert made.training.scores["convlstm"]["0.1"]["1"] is not None
    assert len(written(logs)["training/loss"]) == 6
    assert written(logs / "held-out" / "convlstm")["CSI/0.1_mm_per_h"][1] == pytest.approx(
        made.training.scores["convlstm"]["0.1"]["1"]
    )


NORTH = Box(south=52.2, west=4.8, north=53.0, east=6.2)


def run(name: str, frames: int) -> Run:
    return Location(name), (0, frames - 1)


def test_workers_share_the_runs_evenly_and_none_is_seen_twice() -> None:
    """9 + 2 and 6 + 5 frames."""
    runs = [run("a", 5), run("b", 9), run("c", 2), run("d", 6)]
    assert share(runs, 0, 2) == [run("b", 9), run("c", 2)]
    assert share(runs, 1, 2) == [run("d", 6), run("a", 5)]


def test_too_few_runs_are_seen_by_all() -> None:
    assert share([run("a", 5)], 0, 2) == share([run("a", 5)], 1, 2) == [run("a", 5)]


def test_a_worker_that_was_not_there_before_draws_its_own_windows(tmp_path: Path) -> None:
    """It takes the weights of the first and keeps the place of its own random numbers."""
    archive = stormy_days(tmp_path, 1)
    observed = read_slots(archive).observed
    learned = list(events(archive, [(int(observed[0]), int(observed[-1]))], WINDOWS.shortest))
    first, newcomer, again = (Trainer(Sampler(learned, WINDOWS, seed), CONFIG) for seed in (0, 1, 2))
    first.descend()
    first.save(state_file(tmp_path, 0))
    drawn = newcomer.sampler.state()
    take_up(newcomer, tmp_path, 1)
    assert newcomer.sampler.state() == drawn
    take_up(again, tmp_path, 0)
    assert again.sampler.state() == first.sampler.state()
    for trainer in (newcomer, again):
        assert trainer.step == 1
        for one, other in zip(trainer.model.parameters(), first.model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 2, "save_every": 0}])
def test_a_crew_of_nobody_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        Crew(**wrong)
