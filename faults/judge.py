"""Wrong publications: what a nowcast must not be, told by the clean replay of the same scans."""

import re
from dataclasses import dataclass

import numpy as np

from faults.case import Case, Play, Poll
from faults.kinds import CLEAN, Expected, Kind
from nowcast.core.scan import Nowcast
from nowcast.ingest import Outcome
from nowcast.sources import BadScan, decode
from nowcast.store.archive import Archive, read_coverage, read_slots, scan_ids

CLOSE_MM_H, CLOSE_SHARE, CLOSE_PIXELS = 0.5, 0.3, 0.01
"""Nowcasts are close when all but this part of the pixels differ by less than so many mm/h or this share, and no more
have a forecast in one and none in the other."""


@dataclass(frozen=True)
class Verdict:
    """What one injected fault led to: `wrong` and `false_alarms` say each in words."""

    kind: str
    event: str
    number: int
    seed: int
    detected: bool
    wrong: tuple[str, ...]
    false_alarms: tuple[str, ...]
    outcomes: tuple[str, ...]


def judge(case: Case, name: str, kind: Kind, seed: int, polls: list[Poll], played: Play) -> Verdict:
    """Hold what a feed with a fault led to against the rule."""
    told = [f"{one.outcome.value} {one.reason}" for one in played.taken] + played.failed
    expected = _expected(case, kind, played)
    wrong = [*_unexpected(case, kind, played, expected), *(why for one in played.made for why in _faults(played, one))]
    if not (kind.or_close and expected is CLEAN):
        wrong += _uses(played, _faulty_ids(case, polls))
    alarms = [
        f"{one.file}: {one.reason}"
        for one in played.taken
        if one.outcome is Outcome.QUARANTINED and _is_true(case, one.file)
    ]
    detected = any(re.search(kind.told, line) for line in told) if kind.told else _is_gap(case, played.archive)
    return Verdict(name, case.event, case.number, seed, detected, tuple(wrong), tuple(alarms), tuple(told))


def _expected(case: Case, kind: Kind, played: Play) -> Expected:
    """What must come out; where either is right, that which the outcome asks for."""
    if not kind.or_close:
        return kind.expected
    hit = played.taken[0]
    return kind.expected if hit.outcome is Outcome.QUARANTINED else CLEAN


def _unexpected(case: Case, kind: Kind, played: Play, expected: Expected) -> list[str]:
    """Nowcasts that are lacking, too many, or other than those of the clean replay."""
    made = {one.init_time: one for one in played.made}
    wanted = {case.time(k): case.reference(behind)[case.time(k)] for k, behind in expected.items()}
    wrong = [f"nowcast from {time:%H:%M} that should not be" for time in made.keys() - wanted.keys()]
    wrong += [f"no nowcast from {time:%H:%M}" for time in wanted.keys() - made.keys()]
    for time in made.keys() & wanted.keys():
        mine, clean = made[time].rain_rate, wanted[time].rain_rate
        if kind.or_close and expected is CLEAN:
            wrong += [f"{time:%H:%M}: {why}" for why in _apart(mine, clean)]
        elif not np.array_equal(mine, clean, equal_nan=True):
            wrong.append(f"nowcast from {time:%H:%M} is not that of the clean replay")
    return wrong


def _apart(mine: np.ndarray, clean: np.ndarray) -> list[str]:
    """How two nowcasts are not close."""
    one, other = np.isfinite(mine), np.isfinite(clean)
    known = one & other
    difference, size = np.abs(mine[known] - clean[known]), np.maximum(mine[known], clean[known])
    far = np.mean((difference > CLOSE_MM_H) & (difference > CLOSE_SHARE * size)) if known.any() else 1.0
    lost = float(np.mean(one != other))
    found = [f"{far:.1%} of the pixels differ from the clean replay"] if far > CLOSE_PIXELS else []
    return found + ([f"{lost:.1%} have a forecast in one replay only"] if lost > CLOSE_PIXELS else [])


def _faults(played: Play, nowcast: Nowcast) -> list[str]:
    """What no nowcast may be: not whole, from later scans, with missing shown as dry or dry as missing."""
    archive, named = played.archive, f"{nowcast.init_time:%H:%M}"
    slot = archive.timeline.slot(nowcast.init_time)
    covered, wrong = read_coverage(archive, slot), []
    if len(nowcast.lead_times) != len(nowcast.rain_rate) or not np.isfinite(nowcast.rain_rate).any(axis=(1, 2)).all():
        wrong.append(f"{named}: not all leads have a forecast")
    if not set(nowcast.scan_ids) <= set(scan_ids(archive, 0, slot)):
        wrong.append(f"{named}: uses a scan that is not in the archive up to its time")
    flags = nowcast.radar_coverage
    assert flags is not None
    if not np.array_equal(flags == 2, covered):
        wrong.append(f"{named}: says of other places that they were observed")
    if np.isfinite(nowcast.rain_rate[:, flags == 0]).any():
        wrong.append(f"{named}: a forecast where no radar looks")
    if np.isfinite(nowcast.rain_rate[0][covered]).mean() < 0.5:
        wrong.append(f"{named}: no forecast on most of what was observed")
    return wrong


def _uses(played: Play, faulty: set[bytes]) -> list[str]:
    return [f"{one.init_time:%H:%M}: uses the faulty scan" for one in played.made if set(one.scan_ids) & faulty]


def _faulty_ids(case: Case, polls: list[Poll]) -> set[bytes]:
    """Ids of the scans in files that are none of the replay's, and are not the replay's scans all the same."""
    true = {scan.scan_id for scan in case.scans}
    found: set[bytes] = set()
    for path in (path for poll in polls if isinstance(poll.given, list) for path in poll.given):
        if not _is_true(case, path.name):
            try:
                found |= {scan.scan_id for scan in decode(path)}
            except BadScan:
                continue
    return found - true


def _is_true(case: Case, name: str) -> bool:
    return name in {path.name for path in case.files}


def _is_gap(case: Case, archive: Archive) -> bool:
    """Whether there is no observation at the time of the scan that is hit."""
    return archive.timeline.slot(case.time(0)) not in read_slots(archive).observed.tolist()
