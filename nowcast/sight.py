"""Where a region's radars look, and where they looked in the last day."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nowcast.core.types import BoolField, FlagField
from nowcast.store.archive import Archive, read_coverage, read_slots
from nowcast.store.template import RADAR_NEVER, RADAR_OK, RADAR_UNAVAILABLE

DAY, SAMPLED = timedelta(days=1), timedelta(hours=1)
"""How far back is looked; of so much time the first scan stands for all."""


class View(NamedTuple):
    """Flags of radar coverage (y, x), as the forecast store keeps them, and which share of what was covered in the last
    day is covered now."""

    flags: FlagField
    share: float


@dataclass
class Sight:
    """Coverage of the scans that stand for the last day, in bits, by slot; all of it can be read off the archive."""

    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)


def view(sight: Sight, archive: Archive, slot: int) -> View:
    """What the radars see at an observed slot."""
    now, slots = read_coverage(archive, slot), sampled(archive, slot)
    sight.kept = {k: sight.kept[k] if k in sight.kept else _bits(archive, k) for k in slots}
    usual = now.copy()
    for bits in sight.kept.values():
        usual |= np.unpackbits(bits, count=now.size).reshape(now.shape).astype(bool)
    flags = np.where(now, RADAR_OK, np.where(usual, RADAR_UNAVAILABLE, RADAR_NEVER)).astype(np.uint8)
    return View(flags, float(now.sum() / max(1, int(usual.sum()))))


def sampled(archive: Archive, slot: int) -> list[int]:
    """The first observed slot of each hour (UTC, from slot 0) of the day that ends with `slot`."""
    cadence = archive.timeline.cadence
    recent = read_slots(archive, slot - DAY // cadence + 1, slot).observed
    _, first = np.unique(recent // max(1, SAMPLED // cadence), return_index=True)
    return [int(k) for k in recent[first]]


def _bits(archive: Archive, slot: int) -> NDArray[np.uint8]:
    covered: BoolField = read_coverage(archive, slot)
    return np.packbits(covered)
