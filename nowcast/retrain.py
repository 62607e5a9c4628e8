"""Fourth use case: learn from the accumulated archive, and promote what comes out only if it is better."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from nowcast import champion, registry
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.timeline import isoformat
from nowcast.forecast import by_start
from nowcast.gate import CHALLENGER, CHAMPION, STRICT, Rules, Verdict, judge, refusal
from nowcast.models.baselines import baselines
from nowcast.models.checkpoint import Checkpoint, save_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.track import HISTORY
from nowcast.registry import Pointer
from nowcast.settings import Region, Settings
from nowcast.store.archive import Archive, open_archive, read_slots, uninterrupted
from nowcast.store.repository import Location
from nowcast.training.job import split, train_on
from nowcast.training.loop import Report, TrainConfig
from nowcast.training.soundness import Run, complaints, stuck
from nowcast.verify.statistics import Assessment

log = structlog.get_logger()

LARGEST_SHARE = 0.25
"""Of the archive's scans that are judged on at most, however short the archive is."""


Learn = Callable[..., Checkpoint]
"""`train_on`, or what takes the same arguments and gives the same: training in several processes."""


class Outcome(StrEnum):
    """What became of a retraining."""

    PROMOTED = "promoted"
    REFUSED = "refused"


@dataclass(frozen=True)
class Retraining:
    """How to train, how much of the newest time to judge on, and whether the champion's weights are started from."""

    train: TrainConfig
    judge: timedelta = timedelta(days=2)
    go_on: bool = False
    rules: Rules = STRICT


@dataclass(frozen=True)
class Retrained:
    """The outcome, the challenger's id, None when none was trained, and the verdict on it."""

    outcome: Outcome
    model_id: str | None
    verdict: Verdict


@dataclass(frozen=True)
class Window:
    """What is learned and what is judged: runs of slots, the judged starts, and the time that learning stops before."""

    learned: tuple[Run, ...]
    judged: tuple[Run, ...]
    starts: tuple[int, ...]
    before: datetime


def retrain(
    region: Region, settings: Settings, how: Retraining, report: Report, now: datetime, learn: Learn = train_on
) -> Retrained:
    """Train a challenger, judge it beside the region's champion and the baselines on scans that it has not seen, and
    promote it if the gate says so; the challenger, the verdict and the reasons are kept in the registry either way.

    An archive that is not sound, or holds too little, refuses the challenger before it is trained; a loss that is not
    finite refuses it too. `learn` trains, as `train_on` does. Raises StoreNotFound when the region has no archive,
    Overtaken when another champion was promoted meanwhile.
    """
    archive, where = open_archive(settings.location(region.name).child("archive")), settings.models(region.name)
    held, shortest = registry.pointer(where), how.train.windows.shortest
    window = judged_window(archive, how.judge, region.leads, shortest)
    if faults := unfit(archive, window, shortest):
        return _refused(where, None, refusal(*faults), now)
    present = serving(where, held, archive)
    with tempfile.TemporaryDirectory(prefix="nowcast-") as folder:
        path = Path(folder) / f"challenger-{now:%Y%m%dT%H%M%SZ}.safetensors"
        config = _started_from(present, how.train, Path(folder)) if how.go_on else how.train
        try:
            made = learn([archive], config, [], "convlstm", path, report, before=window.before)
        except FloatingPointError as error:
            return _refused(where, None, refusal(str(error)), now)
        verdict = judge(list(_assessments(region, archive, window, made, present, config.device)), how.rules)
        registry.register(where, path, now, asdict(verdict))
    if not verdict.promote:
        return _refused(where, made.model_id, verdict, now)
    champion.promote(where, made.model_id, archive.sampling, "; ".join(verdict.reasons), now, instead_of=held)
    log.info("promoted", region=region.name, model=made.model_id, reasons=verdict.reasons)
    return Retrained(Outcome.PROMOTED, made.model_id, verdict)


def judged_window(archive: Archive, judge: timedelta, leads: int, shortest: int) -> Window:
    """The newest part of the archive to judge on, at most a quarter of its scans, and the part to learn from.

    Between the two lies the length of a forecast. Judged starts lie half a forecast apart.
    """
    observed = read_slots(archive).observed
    if not len(observed):
        return Window((), (), (), archive.timeline.start)
    recent = archive.timeline.time(int(observed[-1])) - judge
    count = sum(archive.timeline.time(int(slot)) > recent for slot in observed)
    judged = observed[len(observed) - min(count, int(len(observed) * LARGEST_SHARE)) :]
    first = int(judged[0]) if len(judged) else int(observed[-1]) + 1
    before = archive.timeline.time(first) - leads * archive.timeline.cadence
    runs = tuple(uninterrupted(judged))
    apart = max(1, leads // 2)
    starts = tuple(slot for a, b in runs for slot in range(a + HISTORY - 1, b - leads + 1, apart))
    return Window(split(archive, [], shortest, before).learned, runs, starts, before)


def unfit(archive: Archive, window: Window, shortest: int) -> tuple[str, ...]:
    """Why no challenger should be trained now; empty when nothing speaks against it."""
    if not window.learned:
        return (f"too little to learn from: no {shortest} scans on end before {isoformat(window.before)}",)
    if not window.starts:
        return (*stuck(archive), "too little to judge on: no run of new scans is longer than a forecast")
    return complaints(archive, window.learned, window.judged)


def serving(where: Location, held: Pointer, archive: Archive) -> Checkpoint:
    """The champion; when it cannot be loaded the one before it or the shipped model, as a region's actor would do."""
    for model_id in champion.line(held):
        try:
            return champion.load(where, model_id, archive.sampling)
        except ValueError as error:
            log.error("model refused", reason=str(error))
    raise ValueError(f"{where.url} has no champion that can be loaded, nor can the shipped weights be")


def _started_from(present: Checkpoint, train: TrainConfig, folder: Path) -> TrainConfig:
    """The same training from the weights of a model, of its architecture."""
    path = folder / "start.safetensors"
    save_checkpoint(path, present.name, present.model, present.training)
    return replace(train, model=present.model.config, init=path)


def _assessments(
    region: Region, archive: Archive, window: Window, made: Checkpoint, present: Checkpoint, device: str
) -> Iterator[Assessment]:
    methods: Mapping[str, Nowcaster[Any]] = {
        CHALLENGER: ConvLSTM(made, device),
        CHAMPION: ConvLSTM(present, device),
        **baselines(device),
    }
    return by_start(archive, window.starts, methods, region.leads, region.thresholds)


def _refused(where: Location, model_id: str | None, verdict: Verdict, now: datetime) -> Retrained:
    why = "; ".join(verdict.reasons)
    registry.note(where, "refused", model_id, why, now)
    log.warning("challenger refused", registry=where.url, model=model_id, reasons=why)
    return Retrained(Outcome.REFUSED, model_id, verdict)
