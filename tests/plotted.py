"""A region whose pictures can be told from its numbers: 60 x 80 km around Helsinki, a scan every five minutes.

It rains RAIN mm/h in the square WET of every scan and of every forecast; nothing was seen in the columns from UNSEEN
on; elsewhere it is dry.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from fakes import CRS, file_id

from nowcast.core.grid import Grid
from nowcast.core.scan import Nowcast, Scan
from nowcast.core.timeline import Timeline
from nowcast.drawing.subject import Subject, subject
from nowcast.store.archive import append, create_archive
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.repository import Location

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)
GRID = Grid(CRS, -40_000.0, 50_000.0, 1000.0, 1000.0, 60, 80)
WET = (slice(20, 40), slice(10, 30))
UNSEEN = 60
RAIN = 4.0
CHANCE = 0.55
TIMES = range(-3, 3)
"""Slots, from that of the nowcast, of the scans in the archive; slot -1 has none."""


def field(rain_rate: float = RAIN) -> np.ndarray:
    """(y, x)."""
    values = np.zeros(GRID.shape, np.float32)
    values[WET] = rain_rate
    values[:, UNSEEN:] = np.nan
    return values


def scan(slot: int, values: np.ndarray) -> Scan:
    """So many slots after the start."""
    return Scan("t", "t", START + slot * FIVE, "rain_rate", values, np.isfinite(values), GRID)


def region_in(folder: Path, fields: Sequence[np.ndarray] | None = None, leads: int = 4) -> Location:
    """Stores of the region `here`, with one nowcast from START of so many leads; its fields are `field()` if absent."""
    where, timeline = Location(str(folder / "here")), Timeline(START - 4 * FIVE, FIVE)
    first = scan(0, field())
    archive = create_archive(where.child("archive"), GRID, timeline, "rain_rate", first.zr)
    for number, slot in enumerate(slot for slot in TIMES if slot != -1):
        values = field() if fields is None else fields[0]
        values[0, 0] = 0.01 * (number + 1)  # so that no scan repeats another
        append(archive, [scan(slot, values)], file_id(number), START)
    forecasts = create_forecasts(where.child("forecasts"), GRID, timeline, leads, (1.0, 5.0), (0.1, 0.9))
    rain = np.stack([field()] * leads if fields is None else [fields[k] for k in range(1, leads + 1)])
    chances = {1.0: np.where(np.isnan(rain), np.nan, np.where(rain >= 1, CHANCE, 0)).astype(np.float32)}
    chances[5.0] = np.float32(0.1) * chances[1.0]
    spread = {0.1: np.float32(0.5) * rain, 0.9: np.float32(2) * rain}
    times = tuple(FIVE * (k + 1) for k in range(leads))
    made = Nowcast(START, times, rain, GRID, "model-1", (first.scan_id,), FIVE, chances, spread)
    publish(forecasts, made, START)
    return where


def here(where: Location) -> Subject:
    """The nowcast of the region."""
    return subject(where, "here", START)
