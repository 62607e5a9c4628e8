"""From an archive to a scored checkpoint."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from nowcast.core.nowcaster import Nowcaster, State
from nowcast.core.scan import Frames
from nowcast.core.timeline import isoformat
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import Checkpoint, Training, save_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.rollout import Rolling
from nowcast.store.archive import Archive, read_frames, read_slots
from nowcast.training.loop import Report, TrainConfig, train
from nowcast.training.windows import Sampler, event
from nowcast.verify.scores import csi
from nowcast.verify.statistics import Sums, compare, zero

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


def score(
    archive: Archive, runs: Sequence[tuple[int, int]], checkpoint: Checkpoint, leads: int
) -> dict[str, dict[str, dict[str, float]]]:
    """CSI by method, threshold [mm h-1] and lead [min] over runs of slots, all methods on the same pixels."""
    methods: dict[str, Nowcaster[Any]] = {
        "persistence": Persistence(),
        "advection": Advection(),
        "convlstm": ConvLSTM(checkpoint),
    }
    sums = {name: zero(leads, THRESHOLDS) for name in methods}
    for first, last in runs:
        frames = read_frames(archive, first, last)
        rollers = {name: Rolling(method) for name, method in methods.items()}
        for start in range(2 * STRIDE - 1, len(frames) - 1, STRIDE):
            forecasts = {name: _forecast(roller, frames, start, leads) for name, roller in rollers.items()}
            for name, added in _compare_all(forecasts, frames, start, leads).items():
                sums[name] = sums[name] + added
    minutes = archive.timeline.cadence.total_seconds() / 60
    return {name: _table(total, minutes) for name, total in sums.items()}


def _forecast(rolling: Rolling[State], frames: Frames, start: int, leads: int) -> list[np.ndarray]:
    ids = frames.scan_ids[rolling.first_slot(start) : start + 1]
    state = rolling.advance(start, ids, lambda a, b: _part(frames, a, b))
    assert state is not None
    return [field for _, field in zip(range(leads), rolling.nowcaster.forecast(state), strict=False)]


def _part(frames: Frames, first: int, last: int) -> Frames:
    span = slice(first, last + 1)
    return Frames(frames.times[span], frames.rain_rate[span], frames.coverage[span], frames.scan_ids[span])


def _compare_all(forecasts: dict[str, list[np.ndarray]], frames: Frames, start: int, leads: int) -> dict[str, Sums]:
    sums = {name: zero(leads, THRESHOLDS) for name in forecasts}
    for lead in range(min(leads, len(frames) - 1 - start)):
        valid = start + 1 + lead
        mask = frames.coverage[valid] & np.all([np.isfinite(f[lead]) for f in forecasts.values()], axis=0)
        for name, fields in forecasts.items():
            added = compare(fields[lead], frames.rain_rate[valid], mask, lead, leads, THRESHOLDS)
            sums[name] = sums[name] + added
    return sums


def _table(sums: Sums, minutes: float) -> dict[str, dict[str, float]]:
    values = csi(sums)
    return {
        f"{threshold:g}": {f"{(lead + 1) * minutes:g}": round(float(values[lead, k]), 4) for lead in range(len(values))}
        for k, threshold in enumerate(sums.thresholds)
    }


def _revision() -> str:
    """The git commit of the code, or "unknown" outside a checkout."""
    where = Path(__file__).parent
    result = subprocess.run(["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
