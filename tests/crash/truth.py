"""What the stores of a region hold, to be held against those of a run without kills."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import zarr
from crash.scene import Scene

from nowcast import registry
from nowcast.alerts.book import read_book
from nowcast.store import days, objects, repository
from nowcast.store.archive import open_archive
from nowcast.store.forecasts import Record
from nowcast.store.quarantine import refusals
from nowcast.store.repository import Location, array
from nowcast.store.template import STATUS_ISSUED, STATUS_MISSING, STATUS_WITHHELD

SCAN = ("coverage", "status", "scan_id", "file_id")
NOWCAST = ("rain_rate", "probability", "rain_rate_quantile", "radar_coverage", "input_scan_id", "status")
STORES = ("forecasts", "advection")

Slot = dict[str, Any]


@dataclass
class Holdings:
    """By slot what the archive and the forecast stores hold, and all that lies beside them."""

    scans: dict[int, Slot] = field(default_factory=dict)
    nowcasts: dict[str, dict[int, Slot]] = field(default_factory=dict)
    messages: Counter[str] = field(default_factory=Counter)
    scores: Any = None
    beside: dict[str, Any] = field(default_factory=dict)


def holdings(scene: Scene) -> Holdings:
    """The newest committed state of everything."""
    where, found = scene.settings.location("here"), Holdings()
    if repository.exists(where.child("archive")):
        archive = open_archive(where.child("archive"))
        group = repository.read(archive.repository)
        names = (archive.quantity, *SCAN)
        found.scans = _slots(group, names)
        found.messages.update(_messages("archive", archive.repository))
    for store in STORES:
        if repository.exists(where.child(store)):
            opened = repository.open_existing(where.child(store))
            group = repository.read(opened)
            found.nowcasts[store] = _slots(group, tuple(n for n in (*NOWCAST, *Record._fields) if n in group))
            found.messages.update(_messages(store, opened))
    found.scores = _scores(where)
    found.beside = _beside(scene, where)
    return found


def wrong(found: Holdings, clean: Holdings, is_over: bool) -> list[str]:
    """How what is held breaks a promise; empty when it breaks none. When all is over, all of the clean run is there."""
    faults = [f"archive slot {slot}: {why}" for slot, why in _differences(found.scans, clean.scans)]
    for store, slots in found.nowcasts.items():
        faults += [f"{store} slot {slot}: {why}" for slot, why in _differences(slots, clean.nowcasts[store])]
        faults += [f"{store} slot {slot} {why}" for slot, one in slots.items() if (why := _unsound(one, slot, found))]
    faults += [f"missing slot {slot} is not empty" for slot, one in found.scans.items() if _is_dry_gap(one)]
    faults += [
        f"{times} commits: {what}" for what, times in found.messages.items() if times > 1 and "layout" not in what
    ]
    faults += [f"row of scores twice or wrong: {row}" for row in _wrong_rows(found.scores, clean.scores)]
    if is_over:
        faults += _lacking(found, clean)
    return faults


def _slots(group: zarr.Group, names: tuple[str, ...]) -> dict[int, Slot]:
    """Slots that hold something, and for an archive those between them too."""
    held = {name: np.asarray(array(group, name)[:]) for name in names}
    return {slot: {name: values[slot] for name, values in held.items()} for slot in range(len(held["status"]))}


def _messages(store: str, opened: icechunk.Repository) -> list[str]:
    return [f"{store}: {one.message}" for one in opened.ancestry(branch=repository.BRANCH) if one.parent_id is not None]


def _scores(where: Location) -> list[dict[str, Any]]:
    """Rows of all days; none of a day whose file is damaged."""
    rows = []
    for day in days.days(where):
        with suppress(days.Damaged):
            table = days.read(where, day)
            rows += [] if table is None else table.to_pylist()
    return rows


def _beside(scene: Scene, where: Location) -> dict[str, Any]:
    """Who serves, what was refused, told and kept; without times of the clock and what follows from them."""
    book = read_book(where.child("alerts"))
    outlooks = objects.listed(where.child("catchments"), "2026-06-01")
    items = sorted((Path(scene.settings.store).parent / "exports").glob("*/*.json")) if where.is_local else []
    return {
        "champion": registry.pointer(where.child("models")).champion,
        "versions": [one.model_id for one in registry.versions(where.child("models"))],
        "refused": [(one.file, one.file_id) for one in refusals(scene.settings.quarantine_folder("here"))],
        "alerts": [one.message_id for one in (*book.delivered, *book.outbox, *book.dead)],
        "raised": {key: (one.raised, one.judged, one.onset) for key, one in book.standings.items()},
        "outlooks": outlooks,
        "exports": {one.parent.name: json.loads(one.read_text())["id"] for one in items[-1:]},
    }


def _differences(found: dict[int, Slot], clean: dict[int, Slot]) -> list[tuple[int, str]]:
    """Slots that hold something else than in the clean run; those that hold nothing yet are none."""
    faults = []
    for slot, held in found.items():
        if held["status"] == STATUS_MISSING:
            continue
        other = clean.get(slot, {})
        names = [
            name for name in held if not np.array_equal(held[name], other.get(name), equal_nan=_floats(held[name]))
        ]
        faults += [(slot, f"{', '.join(names)} differ")] if names else []
    return faults


def _floats(values: Any) -> bool:
    return bool(np.asarray(values).dtype.kind == "f")


def _unsound(nowcast: Slot, slot: int, found: Holdings) -> str:
    """A nowcast that uses what is not in the archive at or before its time, or one without inputs."""
    if nowcast["status"] != STATUS_ISSUED:
        empty = nowcast["status"] == STATUS_WITHHELD or not np.asarray(nowcast["input_scan_id"]).any()
        return "" if empty else "is half there"
    earlier = {one["scan_id"].tobytes() for at, one in found.scans.items() if at <= slot}
    used = [row.tobytes() for row in nowcast["input_scan_id"] if row.any()]
    if not used or not set(used) <= earlier:
        return "uses a scan that is not there or later"
    return ""


def _is_dry_gap(scan: Slot) -> bool:
    return bool(scan["status"] == STATUS_MISSING and (scan["coverage"].any() or scan["scan_id"].any()))


def _wrong_rows(found: list[dict[str, Any]], clean: list[dict[str, Any]]) -> list[str]:
    right = Counter(_comparable(row) for row in clean)
    return [row[:200] for row, times in Counter(_comparable(row) for row in found).items() if times > right[row]]


def _comparable(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, default=str)


def _lacking(found: Holdings, clean: Holdings) -> list[str]:
    faults = []
    for name, mine, theirs in (
        ("scans", found.scans, clean.scans),
        *((store, found.nowcasts.get(store, {}), clean.nowcasts[store]) for store in STORES),
    ):
        there = {slot for slot, one in mine.items() if one["status"]}
        faults += [f"{name}: slot {slot} lacks" for slot, one in theirs.items() if one["status"] and slot not in there]
    if len(found.scores) != len(clean.scores):
        faults.append(f"{len(found.scores)} rows of scores, not {len(clean.scores)}")
    faults += [
        f"{name}: {held} is not {clean.beside[name]}"
        for name, held in found.beside.items()
        if held != clean.beside[name]
    ]
    return faults


def observed(found: Holdings) -> set[bytes]:
    """The files that have a scan in the archive."""
    return {one["file_id"].tobytes() for one in found.scans.values() if one["status"] != STATUS_MISSING}
