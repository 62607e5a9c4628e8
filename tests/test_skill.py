"""Rolling skill from rows made by hand: windows, models, what is left out, and what is said of it.

Every nowcast has leads of 5 and 10 minutes; at 1 mm/h each case counts 10 events.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FIVE, START, TIMELINE, archive_in, file_id, forecasts_in, scan
from typer.testing import CliRunner, Result

import nowcast
from nowcast import skill as rolling
from nowcast.cli import app
from nowcast.skill import NothingScored, behind, in_words, parse_window, recent, skill, tables
from nowcast.store import days
from nowcast.store.archive import append
from nowcast.store.repository import Location
from nowcast.store.rows import row
from nowcast.verify.statistics import Sums, certain, zero

HITS = {"served": 8, "persistence": 2, "advection": 5}
"""Of 10 events at 1 mm/h; the others are missed, and there is no false alarm."""

HOUR = timedelta(hours=1)
LATER = START + timedelta(days=3)


def sums(hits: float, cases: int = 1, events: float = 10.0, thresholds: tuple[float, ...] = (1.0, 5.0)) -> Sums:
    """Cases of 100 pixels at both leads; nothing reaches the second threshold, squared errors are misses."""
    ones = np.ones((2, 1))
    nothing = zero(2, thresholds)
    rain = np.arange(len(thresholds)) == 0
    made = replace(
        nothing,
        hits=cases * hits * ones * rain,
        misses=cases * (events - hits) * ones * rain,
        cases=np.full(2, float(cases)),
        pixels=np.full(2, 100.0 * cases),
        squared_error=np.full(2, cases * (events - hits)),
    )
    return replace(made, chances=certain(made))


def score(where: Location, slots: Iterable[int], model: str = "m-1", rung: str = "", **how: Any) -> None:
    """Rows of the scans in these slots, each held against two nowcasts."""
    for slot in slots:
        valid, listed = START + slot * FIVE, []
        for lead in (1, 2):
            case = {"valid_time": valid, "init_time": valid - lead * FIVE, "lead_minutes": 5 * lead}
            case |= {"model": model, "rung": rung}
            listed += [row(case | {"method": name}, sums(hits, **how), lead - 1) for name, hits in HITS.items()]
        days.add(where, valid.date(), listed)


@pytest.fixture
def here(tmp_path: Path) -> Location:
    """Region `here` with scans in slots 0 .. 11, scored from slot 2 on."""
    where = Location(str(tmp_path / "here"))
    archive = archive_in(tmp_path / "here")
    append(archive, [scan(slot) for slot in range(12)], file_id(0), START)
    score(where, range(2, 12))
    return where


def ask(here: Location, *words: str) -> Result:
    """`nowcast skill` on a wide terminal."""
    store = str(Path(here.url).parent)
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["skill", "--region", "here", "--store", store, *words])


class TestWindow:
    def test_ends_at_the_newest_scored_time_and_says_how_much_of_it_has_scans(self, here: Location) -> None:
        """An hour has twelve slots: 0 .. 11, all observed, ten of them scored."""
        found = skill(here, HOUR)
        assert (found.start, found.until) == (START - FIVE, START + 11 * FIVE)
        assert (found.scans.slots, found.scans.observed, found.scans.scored) == (12, 12, 10)
        assert found.together["served"].cases.tolist() == [10.0, 10.0]

    def test_leaves_out_its_first_moment_and_has_its_last(self, here: Location) -> None:
        """15 minutes until slot 9: slots 7, 8, 9."""
        found = skill(here, 3 * FIVE, START + 9 * FIVE)
        assert found.scans == rolling.Scans(3, 3, 3)
        assert found.together["served"].cases.tolist() == [3.0, 3.0]

    def test_of_a_dead_feed_tells_its_age(self, here: Location) -> None:
        told = tables(skill(here, HOUR), LATER)
        assert told["until"] == told["newest_scored"] == "2026-06-01T00:55:00Z"
        assert told["age_minutes"] == 3 * 24 * 60 - 55

    def test_lists_every_lead_of_the_nowcasts_with_null_where_nothing_came_true(self, here: Location) -> None:
        forecasts_in(Path(here.url), leads=3)
        told = tables(skill(here, HOUR), LATER)
        assert told["csi"]["served"]["1"] == {"5": 0.8, "10": 0.8, "15": None}
        assert told["cases"]["served"] == {"5": 10.0, "10": 10.0, "15": 0.0}

    def test_without_any_scan_is_empty_and_not_perfect(self, here: Location) -> None:
        found = skill(here, HOUR, LATER)
        assert found.scans == rolling.Scans(12, 0, 0)
        assert (found.together, found.by_model) == ({}, {})
        told = tables(found, LATER)
        assert (told["nowcasts"], told["csi"], told["models"]) == (0, {}, {})

    def test_spans_days(self, here: Location) -> None:
        score(here, (287, 288, 289))
        assert skill(here, timedelta(minutes=15)).together["served"].cases.tolist() == [3.0, 3.0]

    def test_before_anything_was_scored_is_an_error_that_names_the_store(self, tmp_path: Path) -> None:
        with pytest.raises(NothingScored, match=str(tmp_path)):
            skill(Location(str(tmp_path)), HOUR)

    @pytest.mark.parametrize(("text", "minutes"), [("24h", 1440), ("30d", 43200), ("90min", 90), ("3h", 180)])
    def test_is_read_from_text(self, text: str, minutes: int) -> None:
        assert parse_window(text) == timedelta(minutes=minutes)

    @pytest.mark.parametrize("text", ["", "24", "h", "-3h", "0h", "1.5h", "3 h", "1w"])
    def test_of_no_length_is_refused_with_its_text(self, text: str) -> None:
        with pytest.raises(ValueError, match=f"'{text}'"):
            parse_window(text)

    @pytest.mark.parametrize(
        ("hours", "words"), [(3, "3 h"), (24, "24 h"), (48, "2 d"), (720, "30 d"), (1.5, "90 min")]
    )
    def test_is_told_in_words(self, hours: float, words: str) -> None:
        assert in_words(timedelta(hours=hours)) == words


class TestFigures:
    def test_by_hand(self, here: Location) -> None:
        """CSI 0.8, 0.2, 0.5; misses per pixel 0.02, 0.08, 0.05, which are the Brier scores and the squared errors."""
        told = tables(skill(here, HOUR), LATER)
        assert {name: told["csi"][name]["1"]["5"] for name in HITS} == {
            "served": 0.8,
            "persistence": 0.2,
            "advection": 0.5,
        }
        assert told["brier"]["served"]["1"] == {"5": 0.02, "10": 0.02}
        gained = told["skill"]
        assert gained["csi_difference"]["advection"]["1"]["10"] == pytest.approx(0.3)
        assert gained["brier_skill"]["persistence"]["1"]["10"] == pytest.approx(0.75)
        assert gained["mse_skill"] == {"persistence": {"5": 0.75, "10": 0.75}, "advection": {"5": 0.6, "10": 0.6}}
        assert told["cases"]["served"] == {"5": 10.0, "10": 10.0}
        assert told["pixels"]["advection"] == {"5": 1000.0, "10": 1000.0}
        assert told["nowcasts"] == 11

    def test_without_events_are_null_and_neither_0_nor_1(self, here: Location) -> None:
        told = tables(skill(here, HOUR), LATER)
        assert told["csi"]["served"]["5"] == {"5": None, "10": None}
        assert told["skill"]["csi_difference"]["advection"]["5"] == {"5": None, "10": None}
        assert told["skill"]["brier_skill"]["advection"]["5"] == {"5": None, "10": None}

    def test_come_by_model_with_its_rungs(self, here: Location) -> None:
        """Slots 12 and 13 by another model, after the ladder stepped down."""
        score(here, (12, 13), model="advection", rung="advection")
        told = tables(skill(here, HOUR), LATER)
        assert list(told["models"]) == ["advection", "m-1"]
        assert told["models"]["advection"]["rungs"] == {"advection": 3}
        assert told["models"]["advection"]["cases"]["served"] == {"5": 2.0, "10": 2.0}
        assert told["models"]["m-1"]["cases"]["served"] == {"5": 10.0, "10": 10.0}
        assert told["cases"]["served"] == {"5": 12.0, "10": 12.0}

    def test_over_other_thresholds_than_the_newest_are_left_out_and_counted(self, here: Location) -> None:
        score(here, (12,), thresholds=(1.0,))
        found = skill(here, HOUR)
        assert found.together["served"].thresholds == (1.0,)
        assert found.left_out == 10 * 2 * 3
        assert found.scans.scored == 1

    def test_of_a_day_that_cannot_be_read_are_missing_and_the_day_is_named(self, here: Location) -> None:
        score(here, (288,))
        (Path(here.url) / "skill" / "2026-06-01.parquet").write_bytes(b"damaged")
        found = skill(here, 24 * HOUR)
        assert [day.isoformat() for day in found.damaged] == ["2026-06-01"]
        assert found.scans.scored == 1

    def test_are_there_from_python(self, here: Location) -> None:
        told = nowcast.rolling_skill("here", "15min", "2026-06-01T00:45Z", store=str(Path(here.url).parent))
        assert (told["region"], told["scans"]["scored"]) == ("here", 3)
        assert told["csi"]["served"]["1"]["5"] == 0.8


class TestBehind:
    def test_tells_both_figures_and_the_time(self) -> None:
        served, advection = (sums(hits, cases=6, events=100) for hits in (31, 35))
        assert behind(served, advection, 3 * HOUR) == "CSI 0.310 below advection's 0.350 over 3 h"
        assert behind(advection, served, 3 * HOUR) == ""
        assert behind(served, served, 3 * HOUR) == ""

    def test_is_silent_on_too_few_scans_or_too_little_rain(self) -> None:
        """Six scans and 1000 event pixels are needed; there are two leads."""
        for cases, events in ((5, 1000), (6, 80)):
            worse, better = (sums(hits * events, cases, events) for hits in (0.3, 0.9))
            assert behind(worse, better, HOUR) == ""
        assert behind(sums(20, 6, 90), sums(80, 6, 90), HOUR) != ""

    def test_is_over_thresholds_with_rain_alone(self) -> None:
        """At 5 mm/h only one event came, which advection missed."""
        served, advection = sums(50, 10, 100), sums(60, 10, 100)
        rare = np.array([[0.0, 1.0], [0.0, 0.0]])
        served, advection = replace(served, hits=served.hits + rare), replace(advection, misses=advection.misses + rare)
        assert behind(served, advection, HOUR).startswith("CSI 0.500 below advection's 0.600")

    def test_on_what_one_model_did_of_late(self, here: Location) -> None:
        score(here, (12, 13), model="m-2")
        now = START + 13 * FIVE
        assert recent(here, "m-1", now, HOUR)["advection"].cases.tolist() == [10.0, 10.0]
        assert recent(here, "m-1", now, 3 * FIVE)["served"].cases.tolist() == [1.0, 1.0]
        assert recent(here, "m-3", now, HOUR) == {}


class TestCommand:
    def test_prints_counts_scores_and_skill(self, here: Location) -> None:
        result = ask(here, "--window", "1h")
        assert result.exit_code == 0, result.output
        assert "here, 1 h until 2026-06-01 00:55Z, 10 of 12 scans" in result.stdout
        assert "newest scored 2026-06-01T00:55:00Z" in result.stdout
        assert "11 nowcasts by m-1" in result.stdout
        lines = [line.split() for line in result.stdout.splitlines()]
        assert ["served", "1", "0.800", "0.800"] in lines
        assert ["CSI", "difference", "advection", "1", "0.300", "0.300"] in lines
        assert ["MSE", "skill", "persistence", "0.750", "0.750"] in lines
        assert ["served", "5", "-", "-"] in lines
        assert ["pixels", "1,000", "1,000"] in lines

    def test_json_is_what_python_gives(self, here: Location) -> None:
        result = ask(here, "--window", "1h", "--json")
        told = json.loads(result.stdout)
        ours = {"region": "here"} | tables(skill(here, HOUR), datetime.now(UTC))
        assert told.pop("age_minutes") == pytest.approx(ours.pop("age_minutes"), abs=1)
        assert told == ours
        assert "NaN" not in result.stdout

    def test_draws_a_picture(self, here: Location, tmp_path: Path) -> None:
        assert ask(here, "--plot", str(tmp_path / "skill.png"), "--json").exit_code == 0
        assert (tmp_path / "skill.png").read_bytes()[:4] == b"\x89PNG"

    def test_until_now_has_no_scan_at_a_dead_feed(self, here: Location, tmp_path: Path) -> None:
        result = ask(here, "--until", "now")
        assert result.exit_code == 0
        assert "0 of 288 scans" in result.stdout
        drawn = ask(here, "--until", "now", "--plot", str(tmp_path / "skill.png"))
        assert (drawn.exit_code, "nothing to draw" in drawn.stderr) == (2, True)

    def test_ends_with_1_before_anything_was_scored(self, tmp_path: Path) -> None:
        result = ask(Location(str(tmp_path / "nobody")))
        assert result.exit_code == 1
        assert "no nowcast has been scored yet" in result.stderr

    @pytest.mark.parametrize(("words", "message"), [(("--window", "1y"), "'1y'"), (("--until", "noon"), "noon")])
    def test_refuses_what_it_cannot_read(self, here: Location, words: tuple[str, str], message: str) -> None:
        result = ask(here, *words)
        assert (result.exit_code, message in result.stderr) == (2, True)


def test_slots_of_the_window_are_those_of_the_archives_cadence(here: Location) -> None:
    assert skill(here, 24 * HOUR).scans.slots == 24 * HOUR // TIMELINE.cadence
