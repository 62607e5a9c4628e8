"""The plain training loop in several processes: Ray Train starts them, and starts them again when one is lost."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import ray.train
import torch
import torch.distributed
from ray.train.torch import TorchTrainer, get_device
from ray.util.queue import Queue
from torch.nn.parallel import DistributedDataParallel

from nowcast.models.checkpoint import Checkpoint
from nowcast.store.archive import Archive, open_archive
from nowcast.store.repository import Location
from nowcast.training.job import Parts, events, finish, first_fit, learnable, prepare
from nowcast.training.loop import Progress, Report, TrainConfig, Trainer, averaged, descents
from nowcast.training.windows import Sampler

Run = tuple[Location, tuple[int, int]]
"""An archive and the first and last slot of an uninterrupted run in it."""

KEPT = 2
"""Checkpoints."""


@dataclass(frozen=True)
class Crew:
    """Processes that train together, and where they keep their common state.

    `storage` is a folder or URL that all of them reach, beside the model when None. The state is kept every
    `save_every` steps and taken up again after up to `losses` losses of a process. `cpus` are reserved for each, and
    one GPU when the device is a GPU. ValueError for fewer than one process or step.
    """

    workers: int
    storage: str | None = None
    save_every: int = 100
    losses: int = 8
    cpus: float = 1.0

    def __post_init__(self) -> None:
        for name in ("workers", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class Lesson:
    """What every worker is told: the runs of all, how to train, how often to keep the state, where to report.

    `start` are the weights to start from, as files by suffix: `config.init` lies on one machine only.
    """

    runs: tuple[Run, ...]
    config: TrainConfig
    start: Mapping[str, bytes]
    save_every: int
    reports: Queue


def train_distributed(
    archives: Sequence[Archive],
    config: TrainConfig,
    held_out: Sequence[date],
    name: str,
    path: Path,
    report: Report,
    crew: Crew,
    before: datetime | None = None,
) -> Checkpoint:
    """What `train_on` does, with the windows of every step drawn by `crew.workers` processes of the connected Ray.

    A step sees `workers` times `config.batch` windows and goes along their mean gradient (torch's
    DistributedDataParallel); its loss is the mean over the workers. Archives must lie where every worker reaches
    them. An interrupted training goes on from its last kept state when it is called again. ValueError
    when there is too little to learn from; ray.train.TrainingFailedError, with the workers' errors, when the training
    diverges or workers were lost too often.
    """
    parts = prepare(archives, config, held_out, before)
    path.parent.mkdir(parents=True, exist_ok=True)
    if config.pixels is not None:
        config = first_fit(parts, learnable(parts, config), config, held_out, path)
    with _relayed(report) as reports:
        lesson = Lesson(_runs(parts), config, _files(config.init), crew.save_every, reports)
        result = _fit(lesson, crew, path)
    assert result.checkpoint is not None
    with result.checkpoint.as_directory() as folder:
        model, steps = averaged(state_file(Path(folder), 0), config)
    made = finish(parts, config, held_out, name, path, model, steps)
    result.filesystem.delete_dir(result.path)
    return made


def share(runs: Sequence[Run], rank: int, workers: int) -> list[Run]:
    """The runs of one of the workers, about as many frames for each; all runs when they do not suffice for all."""
    if len(runs) < workers:
        return list(runs)
    lots: list[list[Run]] = [[] for _ in range(workers)]
    for run in sorted(runs, key=_frames, reverse=True):
        min(lots, key=lambda lot: sum(map(_frames, lot))).append(run)
    return lots[rank]


def _frames(run: Run) -> int:
    _, (first, last) = run
    return last - first + 1


def _runs(parts: Parts) -> tuple[Run, ...]:
    """All runs to learn from, at locations that hold in any working directory."""
    return tuple((_anywhere(archive.location), run) for archive, part in parts for run in part.learned)


def _anywhere(location: Location) -> Location:
    return replace(location, url=str(Path(location.url).absolute())) if location.is_local else location


def _files(init: Path | None) -> dict[str, bytes]:
    """A checkpoint's two files by suffix; none without a checkpoint."""
    return {} if init is None else {kind: init.with_suffix(kind).read_bytes() for kind in (init.suffix, ".json")}


@contextmanager
def _unpacked(lesson: Lesson) -> Iterator[TrainConfig]:
    """The lesson's configuration, the weights that it starts from lying on this machine."""
    with TemporaryDirectory(prefix="nowcast-") as folder:
        for kind, content in lesson.start.items():
            (Path(folder) / "start").with_suffix(kind).write_bytes(content)
        init = lesson.config.init and (Path(folder) / "start").with_suffix(lesson.config.init.suffix)
        yield replace(lesson.config, init=init)


def _fit(lesson: Lesson, crew: Crew, path: Path) -> ray.train.Result:
    """Ray Train's result, whose checkpoint is the last state of all workers."""
    trainer = TorchTrainer(
        partial(_work, lesson),
        scaling_config=ray.train.ScalingConfig(
            num_workers=crew.workers,
            use_gpu=_on_gpu(lesson.config),
            resources_per_worker={"CPU": crew.cpus} | ({"GPU": 1} if _on_gpu(lesson.config) else {}),
        ),
        run_config=ray.train.RunConfig(
            name=f"{path.stem}.ray",
            storage_path=crew.storage or str(path.parent.absolute()),
            failure_config=ray.train.FailureConfig(max_failures=crew.losses),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=KEPT),
        ),
    )
    return trainer.fit()


def _on_gpu(config: TrainConfig) -> bool:
    return torch.device(config.device).type == "cuda"


def _work(lesson: Lesson) -> None:
    """One worker's training, from the last kept state to one kept after the last step."""
    context = ray.train.get_context()
    rank, workers = context.get_world_rank(), context.get_world_size()
    trainer = _trainer(lesson, rank, workers)
    for own in descents(trainer):
        progress = _common(trainer, own, rank, workers)
        if rank == 0:
            lesson.reports.put(progress)
        if trainer.step % lesson.save_every == 0 or trainer.used >= 1.0:
            _keep(trainer, progress, rank)


def _trainer(lesson: Lesson, rank: int, workers: int) -> Trainer:
    """A trainer on this worker's share of the runs, whose windows no other worker draws."""
    runs, shortest = share(lesson.runs, rank, workers), lesson.config.windows.shortest
    archives = {location: open_archive(location) for location, _ in runs}
    learned = [one for location, run in runs for one in events(archives[location], [run], shortest)]
    with _unpacked(lesson) as config:
        config = replace(config, device=str(get_device())) if _on_gpu(config) else config
        trainer = Trainer(Sampler(learned, config.windows, config.seed + rank), config, DistributedDataParallel)
    kept = ray.train.get_checkpoint()
    if kept is not None:
        with kept.as_directory() as folder:
            take_up(trainer, Path(folder), rank)
    return trainer


def _common(trainer: Trainer, own: Progress, rank: int, workers: int) -> Progress:
    """The progress of all workers. From here on the first one's clock counts, so that all stop after the same step."""
    clock = trainer.seconds if rank == 0 else 0.0
    both = torch.tensor([own.loss / workers, clock], dtype=torch.float64, device=trainer.config.device)
    torch.distributed.all_reduce(both)
    loss, trainer.seconds = both.tolist()
    return replace(own, loss=loss, used=trainer.used, windows_per_s=own.windows_per_s * workers)


def _keep(trainer: Trainer, progress: Progress, rank: int) -> None:
    """The state of all workers, one file each, in a common checkpoint that counts once this returns."""
    with TemporaryDirectory() as folder:
        trainer.save(state_file(Path(folder), rank))
        ray.train.report({"step": progress.step, "loss": progress.loss}, ray.train.Checkpoint.from_directory(folder))
    if rank == 0:
        ray.train.get_all_reported_checkpoints(ray.train.CheckpointConsistencyMode.COMMITTED)


def take_up(trainer: Trainer, folder: Path, rank: int) -> None:
    """Go on from the state in a folder; a worker that it knows nothing of draws windows from its own beginning."""
    own = state_file(folder, rank)
    beginning = trainer.sampler.state()
    trainer.load(own if own.exists() else state_file(folder, 0))
    if not own.exists():
        trainer.sampler.restore(beginning)


def state_file(folder: Path, rank: int) -> Path:
    """The file of one worker in a checkpoint's folder."""
    return folder / f"worker-{rank}.state"


@contextmanager
def _relayed(report: Report) -> Iterator[Queue]:
    """A queue that workers put their progress into; a thread here reports all of it before the end."""
    reports = Queue(actor_options={"num_cpus": 0})

    def relay() -> None:
        for progress in iter(reports.get, None):
            report(progress)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(relay)
        try:
            yield reports
        finally:
            reports.put(None)
            done.result()
            reports.shutdown()
