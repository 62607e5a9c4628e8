"""Replays in which nothing is wrong: which scans are refused or called stuck all the same, which pixels are masked."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.case import LATENCY
from nowcast.ingest import Outcome, ingest, intake
from nowcast.settings import Box, Region, Settings
from nowcast.sources import decode
from nowcast.sources.feeds import files_in

FOLDERS = (
    "fmi-pgm/20160928",
    "knmi-rap/20100826",
    "mch-gif/20160711",
    "mch-gif/20170131",
    "bom-rf3/66-mtstapl-20201031",
    "dwd-radolan/yw-20170816",
    "dwd-radolan/ry-20200101-nearly-dry",
    "opera/20180824",
    "mrms/20190610",
)
BOXES = {"mrms/20190610": Box(south=29.0, west=-100.0, north=36.0, east=-90.0)}
"""A part of the event that is too large to be replayed as a whole."""


def replay(radar: Path, work: Path) -> dict[str, Any]:
    """Every scan of every event into an archive, as it was published; {scans, refused, stuck, masked_scans, ...}."""
    days = sorted(path.relative_to(radar).as_posix() for path in (radar / "knmi-pcp").iterdir())
    taken = [one for folder in (*FOLDERS, *days) for one in _event(radar / folder, work, BOXES.get(folder))]
    alarms = [line for line in taken if not line.startswith(("stored ", "late ")) or "same picture" in line]
    masked = [line for line in taken if "masked" in line]
    lonely = sum(int(found[1]) for line in masked if (found := re.search(r"(\d+) lonely", line)))
    counts = {"events": len(FOLDERS) + len(days), "scans": len(taken), "false_alarms": len(alarms)}
    return counts | {"false_alarms_in_words": alarms, "masked_scans": len(masked), "lonely_pixels_masked": lonely}


def _event(folder: Path, work: Path, box: Box | None) -> Iterator[str]:
    """What became of each file: outcome, reason and name."""
    shutil.rmtree(work, ignore_errors=True)
    where = intake(Region(name="clean", box=box), Settings(store=str(work)))
    for path in files_in(folder):
        one = ingest(where, path, decode(path)[0].nominal_time + LATENCY)
        alarm = "" if one.outcome in (Outcome.STORED, Outcome.LATE) else f" ({folder.name})"
        yield f"{one.outcome.value} {one.reason} {path.name}{alarm}"
    shutil.rmtree(work, ignore_errors=True)
