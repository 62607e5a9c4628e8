"""The same picture under a new time is kept, but is no observation, in whichever order scans come."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from fakes import FIVE, NOW, START, TIMELINE, file_id
from radar import needs_radar, sample

from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.sources import decode
from nowcast.store.archive import (
    Archive,
    Placement,
    append,
    create_archive,
    gaps,
    original,
    read_frames,
    read_slots,
    scan_ids,
)
from nowcast.store.repository import Location
from nowcast.store.template import STATUS_MISSING, STATUS_OBSERVED, STATUS_STUCK

GRID = Grid("EPSG:3067", 0.0, 10_000.0, 1000.0, 1000.0, 10, 10)
LETTERS = {"A": 1.0, "B": 2.0, "C": 3.0, "-": 0.0}


def picture(slot: int, letter: str, wet: int = 60) -> Scan:
    """Rain on the first `wet` of 100 pixels, at a rate that the letter stands for; the last pixel is not covered."""
    values = np.zeros(100, np.float32)
    values[:wet] = LETTERS[letter]
    values[-1] = np.nan
    values = values.reshape(10, 10)
    return Scan("fake", "rain", START + slot * FIVE, "rain_rate", values, np.isfinite(values), GRID)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return create_archive(Location(str(tmp_path / "archive")), GRID, TIMELINE, "rain_rate", picture(0, "A").zr)


def put(archive: Archive, slot: int, letter: str, wet: int = 60) -> Placement:
    (placement,) = append(archive, [picture(slot, letter, wet)], file_id(slot), NOW)
    return placement


def pattern(archive: Archive) -> str:
    """o observed, s stuck, . missing, slot by slot."""
    signs = {STATUS_OBSERVED: "o", STATUS_STUCK: "s", STATUS_MISSING: "."}
    return "".join(signs[int(status)] for status in read_slots(archive).status)


def test_a_repeated_picture_is_kept_without_coverage_and_tells_whose_it_is(archive: Archive) -> None:
    assert [put(archive, k, letter) for k, letter in enumerate("AAAB")] == ["stored", "stuck", "stuck", "stored"]
    assert read_slots(archive).observed.tolist() == [0, 3]
    assert read_slots(archive).stuck.tolist() == [1, 2]
    frames = read_frames(archive, 0, 3)
    assert frames.coverage.sum(axis=(1, 2)).tolist() == [99, 0, 0, 99]
    assert np.isnan(frames.rain_rate[1:3]).all()
    assert scan_ids(archive, 0, 3) == frames.scan_ids == (picture(0, "A").scan_id, b"", b"", picture(3, "B").scan_id)
    assert original(archive, 2) == START
    assert gaps(archive) == []
    assert put(archive, 2, "A") is Placement.DUPLICATE


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("----", "oooo"),
        ("ABAB", "ooss"),
        ("A....A", "o....s"),
        ("A" + "." * 11 + "A", "o" + "." * 11 + "s"),
        ("A" + "." * 12 + "A", "o" + "." * 12 + "o"),
        ("AAAAAAAAAAAAAAAA", "osssssssssssssss"),
        ("AB-CA", "ooooo"),
    ],
)
def test_dry_pictures_may_repeat_rain_may_not_within_three_scans_and_an_hour(
    archive: Archive, letters: str, expected: str
) -> None:
    for slot, letter in enumerate(letters):
        if letter != ".":
            put(archive, slot, letter)
    assert pattern(archive) == expected


@pytest.mark.parametrize(("wet", "expected"), [(49, "oo"), (50, "os")])
def test_a_few_echoes_may_be_the_same_by_chance(archive: Archive, wet: int, expected: str) -> None:
    put(archive, 0, "A", wet)
    put(archive, 1, "A", wet)
    assert pattern(archive) == expected


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_order_of_coming_does_not_matter(archive: Archive, order: tuple[int, ...]) -> None:
    for slot in order:
        put(archive, slot, "AABA"[slot])
    assert pattern(archive) == "osos"


def test_the_scan_that_should_have_come_takes_the_place_of_a_stuck_one(archive: Archive) -> None:
    for slot, letter in enumerate("AAA"):
        put(archive, slot, letter)
    assert put(archive, 1, "B") is Placement.LATE
    assert put(archive, 2, "C") is Placement.STORED
    assert pattern(archive) == "ooo"
    assert read_frames(archive, 1, 2).rain_rate[:, 0, 0].tolist() == [2.0, 3.0]
    assert put(archive, 1, "C") is Placement.CONFLICT


@needs_radar
@pytest.mark.parametrize("name", ["fmi-pgm", "knmi-rap", "mch-gif", "bom", "radolan-yw"])
def test_a_real_scan_under_a_new_time_is_stuck(name: str, tmp_path: Path) -> None:
    """Reflectivity packed to hundredths of dBZ, or rain rates; the moved pixel makes it another picture."""
    first = next(iter(decode(sample(name))))
    again = replace(first, nominal_time=first.nominal_time + FIVE)
    values = first.values.copy()
    row, col = np.argwhere(np.nan_to_num(first.values, nan=-99.0) > 0)[0]
    values[row, col] += 1.0
    other = replace(first, nominal_time=first.nominal_time + 2 * FIVE, values=values)
    timeline = replace(TIMELINE, start=first.nominal_time)
    archive = create_archive(Location(str(tmp_path / "archive")), first.grid, timeline, first.quantity, first.zr)
    assert append(archive, [first, again, other], file_id(0), NOW) == ["stored", "stuck", "stored"]
    assert original(archive, 1) == first.nominal_time
    assert not read_frames(archive, 1, 1).coverage.any()
