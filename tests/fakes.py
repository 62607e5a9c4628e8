"""Small scans, nowcasts and stores with numbers that a reader can compute in the head."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.scan import Nowcast, Scan
from nowcast.core.timeline import Timeline
from nowcast.store.archive import Archive, create_archive
from nowcast.store.forecasts import Forecasts, create_forecasts
from nowcast.store.repository import Location

START = datetime(2026, 6, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 2, tzinfo=UTC)
FIVE = timedelta(minutes=5)
CRS = "+proj=laea +lat_0=60 +lon_0=25 +R=6371000 +units=m +no_defs"
GRID = Grid(CRS, -3000.0, 2000.0, 1000.0, 1000.0, 4, 6)
TIMELINE = Timeline(START, FIVE)


def scan(slot: int, rain_rate: float = 1.0, grid: Grid = GRID) -> Scan:
    """The same rain everywhere but in the north-west pixel, which is not covered."""
    coverage = np.ones(grid.shape, bool)
    coverage[0, 0] = False
    values = np.where(coverage, np.float32(rain_rate), np.float32(np.nan))
    return Scan("fake", "rain", START + slot * FIVE, "rain_rate", values, coverage, grid)


def file_id(number: int) -> bytes:
    """The hash of the n-th file."""
    return bytes([number + 1]) * 32


def archive_in(folder: Path) -> Archive:
    """An empty archive of rain rates."""
    return create_archive(Location(str(folder / "archive")), GRID, TIMELINE, "rain_rate", scan(0).zr)


def forecasts_in(folder: Path, leads: int = 3, thresholds: tuple[float, ...] = (1.0, 5.0)) -> Forecasts:
    """An empty forecast store."""
    return create_forecasts(Location(str(folder / "forecasts")), GRID, TIMELINE, leads, thresholds)


def nowcast(slot: int, rain_rate: float = 1.0, model: str = "fake-1", leads: int = 3, grid: Grid = GRID) -> Nowcast:
    """Lead k rains k times `rain_rate`; the north-west pixel has no forecast; chances are 0.25 at 1, 0 at 5 mm/h."""
    fields = np.stack([np.full(grid.shape, rain_rate * (k + 1), np.float32) for k in range(leads)])
    fields[:, 0, 0] = np.nan
    chances = {t: np.where(np.isnan(fields), np.nan, c).astype(np.float32) for t, c in ((1.0, 0.25), (5.0, 0.0))}
    lead_times = tuple(FIVE * (k + 1) for k in range(leads))
    ids = (scan(slot).scan_id,)
    return Nowcast(START + slot * FIVE, lead_times, fields, grid, model, ids, timedelta(seconds=90), chances)
