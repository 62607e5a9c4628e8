"""Frames of rain for comparisons with other libraries: real scans where there are any, and synthetic storms."""

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
from radar import RADAR, needs_radar

from nowcast.core.scan import Scan
from nowcast.sources import decode
from nowcast.sources.synthetic import Storm

FOLDERS = {"fmi": "fmi-pgm/20160928", "knmi": "knmi-rap/20100826"}
"""Event -> folder below RADAR."""

SIDE = 200

events = pytest.mark.parametrize("event", ["synthetic", *(pytest.param(name, marks=needs_radar) for name in FOLDERS)])


@cache
def frames(event: str, count: int) -> np.ndarray:
    """Rain rates [mm h-1] of the first `count` scans, (t, y, x), dry where not covered.

    Cut to SIDE x SIDE pixels or fewer, where the last one is wettest.
    """
    fields = np.stack([np.nan_to_num(scan.rain_rate) for scan in _scans(event, count)])
    height, width = (min(SIDE, side) for side in fields.shape[1:])
    rows, columns = (range(0, side - SIDE + 1, 50) or (0,) for side in fields.shape[1:])
    boxes = [np.s_[r : r + height, c : c + width] for r in rows for c in columns]
    rows, columns = max(boxes, key=lambda box: (fields[-1][box] >= 1).sum())
    return fields[:, rows, columns]


def pair(event: str) -> tuple[np.ndarray, np.ndarray]:
    """The first scan as forecast of the fourth."""
    fields = frames(event, 4)
    return fields[0], fields[3]


def ensemble(event: str) -> tuple[np.ndarray, np.ndarray]:
    """Seven consecutive scans as members of a forecast of the tenth."""
    fields = frames(event, 10)
    return fields[:7], fields[9]


def _scans(event: str, count: int) -> list[Scan]:
    if event == "synthetic":
        return list(Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=128, cells=6).scans(count))
    files = sorted((RADAR / FOLDERS[event]).iterdir())[:count]
    return [scan for path in files for scan in decode(path)]
