"""From archives to a scored checkpoint."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import structlog
import torch

from nowcast.core.timeline import isoformat
from nowcast.forecast import evaluate, evenly
from nowcast.models.baselines import baselines
from nowcast.models.calibration import Calibration, fitted
from nowcast.models.checkpoint import Checkpoint, Training, save_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.rain_model import RainModel
from nowcast.models.track import HISTORY
from nowcast.store.archive import Archive, read_frames, read_slots, uninterrupted
from nowcast.training.calibrate import sample
from nowcast.training.events import Event, event, variants
from nowcast.training.loop import Report, TrainConfig, initial, train
from nowcast.training.pixels import fit_pixels
from nowcast.training.windows import Sampler
from nowcast.verify.scores import Table, csi_table
from nowcast.verify.statistics import Assessment, merged

log = structlog.get_logger()

THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0)
FIRST = ".first.safetensors"
"""Suffix of the weights after the first fit."""

CALIBRATED = 12
"""Most starts that chances are calibrated on."""

STRIDE = 4
"""A held-out nowcast is made from every fourth slot."""


@dataclass(frozen=True)
class Split:
    """Uninterrupted runs of slots (first, last) to learn from and to score on."""

    learned: tuple[tuple[int, int], ...]
    held_out: tuple[tuple[int, int], ...]


Parts = Sequence[tuple[Archive, Split]]
"""Archives, each with its runs."""


def split(archive: Archive, held_out: Sequence[date], shortest: int, before: datetime | None = None) -> Split:
    """The archive's runs of at least `shortest` observed slots, those that touch a held-out day apart.

    With `before`, scans of that time and later are left out altogether.
    """
    observed = read_slots(archive).observed
    if before is not None:
        observed = observed[[archive.timeline.time(int(slot)) < before for slot in observed]]
    runs = uninterrupted(observed, shortest)
    apart = [any(archive.timeline.time(slot).date() in held_out for slot in range(a, b + 1)) for a, b in runs]
    kept = tuple(run for run, out in zip(runs, apart, strict=True) if not out)
    return Split(kept, tuple(run for run, out in zip(runs, apart, strict=True) if out))


def events(archive: Archive, runs: Sequence[tuple[int, int]], shortest: int) -> Iterator[Event]:
    """Every run as an event, and as radars with fewer frames or larger pixels would have seen it."""
    for first, last in runs:
        name = f"{archive.location.url} from {isoformat(archive.timeline.time(first))}"
        one = event(name, read_frames(archive, first, last))
        yield one
        yield from variants(one, shortest)


def train_on(
    archives: Sequence[Archive],
    config: TrainConfig,
    held_out: Sequence[date],
    name: str,
    path: Path,
    report: Report,
    before: datetime | None = None,
) -> Checkpoint:
    """Train on archives, score on the held-out days, write the checkpoint; ValueError when there is too little.

    The state is kept in `path` with the suffix .state until the end: an interrupted training goes on from there.
    """
    parts = prepare(archives, config, held_out, before)
    learned = learnable(parts, config)
    path.parent.mkdir(parents=True, exist_ok=True)
    config = first_fit(parts, learned, config, held_out, path)
    sampler = Sampler(learned, config.windows, config.seed)
    keep = path.with_suffix(".state")
    model, steps = train(sampler, config, report, keep)
    made = finish(parts, config, held_out, name, path, model, steps)
    keep.unlink()
    return made


def prepare(
    archives: Sequence[Archive], config: TrainConfig, held_out: Sequence[date], before: datetime | None = None
) -> Parts:
    """The archives with their runs to learn from and to score on; ValueError when none is long enough to learn from."""
    shortest = config.windows.shortest
    parts = [(archive, split(archive, held_out, shortest, before)) for archive in archives]
    if not any(part.learned for _, part in parts):
        raise ValueError(f"no event has {shortest} frames")
    return parts


def learnable(parts: Parts, config: TrainConfig) -> list[Event]:
    """The events to learn from."""
    shortest = config.windows.shortest
    return [one for archive, part in parts for one in events(archive, part.learned, shortest)]


def first_fit(
    parts: Parts, learned: Sequence[Event], config: TrainConfig, held_out: Sequence[date], path: Path
) -> TrainConfig:
    """The configuration to go on with after the first fit, if any, whose weights lie beside `path` until the end."""
    if config.pixels is None:
        return config
    first = path.with_suffix(FIRST)
    if not first.exists():
        torch.manual_seed(config.seed)
        model = initial(config)
        fit_pixels(model, Sampler(learned, config.windows, config.seed), config.pixels, _log_tenths())
        save_checkpoint(first, "first", model, _about(parts, config, held_out, 0))
    return replace(config, init=first, pixels=None)


def _log_tenths() -> Callable[[float, float], None]:
    """A report that logs every tenth of the way."""
    tenth = 0

    def report(share: float, loss: float) -> None:
        nonlocal tenth
        if int(10 * share) > tenth:
            tenth = int(10 * share)
            log.info("first fit", share=round(share, 2), loss=round(loss, 4))

    return report


def finish(
    parts: Parts, config: TrainConfig, held_out: Sequence[date], name: str, path: Path, model: RainModel, steps: int
) -> Checkpoint:
    """Score a trained model on the held-out runs, calibrate its chances and write it to `path`."""
    model = model.drawn_back(config.trust)
    unscored = Checkpoint(name, model, "", _about(parts, config, held_out, steps))
    scored = replace(unscored.training, scores=score(parts, unscored, config.windows.leads))
    calibration = calibrated(parts, ConvLSTM(unscored), config.windows.leads)
    made = save_checkpoint(path, name, model, scored, calibration)
    for left in (path.with_suffix(FIRST), path.with_suffix(FIRST).with_suffix(".json")):
        left.unlink(missing_ok=True)
    return made


def score(parts: Parts, checkpoint: Checkpoint, leads: int) -> dict[str, Table]:
    """CSI by method, threshold [mm h-1] and lead [steps of the cadence] over the held-out runs, all methods on the same
    pixels."""
    methods = baselines() | {"convlstm": ConvLSTM(checkpoint)}
    totals: Assessment = {}
    for archive, part in parts:
        starts = [slot for first, last in part.held_out for slot in range(first + 2 * STRIDE - 1, last, STRIDE)]
        totals = merged(totals, evaluate(archive, starts, methods, leads, THRESHOLDS))
    return csi_table(totals, [k + 1 for k in range(leads)])


def calibrated(parts: Parts, method: ConvLSTM, leads: int) -> Calibration:
    """A calibration on starts in the held-out runs, without any on the last quarter of those in the learned ones.

    Each archive counts the same; without a start chances stay as they are.
    """
    held_out = [(archive, slot) for archive, part in parts for slot in _starts(part.held_out)]
    learned = [(archive, slot) for archive, part in parts for slot in _last_quarter(_starts(part.learned))]
    chosen = evenly(held_out or learned, CALIBRATED)
    by_archive = [[slot for of, slot in chosen if of is archive] for archive, _ in parts]
    drawn = (sample(archive, method, slots, leads) for (archive, _), slots in zip(parts, by_archive, strict=True))
    samples = [one for one in drawn if one is not None]
    return fitted(samples) if samples else Calibration()


def _starts(runs: Sequence[tuple[int, int]]) -> list[int]:
    """Slots that end enough scans to forecast from and have one after them."""
    return [slot for first, last in runs for slot in range(first + HISTORY - 1, last)]


def _last_quarter(slots: list[int]) -> list[int]:
    return slots[len(slots) * 3 // 4 :]


def _about(parts: Parts, config: TrainConfig, held_out: Sequence[date], steps: int) -> Training:
    """Where the model comes from, its scores not yet known."""
    runs = [(archive, run) for archive, part in parts for run in part.learned]
    times = [archive.timeline.time(slot) for archive, run in runs for slot in run]
    samplings = sorted({archive.sampling for archive, _ in runs})
    return Training(
        samplings=tuple(samplings),
        span=(isoformat(min(times)), isoformat(max(times))),
        frames=sum(last - first + 1 for _, (first, last) in runs),
        held_out=tuple(day.isoformat() for day in held_out),
        steps=steps,
        minutes=config.minutes,
        seed=config.seed,
        git_revision=_revision(),
        scores={},
    )


def _revision() -> str:
    """The git commit of the code, or "unknown" outside a checkout."""
    where = Path(__file__).parent
    result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
