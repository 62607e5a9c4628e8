"""Second use case: every archived scan gets a nowcast, exactly one, whole."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Nowcast
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import Checkpoint, load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.neighbourhood import exceedance
from nowcast.models.rollout import Rolling
from nowcast.settings import Region
from nowcast.store import repository
from nowcast.store.archive import Archive, open_archive, read_frames, read_slots, scan_ids
from nowcast.store.forecasts import Forecasts, create_forecasts, issued, open_forecasts, publish
from nowcast.store.repository import Location

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "rain.safetensors"
FEWEST_SCANS = 2
"""Motion cannot be seen in less."""


@dataclass
class Desk:
    """A region's warm model with its state; everything but the weights can be rebuilt from the archive."""

    region: Region
    location: Location
    rolling: Rolling[Any]
    _archive: Archive | None = field(default=None, init=False)
    _forecasts: Forecasts | None = field(default=None, init=False)

    @property
    def archive(self) -> Archive | None:
        """The region's archive, None until its first scan."""
        if self._archive is None and repository.exists(self.location.child("archive")):
            self._archive = open_archive(self.location.child("archive"))
        return self._archive

    def forecasts(self, archive: Archive) -> Forecasts:
        """The region's forecast store, laid out like its archive when there is none yet."""
        where = self.location.child("forecasts")
        if self._forecasts is None and repository.exists(where):
            self._forecasts = open_forecasts(where)
        if self._forecasts is None:
            region = self.region
            self._forecasts = create_forecasts(where, archive.grid, archive.timeline, region.leads, region.thresholds)
        return self._forecasts


def device(setting: str) -> str:
    """cpu or cuda; "auto" takes a GPU when there is one."""
    if setting != "auto":
        return setting
    return "cuda" if torch.cuda.is_available() else "cpu"


def checkpoint_path(region: Region) -> Path:
    """The weights the region's `model` setting names."""
    return SHIPPED_WEIGHTS if region.model == "default" else Path(region.model)


def nowcaster(region: Region, on: str) -> Nowcaster[Any]:
    """The method the region's `model` setting names, on a device; ValueError or OSError when it cannot be loaded."""
    if region.model == "persistence":
        return Persistence()
    if region.model == "advection":
        return Advection(on)
    return ConvLSTM(load_checkpoint(checkpoint_path(region)), on)


def strangeness(region: Region, archive: Archive) -> str:
    """How the archive is unlike what the region's model was trained on; empty when alike or nothing was learned."""
    if region.model in ("persistence", "advection"):
        return ""
    checkpoint: Checkpoint = load_checkpoint(checkpoint_path(region))
    return checkpoint.strangeness(archive.timeline.cadence.total_seconds(), archive.grid.spacing_km)


def issue_due(desk: Desk, now: datetime) -> list[Nowcast]:
    """Make and publish a nowcast for every observed slot after the newest one issued, oldest first.

    A scan that arrives late, for a slot before the newest nowcast, gets none: nobody would look at it.
    """
    archive = desk.archive
    if archive is None:
        return []
    forecasts = desk.forecasts(archive)
    done = max(issued(forecasts), default=-1)
    made = []
    for slot in read_slots(archive).observed:
        if slot > done and (nowcast := make(desk, archive, int(slot), now)) is not None:
            publish(forecasts, nowcast, now)
            made.append(nowcast)
    return made


def make(desk: Desk, archive: Archive, slot: int, now: datetime) -> Nowcast | None:
    """The nowcast from a slot's scan and those before it; None when there are too few to see motion."""
    rolling, region = desk.rolling, desk.region
    ids = scan_ids(archive, rolling.first_slot(slot), slot)
    used = tuple(scan_id for scan_id in ids if scan_id)
    if not ids[-1] or len(used) < min(FEWEST_SCANS, rolling.nowcaster.context):
        return None
    state = rolling.advance(slot, ids, lambda first, last: read_frames(archive, first, last))
    rain_rate = np.stack(list(islice(rolling.nowcaster.forecast(state), region.leads)))
    init_time = archive.timeline.time(slot)
    lead_times = tuple(archive.timeline.cadence * (k + 1) for k in range(region.leads))
    return Nowcast(
        init_time=init_time,
        lead_times=lead_times,
        rain_rate=rain_rate,
        grid=archive.grid,
        model=rolling.nowcaster.model_id,
        scan_ids=used,
        input_age=now - init_time,
        probability=exceedance(rain_rate, lead_times, region.thresholds, archive.grid.spacing_km),
    )
