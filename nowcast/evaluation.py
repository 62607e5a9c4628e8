"""Methods side by side on folders of scans: the same starts, the same scans in, the same pixels."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Frames
from nowcast.core.types import FloatField
from nowcast.forecast import judge
from nowcast.ingest import Intake, ingest
from nowcast.issue import device, nowcaster
from nowcast.models.pysteps_peers import EXTRAPOLATORS, PystepsPeer
from nowcast.settings import Region
from nowcast.sources.feeds import files_in
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_frames, read_slots
from nowcast.store.repository import Location
from nowcast.verify.scores import csi, frequency_bias
from nowcast.verify.statistics import Assessment, Sums, merged

SCANS_IN, LEADS, EVERY = 4, 12, 6
THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
Methods = Mapping[str, Nowcaster[Any]]


def methods(names: Iterable[str], model: str, on: str) -> Methods:
    """Nowcasters by name: champion (the `model`), advection, persistence, and pysteps' lk and sprog.

    Raises ValueError for an unknown name, and for a pysteps method without pysteps.
    """
    known = {"champion": model, "advection": "advection", "persistence": "persistence"}
    made: dict[str, Nowcaster[Any]] = {}
    for name in names:
        if name in EXTRAPOLATORS:
            made[name] = PystepsPeer(name)
        elif name in known:
            made[name] = nowcaster(Region(name="evaluation", model=known[name]), device(on))
        else:
            raise ValueError(f"no method {name!r}, there are {', '.join([*known, *EXTRAPOLATORS])}")
    return made


def evaluate_folder(folder: Path, contestants: Methods, progress: Callable[[int, int], None]) -> Assessment:
    """Sums per method over all starts of a folder of scans; ValueError when it holds too few of one grid.

    `progress` is called with (starts done, starts in all).
    """
    with tempfile.TemporaryDirectory(prefix="nowcast-") as temporary:
        archive = _archive(folder, Path(temporary))
        chosen = starts(archive)
        if not chosen:
            raise ValueError(f"{folder} has no {SCANS_IN} consecutive scans with a later one")
        totals: Assessment = {}
        for done, slot in enumerate(chosen, 1):
            frames = read_frames(archive, slot + 1 - SCANS_IN, slot)
            fields = {name: rolled_out(method, frames) for name, method in contestants.items()}
            totals = merged(totals, judge(archive, slot, fields, THRESHOLDS))
            progress(done, len(chosen))
        return totals


def starts(archive: Archive) -> list[int]:
    """Every sixth slot that ends a run of four observed ones and is not the last."""
    observed = read_slots(archive).observed
    is_observed = set(observed.tolist())
    first, last = int(observed[0]) + SCANS_IN - 1, int(observed[-1])
    slots = range(first, last, EVERY)
    return [slot for slot in slots if all(slot - k in is_observed for k in range(SCANS_IN))]


def rolled_out(method: Nowcaster[Any], frames: Frames) -> FloatField:
    """Rain rates [mm h-1] (lead, y, x) after stepping over the frames from nothing."""
    state = None
    for rain_rate, coverage in zip(frames.rain_rate, frames.coverage, strict=True):
        state = method.observe(state, rain_rate, coverage, frames.sampling)
    assert state is not None
    return np.stack(list(islice(method.forecast(state), LEADS)))


def counts(assessment: Assessment) -> dict[str, Any]:
    """method -> threshold [mm h-1] -> lead step -> hits, misses, false_alarms, csi, bias, n (pixels)."""
    return {
        name: {f"{t:g}": {str(k + 1): _cell(sums, k, i) for k in range(LEADS)} for i, t in enumerate(sums.thresholds)}
        for name, sums in assessment.items()
    }


def _cell(sums: Sums, lead: int, threshold: int) -> dict[str, float | int | None]:
    scores = csi(sums)[lead, threshold], frequency_bias(sums)[lead, threshold]
    rounded = (round(float(v), 5) if np.isfinite(v) else None for v in scores)
    table = (int(t[lead, threshold]) for t in (sums.hits, sums.misses, sums.false_alarms))
    names = ("hits", "misses", "false_alarms", "csi", "bias", "n")
    return dict(zip(names, (*table, *rounded, int(sums.pixels[lead])), strict=True))


def _archive(folder: Path, temporary: Path) -> Archive:
    where = Intake(Region(name="evaluation"), Location(str(temporary)), temporary / "quarantine")
    reasons = [result.reason for path in files_in(folder) if (result := ingest(where, path, datetime.now(UTC))).reason]
    if not repository.exists(where.archive_location):
        raise ValueError(f"{folder} holds no scan: {reasons[0] if reasons else 'it is empty'}")
    archive = open_archive(where.archive_location)
    if not len(read_slots(archive).observed):
        raise ValueError(f"{folder} holds no scan that covers anything")
    return archive
