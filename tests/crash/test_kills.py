"""The short form of `make crash`: lives that are killed at each of the named places once, and a few at random."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from crash.campaign import BEGIN, END, Stage, placed, regenerate, report, staged, table
from crash.harness import Clean, Tally, Witness, check, drawn, history, one_life
from crash.life import Death
from crash.scene import Scene, synthetic
from crash.truth import Holdings, holdings, wrong
from receiver import receiving

from nowcast.core.crashpoints import POINTS
from nowcast.core.timeline import parse_time
from nowcast.store import repository
from nowcast.store.archive import open_archive
from nowcast.store.repository import array

MOST_HISTORIES = 14

ELSEWHERE = ("forecasts.upgrade", "objects.swap", "days.aside", "retention", "actor", "feed")
"""Places that the long form reaches, in a bucket, on an aged store, and on Ray; and those of a feed elsewhere."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """Six files, and the address that alerts go to."""
    folder = tmp_path_factory.mktemp("crash")
    with receiving() as hook:
        yield staged(synthetic(folder, "advection", scans=6), folder, hook.url, {}), hook.url


def test_every_place_of_the_local_cycle_is_on_the_way(stage: tuple[Stage, str]) -> None:
    reached = {name for trace in stage[0].clean.traces for name in trace}
    assert set(POINTS) - reached == {name for name in POINTS if name.startswith(ELSEWHERE)}


def test_whatever_is_killed_nothing_is_lost_or_false_and_the_next_life_publishes(
    stage: tuple[Stage, str], tmp_path: Path
) -> None:
    """Histories of six kills until every place has had one."""
    at, url = stage
    tally, places = Tally(), {name for trace in at.clean.traces for name in trace}
    while places - set(tally.kills) and tally.histories < MOST_HISTORIES:
        deaths = drawn(at.clean, tally.kills, 0.0, random.Random(tally.histories))
        history(placed(at.scene, tmp_path / f"{tally.histories}", url, {}), at.clean, deaths, tally)
    assert tally.lost == []
    assert tally.violations == []
    assert places - set(tally.kills) == set()
    assert len(tally.recoveries) == tally.kills.total()
    assert max(tally.recoveries) <= 10.0


def test_a_disk_that_fails_once_at_every_place_costs_an_alert_one_scan_at_most(
    stage: tuple[Stage, str], tmp_path: Path
) -> None:
    """The cycle says so, and goes on by itself; what follows a nowcast is tried again with the next scan."""
    at, url = stage
    scene, witness = placed(at.scene, tmp_path / "disk", url, {}), Witness()
    assert one_life(scene, len(scene.paths), Death(errors=True), witness) == 0
    found, clean = holdings(scene), at.clean.holdings
    assert [why for why in wrong(found, clean, True) if not why.startswith(("alerts: ", "raised: "))] == []
    assert [onset(found) - onset(clean), len(found.beside["alerts"])] == [timedelta(minutes=5), 1]
    said = {line["event"] for line in witness.lines if line.get("level") == "error"}
    assert {"file cannot be taken in now", "issuing failed", "scoring failed"} <= said


def onset(found: Holdings) -> datetime:
    """When the only alert began."""
    ((_, _, began),) = found.beside["raised"].values()
    return parse_time(began)


@pytest.fixture(scope="module")
def half(stage: tuple[Stage, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Clean, Witness]:
    """A life that was killed when its third nowcast was committed."""
    at, url = stage
    scene, witness = placed(at.scene, tmp_path_factory.mktemp("half") / "x", url, {}), Witness()
    assert one_life(scene, 6, Death("issue.published", 3), witness) == -9
    return scene, at.clean, witness


def test_what_a_kill_left_is_found_to_be_in_order(half: tuple[Scene, Clean, Witness]) -> None:
    scene, clean, witness = half
    tally = Tally()
    check(scene, clean.holdings, witness, tally, "here", is_over=False)
    assert (tally.lost, tally.violations) == ([], [])


def tampered(half: tuple[Scene, Clean, Witness]) -> Holdings:
    return holdings(half[0])


def test_a_promise_that_is_broken_is_noticed(half: tuple[Scene, Clean, Witness]) -> None:
    """A changed pixel, a later scan as input, a dry gap, half a nowcast, a second commit."""
    clean = half[1].holdings
    found = tampered(half)
    nowcast = found.nowcasts["forecasts"][1]
    nowcast["rain_rate"] = nowcast["rain_rate"] + 1
    assert wrong(found, clean, False) == ["forecasts slot 1: rain_rate differ"]
    found = tampered(half)
    found.nowcasts["forecasts"][0]["input_scan_id"] = found.nowcasts["forecasts"][1]["input_scan_id"]
    assert "forecasts slot 0 uses a scan that is not there or later" in wrong(found, clean, False)
    found = tampered(half)
    found.scans[2]["coverage"] = ~found.scans[2]["coverage"]
    assert wrong(found, clean, False) == ["missing slot 2 is not empty"]
    found = tampered(half)
    found.nowcasts["forecasts"][1]["status"] = 0
    assert wrong(found, clean, False) == ["forecasts slot 1 is half there"]
    found = tampered(half)
    found.messages["forecasts: nowcast"] = 2
    assert wrong(found, clean, False) == ["2 commits: forecasts: nowcast"]
    assert any("lacks" in fault for fault in wrong(tampered(half), clean, True))


def test_an_accepted_scan_that_is_gone_is_noticed(half: tuple[Scene, Clean, Witness]) -> None:
    scene, clean, witness = half
    archive = open_archive(scene.settings.location("here").child("archive"))
    with repository.transaction(archive.location, archive.repository, "loss") as group:
        array(group, "status")[1] = 0
        array(group, "file_id")[1] = 0
    tally = Tally()
    check(scene, clean.holdings, witness, tally, "here", is_over=False)
    assert tally.lost == ["here: storm_202606011205.h5"]


def test_the_report_and_its_table(tmp_path: Path) -> None:
    """Two kills that took 1 and 3 s."""
    tally = Tally(recoveries=[1.0, 3.0], histories=1, seeds=[7])
    tally.kills.update(["ingest.begun", "at random"])
    found = report(tally, 12.0, 9.0)
    assert (found["kills"], found["lost"], found["violations"], found["recovery_p50_s"]) == (2, 0, 0, 2.0)
    assert (found["by_point"]["ingest.begun"], found["by_point"]["issue.made"], found["bound_95_per_kill"]) == (
        1,
        0,
        1.5,
    )
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    regenerate(page, found)
    assert page.read_text() == f"before\n{BEGIN}\n{table(found)}\n{END}\nafter\n"
    assert "| accepted scans lost | 0 (95 %: at most 1.5 per kill) |" in table(found)
