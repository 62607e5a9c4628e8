"""What a region must hold after a history: plain dictionaries, and the rules of docs/guarantees.md once more."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from stateful.files import COVERED, Radar

from nowcast.core.types import FloatField

LEAST = 0.05
"""Share of the usual coverage that a nowcast needs."""

HISTORY, HOUR = 4, 12
"""Slots: how far motion is looked for, by multiples; how long one scan stands for others in the usual coverage."""


@dataclass(frozen=True)
class Issued:
    """A nowcast: who made it on which rung, the scans behind it, its rain [mm h-1] at every lead, (y, x)."""

    model: str
    rung: str
    inputs: tuple[bytes, ...]
    rain_rate: FloatField = field(compare=False)


@dataclass(frozen=True)
class Withheld:
    """No nowcast, for want of coverage."""


@dataclass(frozen=True)
class Model:
    """The files of a region's slots, its nowcasts, what was refused, and its registry's roles. Values: a change is a
    new one."""

    slots: dict[int, Radar] = field(default_factory=dict)
    nowcasts: dict[int, Issued | Withheld] = field(default_factory=dict)
    refused: frozenset[bytes] = frozenset()
    versions: frozenset[str] = frozenset()
    champion: str | None = None
    previous: str | None = None

    def taken(self, one: Radar) -> tuple["Model", str]:
        """After a file came in, and what is said of it."""
        if one.file_id in self.refused or one.file_id in {held.file_id for held in self.slots.values()}:
            return self, "duplicate"
        held = self.slots.get(one.slot)
        if one.kind == "corrupt" or (held is not None and held.scan_id != one.scan_id):
            return replace(self, refused=self.refused | {one.file_id}), "quarantined"
        if held is not None:
            return self, "duplicate"
        outcome = "late" if one.slot < max(self.slots, default=0) else "stored"
        return replace(self, slots=self.slots | {one.slot: one}), outcome

    @property
    def observed(self) -> list[int]:
        """Slots with a scan that covers something, ascending."""
        return sorted(slot for slot, one in self.slots.items() if COVERED[one.kind])

    @property
    def gaps(self) -> list[int]:
        """Slots before the newest one that have no scan, ascending."""
        return [slot for slot in range(max(self.slots, default=0)) if slot not in self.slots]

    @property
    def latest(self) -> int:
        """The newest slot with a nowcast, -1 without any."""
        return max((slot for slot, one in self.nowcasts.items() if isinstance(one, Issued)), default=-1)

    @property
    def due(self) -> list[int]:
        """Slots that a nowcast is to be made from, ascending: those after the newest that is done with."""
        newest = max(self.observed, default=-1)
        withheld = (slot for slot, one in self.nowcasts.items() if isinstance(one, Withheld) and slot < newest)
        done = max((self.latest, *withheld))
        return [slot for slot in self.observed if slot > done]

    def issuing(self) -> list["Model"]:
        """As it is, and after each nowcast that is due, the oldest first."""
        states = [self]
        for slot in self.due:
            states.append(replace(states[-1], nowcasts=states[-1].nowcasts | {slot: self._nowcast(slot)}))
        return states

    def promoted(self, name: str) -> "Model":
        """The champion goes, to be the previous one."""
        return replace(self, champion=name, previous=self.champion)

    def rolled_back(self) -> "Model":
        """The two change places."""
        return replace(self, champion=self.previous, previous=self.champion)

    def _nowcast(self, slot: int) -> Issued | Withheld:
        if self._share(slot) < LEAST:
            return Withheld()
        rain_rate = self.slots[slot].rain_rate
        assert rain_rate is not None
        if len(self._between(max(0, (slot // HISTORY - 1) * HISTORY), slot)) < 2:
            return Issued("persistence", "persistence", self._between(max(0, slot - 1), slot), rain_rate)
        return Issued(self.champion or "shipped", "champion", self._between(max(0, slot - 1), slot), rain_rate)

    def _between(self, first: int, last: int) -> tuple[bytes, ...]:
        return tuple(self.slots[k].scan_id for k in range(first, last + 1) if k in self.slots)

    def _share(self, slot: int) -> float:
        """Of the pixels covered now or in the first scan of any hour, the part that is covered now."""
        first: dict[int, int] = {}
        for k in self.observed:
            if k <= slot:
                first.setdefault(k // HOUR, k)
        usual = max(COVERED[self.slots[k].kind] for k in (slot, *first.values()))
        return COVERED[self.slots[slot].kind] / usual


def differences(wanted: dict[Any, Any], found: dict[Any, Any]) -> str:
    """Where two dictionaries differ, for people; empty when they do not."""
    keys = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
    return "; ".join(f"{k}: wanted {wanted.get(k)}, found {found.get(k)}" for k in keys)


def same_rain(one: FloatField, other: FloatField) -> bool:
    """Alike to half a hundredth, and missing in the same places."""
    return bool(np.allclose(one, other, atol=0.005, rtol=0, equal_nan=True))
