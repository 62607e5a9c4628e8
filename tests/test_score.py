"""What live verification scores, when, and what it leaves alone, on rain that is the same everywhere.

Nowcasts come from tests/fakes.py: lead k rains k mm/h, with a chance of 0.25 to reach 1 mm/h and of 0 to reach 5; scans
rain 1 mm/h. 23 of 24 pixels are observed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fakes import FIVE, GRID, NOW, START, TIMELINE, archive_in, file_id, forecasts_in, nowcast, scan
from structlog.testing import capture_logs

from nowcast.assess import Contest, assess, contest
from nowcast.core.scan import Scan
from nowcast.core.types import USUAL, BoolField, FloatField, Sampling
from nowcast.issue import Excerpt, Start, make
from nowcast.models.baselines import Advection
from nowcast.models.rollout import Rolling
from nowcast.score import score_due
from nowcast.sources.synthetic import Storm
from nowcast.store import days, repository
from nowcast.store.archive import append, create_archive, read_frames
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.repository import Location, array
from nowcast.store.template import RADAR_OK

DAY = START.date()
SECOND_DAY = 288
"""Slots of five minutes."""


@dataclass
class Drizzle:
    """A method that forecasts 2.004 mm/h everywhere, and counts how often it is asked."""

    asked: int = 0
    model_id: str = "drizzle"
    context: int = 1

    def observe(self, state: int | None, rain_rate: FloatField, coverage: BoolField, sampling: Sampling = USUAL) -> int:
        return 0

    def forecast(self, state: int) -> Iterator[FloatField]:
        self.asked += 1
        while True:
            yield np.full(GRID.shape, 2.004, np.float32)


@dataclass
class Home:
    """A region in a folder."""

    folder: Path
    advection: Drizzle = field(default_factory=Drizzle)

    def __post_init__(self) -> None:
        self.location = Location(str(self.folder))
        self.archive, self.forecasts = archive_in(self.folder), forecasts_in(self.folder)

    def take(self, *slots: int, rain_rate: float = 1.0) -> None:
        """Archive scans."""
        for slot in slots:
            self.put(scan(slot, rain_rate))

    def put(self, one: Scan) -> None:
        """Archive this scan."""
        append(self.archive, [one], file_id(TIMELINE.slot(one.nominal_time) % 200), NOW)

    def issue(self, *slots: int, model: str = "fake-1") -> None:
        """Publish a nowcast from each slot."""
        for slot in slots:
            publish(self.forecasts, nowcast(slot, model=model), NOW)

    def contest(self) -> Contest:
        return contest(self.location, self.archive, self.forecasts, self.advection)

    def score(self, *late: int, days_back: int = 1) -> list[int]:
        """Score what is due; the slots that were."""
        times = score_due(self.location, self.contest(), [START + slot * FIVE for slot in late], days_back)
        return [TIMELINE.slot(time) for time in times]

    def rows(self, day: int = 0) -> pa.Table:
        """The rows of the first day, or of one after it."""
        found = days.read(self.location, DAY + timedelta(days=day))
        assert found is not None
        return found

    def file(self) -> Path:
        return Path(self.location.url) / days.path(DAY)

    def pairs(self, day: int = 0) -> list[tuple[int, int]]:
        """(slot, slot of the nowcast) that have rows, ascending."""
        found = self.rows(day)
        moments = (found[name].to_pylist() for name in ("valid_time", "init_time"))
        return sorted({tuple(TIMELINE.slot(moment) for moment in pair) for pair in zip(*moments, strict=True)})

    def row(self, slot: int, start: int, method: str) -> dict:
        """One row."""
        wanted = (START + slot * FIVE, START + start * FIVE, method)
        listed = self.rows().to_pylist()
        (found,) = (r for r in listed if (r["valid_time"], r["init_time"], r["method"]) == wanted)
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def live(home: Home) -> Home:
    """Scans 0 .. 5, each with a nowcast, scored one by one."""
    for slot in range(6):
        home.take(slot)
        home.issue(slot)
        home.score()
    return home


def test_a_scan_is_held_against_every_nowcast_valid_at_its_time(home: Home) -> None:
    """Three leads: scan 3 is lead 3 of nowcast 0, lead 2 of nowcast 1, lead 1 of nowcast 2."""
    home.take(0, 1, 2)
    home.issue(0, 1, 2)
    assert home.score() == [1, 2]
    home.take(3)
    assert home.score() == [3]
    assert [pair for pair in home.pairs() if pair[0] == 3] == [(3, 0), (3, 1), (3, 2)]
    assert len(home.rows()) == 3 * (1 + 2 + 3)


def test_sums_by_hand(live: Home) -> None:
    """At lead 2, 2 mm/h were forecast and 1 mm/h came at 23 pixels; at 5 mm/h there was no event and none forecast."""
    row = live.row(5, 3, "served")
    assert (row["lead_minutes"], row["model"], row["rung"], row["thresholds"]) == (10, "fake-1", "champion", [1.0, 5.0])
    assert (row["hits"], row["misses"], row["false_alarms"]) == ([23.0, 0.0], [0.0, 0.0], [0.0, 0.0])
    assert (row["cases"], row["pixels"], row["error"], row["squared_error"]) == (1.0, 23.0, 23.0, 23.0)
    assert row["chances.squared_error"] == pytest.approx([23 * 0.75**2, 0.0])
    persistence = live.row(5, 3, "persistence")
    assert (persistence["error"], persistence["chances.squared_error"]) == (0.0, [0.0, 0.0])
    assert live.row(5, 3, "advection")["error"] == pytest.approx(23.0)


def test_scoring_again_changes_no_byte(live: Home) -> None:
    before = live.file().read_bytes()
    assert live.score() == []
    assert live.file().read_bytes() == before


def test_all_at_once_is_as_one_by_one(live: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.take(*range(6))
    other.issue(*range(6))
    assert other.score() == [1, 2, 3, 4, 5]
    assert other.rows().equals(live.rows())


def test_a_late_scan_is_scored_when_it_comes(home: Home) -> None:
    home.take(0, 1, 3)
    home.issue(0, 1, 3)
    assert home.score() == [1, 3]
    home.take(2)
    assert home.score() == [2]
    assert home.pairs() == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1)]


def test_a_scan_later_than_the_days_looked_at_is_scored_where_it_is_named(home: Home) -> None:
    """Scan 2 comes two days on."""
    home.take(0, 1)
    home.issue(0, 1)
    assert home.score() == [1]
    home.take(2, 2 * SECOND_DAY)
    assert home.score() == []
    assert home.score(2) == [2]
    home.take(3)
    assert home.score(days_back=30) == [3]


def test_what_has_come_true_long_ago_is_not_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five days, those of the newest scan and before it."""
    read: list[str] = []
    for day in range(5):
        home.take(day * SECOND_DAY, day * SECOND_DAY + 1)
        home.issue(day * SECOND_DAY)
    home.score(days_back=9)
    known = days.scored
    monkeypatch.setattr(days, "scored", lambda where, day: read.append(day.isoformat()) or known(where, day))
    assert home.score() == []
    assert read == ["2026-06-04", "2026-06-05"]


def test_a_nowcast_over_midnight_has_rows_in_both_days(home: Home) -> None:
    home.take(*range(286, 290))
    home.issue(286)
    assert home.score() == [287, 288, 289]
    assert home.pairs() == [(287, 286)]
    assert home.pairs(day=1) == [(288, 286), (289, 286)]


def test_a_slot_without_scan_is_no_case(home: Home) -> None:
    home.take(0, 1, 3)
    home.issue(0)
    home.score()
    assert home.pairs() == [(1, 0), (3, 0)]


def test_a_scan_that_covers_nothing_or_is_no_observation_is_no_case(home: Home) -> None:
    """Slot 2 covers nothing; slot 3 has another status than observed, as that of a stuck picture."""
    blind = scan(2).masked(scan(2).coverage)
    home.put(blind)
    home.take(0, 1, 3)
    with repository.transaction(home.archive.location, home.archive.repository, "stuck") as group:
        array(group, "status")[3] = 3
    home.issue(0)
    assert home.score() == [1]
    assert home.pairs() == [(1, 0)]


def test_a_dry_scan_is_a_case_without_a_critical_success_index(home: Home) -> None:
    home.take(0, 1, rain_rate=0.0)
    publish(home.forecasts, nowcast(0, rain_rate=0.0), NOW)
    home.score()
    row = home.row(1, 0, "served")
    assert (row["cases"], row["pixels"], row["error"]) == (1.0, 23.0, 0.0)
    assert row["hits"] == row["misses"] == row["false_alarms"] == [0.0, 0.0]
    wet = home.row(1, 0, "advection")
    assert (wet["false_alarms"], wet["pixels"]) == ([23.0, 0.0], 23.0)


def test_only_pixels_that_both_scans_observed_and_every_method_forecast_count(home: Home) -> None:
    """Row 3 is not observed at the start, column 5 not at the end: of 24 pixels 4 x 6 - 6 - 4 + 1 - 1 are left."""
    hole, gap = np.zeros(GRID.shape, bool), np.zeros(GRID.shape, bool)
    hole[3], gap[:, 5] = True, True
    home.put(scan(0).masked(hole))
    home.put(scan(1).masked(gap))
    home.issue(0)
    home.score()
    assert {row["pixels"] for row in home.rows().to_pylist()} == {14.0}


def test_a_nowcast_by_another_model_leaves_scored_rows_and_is_scored_from_then_on(home: Home) -> None:
    home.take(0, 1)
    home.issue(0)
    home.score()
    home.issue(0, model="other-1")
    home.take(2)
    assert home.score() == [2]
    assert (home.row(1, 0, "served")["model"], home.row(2, 0, "served")["model"]) == ("fake-1", "other-1")


def test_the_rung_comes_along_from_a_store_that_keeps_it(home: Home) -> None:
    home.take(0, 1)
    home.issue(0)
    with repository.transaction(home.forecasts.location, home.forecasts.repository, "rung") as group:
        if "rung" not in group:
            group.create_array("rung", shape=(1,), dtype="str", fill_value="", dimension_names=("init_time",))
        array(group, "rung")[0] = "persistence"
    home.score()
    assert set(home.rows()["rung"].to_pylist()) == {"persistence"}


class TestAdvection:
    def test_is_taken_from_its_store_when_it_was_published(self, home: Home) -> None:
        """Published were k mm/h at lead k; the method itself would say 2 mm/h."""
        kept = create_forecasts(home.location.child("advection"), GRID, TIMELINE, 3)
        publish(kept, replace(nowcast(0, model="advection"), probability={}), NOW)
        home.take(0, 1, 2, 3)
        home.issue(0)
        home.score()
        assert [home.row(slot, 0, "advection")["error"] for slot in (1, 2, 3)] == [0.0, 23.0, 46.0]
        assert home.advection.asked == 0

    def test_is_made_anew_for_a_nowcast_that_has_none_in_the_store(self, home: Home) -> None:
        """Nowcast 0 has one, nowcast 1 has none; what is made is kept in hundredths: 2.004 is 2.00 mm/h."""
        kept = create_forecasts(home.location.child("advection"), GRID, TIMELINE, 3)
        publish(kept, replace(nowcast(0, model="advection"), probability={}), NOW)
        home.take(0, 1, 2)
        home.issue(0, 1)
        home.score()
        assert home.advection.asked == 1
        assert home.row(2, 1, "advection")["error"] == pytest.approx(23.0, abs=1e-4)

    def test_published_or_made_anew_has_the_same_sums(self, tmp_path: Path) -> None:
        storm = Storm(START, size=48, cells=3)
        scans = list(storm.scans(5))
        location = Location(str(tmp_path))
        timeline = replace(TIMELINE, cadence=storm.cadence)
        archive = create_archive(location.child("archive"), storm.grid, timeline, "rain_rate", scans[0].zr)
        append(archive, scans, file_id(0), NOW)
        stores = {
            name: create_forecasts(location.child(name), storm.grid, timeline, 3, thresholds)
            for name, thresholds in (("forecasts", (0.1, 1.0)), ("advection", ()))
        }
        flags = np.full(storm.grid.shape, RADAR_OK, np.uint8)
        start = Start(1, read_frames(archive, 1, 1).rain_rate[0], flags, 1.0, "", Excerpt())
        anew = Contest(archive, stores["forecasts"], Rolling(Advection()))
        for store in stores.values():
            publish(store, make(Rolling(Advection()), archive, store, start, NOW), NOW)
        kept = contest(location, archive, stores["forecasts"], Drizzle())
        one, other = assess(anew)["advection"], assess(kept)["advection"]
        assert one.hits.sum() > 0
        for name, values in vars(one).items():
            if isinstance(values, np.ndarray):
                np.testing.assert_array_equal(values, getattr(other, name))


class TestDamage:
    def test_a_file_that_cannot_be_read_is_made_anew_from_the_stores(self, live: Home) -> None:
        before = live.rows()
        live.file().write_bytes(live.file().read_bytes()[:999])
        with capture_logs() as logs:
            assert live.score() == [1, 2, 3, 4, 5]
        assert live.rows().equals(before)
        assert {line["event"] for line in logs if line["log_level"] == "error"} == {
            "skill file damaged",
            "skill file begun anew",
        }
        assert len(list((live.file().parent / "_damaged").iterdir())) == 1

    def test_a_day_that_is_looked_at_no_more_waits_for_a_longer_look(self, live: Home) -> None:
        before = live.rows()
        live.file().write_bytes(b"")
        live.take(3 * SECOND_DAY)
        assert live.score() == []
        assert live.score(days_back=30) == [1, 2, 3, 4, 5]
        assert live.rows().equals(before)


def test_nothing_is_due_before_the_first_nowcast(home: Home) -> None:
    assert home.score() == []
    home.take(0, 1)
    assert home.score() == []
    assert days.days(home.location) == []


def test_sums_of_all_rows_are_those_of_the_offline_evaluation(live: Home) -> None:
    offline = assess(live.contest())
    listed = live.rows().to_pylist()
    for method, sums in offline.items():
        for name in ("pixels", "error", "squared_error", "product"):
            by_lead = [
                sum(row[name] for row in listed if row["method"] == method and row["lead_minutes"] == 5 * (k + 1))
                for k in range(3)
            ]
            np.testing.assert_allclose(getattr(sums, name), by_lead, rtol=1e-12)


def test_times_may_be_of_no_slot(home: Home) -> None:
    home.take(0, 1)
    home.issue(0)
    assert score_due(home.location, home.contest(), [datetime(2001, 1, 1, tzinfo=START.tzinfo)]) == [START + FIVE]
