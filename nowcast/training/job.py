"""From an archive to a scored checkpoint."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from nowcast.core.timeline import isoformat
from nowcast.forecast import evaluate
from nowcast.models.baselines import baselines
from nowcast.models.checkpoint import Checkpoint, Training, save_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.store.archive import Archive, read_frames, read_slots
from nowcast.training.loop import Report, TrainConfig, train
from nowcast.training.windows import Sampler, event
from nowcast.verify.scores import Table, csi_table

THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0)
STRIDE = 4
"""A held-out nowcast is made from every fourth slot."""


@dataclass(frozen=True)
class Split:
    """Uninterrupted runs of slots (first, last) to learn from and to score on."""

    learned: tuple[tuple[int, int], ...]
    held_out: tuple[tuple[int, int], ...]


def split(archive: Archive, held_out: Sequence[date], shortest: int) -> Split:
    """The archive's runs of at least `shortest` observed slots, those that touch a held-out day apart."""
    observed = read_slots(archive).observed
    parts = np.split(observed, np.flatnonzero(np.diff(observed) > 1) + 1)
    runs = [(int(part[0]), int(part[-1])) for part in parts if len(part) >= shortest]
    apart = [any(archive.timeline.time(slot).date() in held_out for slot in run) for run in runs]
    kept = tuple(run for run, out in zip(runs, apart, strict=True) if not out)
    return Split(kept, tuple(run for run, out in zip(runs, apart, strict=True) if out))


def train_on(
    archive: Archive, config: TrainConfig, held_out: Sequence[date], name: str, path: Path, report: Report
) -> Checkpoint:
    """Train on the archive, score on the held-out days, write the checkpoint; ValueError when there is too little."""
    windows = config.windows
    parts = split(archive, held_out, windows.most_inputs + windows.leads)
    events = [
        event(isoformat(archive.timeline.time(first)), read_frames(archive, first, last))
        for first, last in parts.learned
    ]
    sampler = Sampler(events, windows, config.seed)
    model, steps = train(sampler, config, report)
    first, last = (archive.timeline.time(parts.learned[k][k]) for k in (0, -1))
    training = Training(
        cadence_s=archive.timeline.cadence.total_seconds(),
        spacing_km=archive.grid.spacing_km,
        span=(isoformat(first), isoformat(last)),
        frames=sum(len(one.rain_rate) for one in events),
        held_out=tuple(day.isoformat() for day in held_out),
        steps=steps,
        minutes=config.minutes,
        seed=config.seed,
        git_revision=_revision(),
        scores={},
    )
    unscored = Checkpoint(name, model, "", training)
    tables = {} if not parts.held_out else score(archive, parts.held_out, unscored, windows.leads)
    scored = Training(**{**vars(training), "scores": tables})
    return save_checkpoint(path, name, model, scored)


def score(archive: Archive, runs: Sequence[tuple[int, int]], checkpoint: Checkpoint, leads: int) -> dict[str, Table]:
    """CSI by method, threshold [mm h-1] and lead [min] over runs of slots, all methods on the same pixels."""
    methods = baselines() | {"convlstm": ConvLSTM(checkpoint)}
    starts = [slot for first, last in runs for slot in range(first + 2 * STRIDE - 1, last, STRIDE)]
    minutes = archive.timeline.cadence.total_seconds() / 60
    return csi_table(evaluate(archive, starts, methods, leads, THRESHOLDS), [(k + 1) * minutes for k in range(leads)])


def _revision() -> str:
    """The git commit of the code, or "unknown" outside a checkout."""
    where = Path(__file__).parent
    result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
