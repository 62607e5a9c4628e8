"""Poisoned archives are complained of, with day and reason; real ones are not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from fakes import file_id
from radar import RADAR, needs_radar

from nowcast.core.scan import Scan
from nowcast.core.timeline import Timeline
from nowcast.core.types import FloatField
from nowcast.ingest import ingest, intake
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import files_in
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import Archive, append, create_archive, open_archive
from nowcast.store.repository import Location
from nowcast.training.job import split
from nowcast.training.soundness import complaints

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCANS = 6
Poison = Callable[[Sequence[Scan]], list[Scan]]


def with_rates(scan: Scan, rain_rate: FloatField) -> Scan:
    """The scan with other rates where it is covered."""
    return replace(scan, values=np.where(scan.coverage, rain_rate, np.nan).astype(np.float32))


def stuck(scans: Sequence[Scan]) -> list[Scan]:
    return [with_rates(scan, scans[0].values) for scan in scans]


def dbz(scans: Sequence[Scan]) -> list[Scan]:
    return [with_rates(s, np.where(s.values > 0, s.zr.reflectivity(s.values), 0.0)) for s in scans]


def per_five_minutes(scans: Sequence[Scan]) -> list[Scan]:
    return [with_rates(s, s.values / 12) for s in scans]


def wild(scans: Sequence[Scan]) -> list[Scan]:
    random = np.random.default_rng(0)
    return [with_rates(s, np.where(random.random(s.values.shape) < 0.01, 150.0, s.values)) for s in scans]


def negative(scans: Sequence[Scan]) -> list[Scan]:
    random = np.random.default_rng(0)
    return [with_rates(s, np.where(random.random(s.values.shape) < 0.01, -1.0, s.values)) for s in scans]


def zeros(scans: Sequence[Scan]) -> list[Scan]:
    return [with_rates(s, np.zeros_like(s.values)) for s in scans]


def zeros_at_once(scans: Sequence[Scan]) -> list[Scan]:
    return [*scans[:3], *zeros(scans[3:])]


@cache
def storm(day: int) -> list[Scan]:
    return list(Storm(START + timedelta(days=day), seed=day, size=64, cells=3).scans(SCANS))


def days(folder: Path, poisons: dict[int, Poison], count: int = 3) -> Archive:
    """Six scans at noon on each of a few days, some of them poisoned."""
    first = storm(0)[0]
    timeline = Timeline(START.replace(hour=0), timedelta(minutes=5))
    archive = create_archive(Location(str(folder / "archive")), first.grid, timeline, "rain_rate", first.zr)
    for day in range(count):
        append(archive, poisons[day](storm(day)) if day in poisons else storm(day), file_id(day), START)
    return archive


def found(archive: Archive) -> tuple[str, ...]:
    """The last run is judged on, all before it learned from; of a single run each half."""
    *before, (first, last) = split(archive, [], 2).learned
    middle = (first + last) // 2
    if not before:
        return complaints(archive, [(first, middle)], [(middle + 1, last)])
    return complaints(archive, before, [(first, last)])


def test_storms_are_sound(tmp_path: Path) -> None:
    assert found(days(tmp_path, {})) == ()


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (stuck, "stuck, the same rain in 6 scans on end"),
        (dbz, "another unit"),
        (per_five_minutes, "another unit"),
        (wild, "wild pixels"),
        (negative, "wild pixels"),
        (zeros_at_once, "zeros, between two scans rain on"),
    ],
)
@pytest.mark.parametrize("day", [1, 2])
def test_a_poisoned_day_is_named_with_the_reason(tmp_path: Path, poison: Poison, reason: str, day: int) -> None:
    """Day 1 would be learned from, day 2 judged on."""
    named = found(days(tmp_path, {day: poison}))
    assert any(one.startswith(f"2026-06-0{day + 1}: {reason}") for one in named)
    assert all(one.startswith(f"2026-06-0{day + 1}: ") for one in named)


def test_one_dry_day_is_no_fault_but_nothing_else_is(tmp_path: Path) -> None:
    assert found(days(tmp_path / "one", {1: zeros})) == ()
    assert found(days(tmp_path / "judged", {2: zeros})) == ("no rain anywhere in the scans to be judged",)
    learned = found(days(tmp_path / "all", dict.fromkeys(range(3), zeros)))
    assert learned == tuple(f"no rain anywhere in the scans to be {what}" for what in ("learned", "judged"))


def test_two_scans_alike_are_let_pass(tmp_path: Path) -> None:
    assert found(days(tmp_path, {1: lambda scans: [scans[0], with_rates(scans[1], scans[0].values), *scans[2:]]})) == ()


@needs_radar
@pytest.mark.parametrize(
    "folders",
    [
        ["fmi-pgm/20160928"],
        ["mch-gif/20160711", "mch-gif/20170131"],
        ["knmi-rap/20100826"],
        ["knmi-pcp/20210203", "knmi-pcp/20210208", "knmi-pcp/20210209"],
    ],
    ids=["fmi", "mch", "knmi-rap", "knmi-pcp"],
)
def test_real_events_are_sound(tmp_path: Path, folders: list[str]) -> None:
    """The first fifty minutes of each; the whole of it would take longer and says the same."""
    region, settings = Region(name="here", cadence=5), Settings(store=str(tmp_path))
    for folder in folders:
        for path in files_in(RADAR / folder)[:10]:
            ingest(intake(region, settings), path, datetime.now(UTC))
    assert found(open_archive(settings.location("here").child("archive"))) == ()
