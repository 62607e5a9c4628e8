"""Synthetic storms in an archive, and a model and windows small enough to train in seconds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from fakes import file_id

from nowcast.core.scan import Frames
from nowcast.core.timeline import Timeline
from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import Archive, append, create_archive
from nowcast.store.repository import Location
from nowcast.training.loop import Unrolled
from nowcast.training.loss import ordinal
from nowcast.training.windows import Sampler, WindowConfig

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
STORM = Storm(START, size=64, cells=3)
WINDOWS = WindowConfig(size=32, fewest_inputs=2, most_inputs=3, fewest_leads=3, leads=3, scored=2)
TINY = RainModelConfig(hidden=(8,), patch=4, embedding=8, context=4, pixel=(8, 8))


def frames(count: int) -> Frames:
    """The first scans of STORM."""
    scans = list(STORM.scans(count))
    rain, coverage = np.stack([s.rain_rate for s in scans]), np.stack([s.coverage for s in scans])
    return Frames(tuple(s.nominal_time for s in scans), rain, coverage, tuple(s.scan_id for s in scans))


@torch.inference_mode()
def loss_of(model: RainModel, windows: Sampler, batch: int) -> float:
    """The ordinal loss summed over eight batches of windows."""
    total = 0.0
    for _ in range(8):
        window = windows.batch(batch)
        margins, coverage = Unrolled(model)(window)
        field, covered = window.truth()
        total += float(ordinal(margins, field, covered * coverage))
    return total


def stormy_days(folder: Path, days: int) -> Archive:
    """Ten scans from noon on each day from 1 June, another storm every day."""
    timeline = Timeline(START.replace(hour=0), STORM.cadence)
    archive = create_archive(
        Location(str(folder / "archive")), STORM.grid, timeline, "rain_rate", next(STORM.scans(1)).zr
    )
    for day in range(days):
        storm = Storm(START + timedelta(days=day), seed=day, size=64, cells=3)
        append(archive, list(storm.scans(10)), file_id(day), START)
    return archive
