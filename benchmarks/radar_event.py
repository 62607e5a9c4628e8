"""Real events that the benchmarks of forecasts run on: NOWCAST_RADAR_DIR is where their files lie."""

import os
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import BoolField, FloatField
from nowcast.sources import decode

RADAR = Path(os.environ.get("NOWCAST_RADAR_DIR", Path(__file__).resolve().parents[2] / "shared" / "radar"))

EVENTS = {"FMI 2016-09-28": "fmi-pgm/20160928", "KNMI 2010-08-26": "knmi-rap/20100826"}
"""Every five minutes, pixels of about a kilometre."""


class Seen(NamedTuple):
    """One scan: rain rate [mm h-1] and coverage, (y, x)."""

    rain_rate: FloatField
    coverage: BoolField


def seen(event: str) -> list[Seen]:
    """The first four hours of one of EVENTS, in time order."""
    scans = (decode(path)[0] for path in islice(sorted((RADAR / EVENTS[event]).iterdir()), 48))
    return [Seen(scan.rain_rate, scan.coverage) for scan in scans]


def after(method: Nowcaster[Any], scans: list[Seen]) -> Any:
    """A method's state after these scans alone."""
    state = None
    for scan in scans:
        state = method.observe(state, *scan)
    return state
