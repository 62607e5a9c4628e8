"""Of ten members, those at 60 mm/h, which is 5 mm in 5 min, reach the rule's 5 mm in the first lead."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from polygons import INIT, outlook
from structlog.testing import capture_logs

from nowcast.alerts.book import STATE, Book, read_book
from nowcast.alerts.judging import STALE_AFTER, judge, update_alerts
from nowcast.alerts.rules import AlertRule
from nowcast.catchments.outlooks import CatchmentOutlook
from nowcast.store import objects
from nowcast.store.repository import Location

RULE = AlertRule(name="flood", threshold=5, probability=0.6, clear_probability=0.4)
NAN = float("nan")


def chances(tenths: int, minutes: int, unknown: int = 0, catchment_id: str = "river") -> CatchmentOutlook:
    """Ten members of which so many cross in the first lead, and so many have no forecast."""
    rates = [[60.0, 0]] * tenths + [[NAN, NAN]] * unknown + [[0, 0]] * (10 - tenths - unknown)
    return outlook(rates, minutes, catchment_id=catchment_id)


def told(where: Location, rule: AlertRule, found: CatchmentOutlook, late: timedelta = timedelta(0)) -> Book:
    return update_alerts(where, [rule], [found], found.origin.init_time + timedelta(seconds=90) + late)


def after(where: Location, tenths: Sequence[int], rule: AlertRule = RULE) -> list[tuple[str, str]]:
    """Kind and minute of the messages after nowcasts every 5 min with these chances."""
    for k, one in enumerate(tenths):
        told(where, rule, chances(one, 5 * k))
    return [(m.body["kind"], m.body["init_time"][14:16]) for m in read_book(where).outbox]


@pytest.fixture
def where(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "alerts"))


class TestOnsets:
    def test_a_flapping_chance_has_one(self, where: Location) -> None:
        """Begins at 0.6; 0.5 and 0.4 are not below 0.4."""
        assert after(where, [3, 6, 5, 7, 4, 6, 5]) == [("onset", "05")]
        assert read_book(where).standings["flood/river"].raised

    def test_after_it_ended_there_may_be_another(self, where: Location) -> None:
        assert after(where, [6, 3, 6]) == [("onset", "00"), ("onset", "10")]
        assert len({message.message_id for message in read_book(where).outbox}) == 2

    def test_the_end_is_told_when_asked_for(self, where: Location) -> None:
        rule = RULE.model_copy(update={"send_cleared": True})
        assert after(where, [6, 5, 3, 2], rule) == [("onset", "00"), ("cleared", "10")]

    def test_none_within_the_quiet_time(self, where: Location) -> None:
        """Ended at 5 and over 0.6 again at 10, but 15 minutes are not over before 15."""
        rule = RULE.model_copy(update={"quiet_min": 15})
        assert after(where, [6, 3, 6, 6], rule) == [("onset", "00"), ("onset", "15")]

    def test_each_catchment_has_its_own(self, where: Location) -> None:
        both = [chances(6, 0), chances(7, 0, catchment_id="lake")]
        book = update_alerts(where, [RULE], both, INIT)
        assert [message.catchment for message in book.outbox] == ["river", "lake"]

    def test_a_rule_may_be_for_one_catchment(self, where: Location) -> None:
        rule = RULE.model_copy(update={"catchment": "lake"})
        both = [chances(6, 0), chances(7, 0, catchment_id="lake")]
        assert [m.catchment for m in update_alerts(where, [rule], both, INIT).outbox] == ["lake"]


class TestRepeating:
    def test_the_same_nowcast_again_changes_nothing(self, where: Location) -> None:
        first = told(where, RULE, chances(6, 0))
        assert told(where, RULE, chances(6, 0)) == first

    def test_an_older_nowcast_changes_nothing(self, where: Location) -> None:
        first = told(where, RULE, chances(6, 10))
        assert told(where, RULE, chances(0, 5)) == first

    def test_an_onset_that_was_never_written_down_gets_the_same_id(self, where: Location) -> None:
        """What a process killed before its write would have written."""
        lost = told(Location(f"{where.url}-lost"), RULE, chances(6, 0)).outbox[0]
        assert told(where, RULE, chances(6, 0)).outbox[0].message_id == lost.message_id


class TestWhatIsLeftOpen:
    def test_a_chance_that_missing_values_cannot_change_counts(self, where: Location) -> None:
        """Six of ten cross whatever the others do; with one unknown of eight more, 0.3 at most."""
        told(where, RULE, chances(6, 0, unknown=4))
        assert read_book(where).standings["flood/river"].raised
        told(where, RULE, chances(2, 5, unknown=1))
        assert not read_book(where).standings["flood/river"].raised

    @pytest.mark.parametrize("raised", [False, True])
    def test_else_nothing_changes_and_the_log_says_so(self, where: Location, raised: bool) -> None:
        """Between 0.3 and 0.8."""
        told(where, RULE, chances(6 if raised else 0, 0))
        with capture_logs() as logs:
            book = told(where, RULE, chances(3, 5, unknown=5))
        assert book.standings["flood/river"].raised is raised
        assert book.standings["flood/river"].probability is None
        assert "missing coverage" in logs[0]["event"]
        assert (logs[0]["least"], logs[0]["most"]) == (0.3, 0.8)

    def test_a_stale_nowcast_leads_to_no_alert(self, where: Location) -> None:
        with capture_logs() as logs:
            assert told(where, RULE, chances(9, 0), STALE_AFTER) == Book()
        assert "stale" in logs[0]["event"]
        assert objects.read(where, STATE) is None

    def test_a_rule_whose_window_does_not_fit_stops_no_other(self, where: Location) -> None:
        odd = AlertRule(name="odd", threshold=5, probability=0.6, window_min=7)
        with capture_logs() as logs:
            book = update_alerts(where, [odd, RULE], [chances(6, 0)], INIT)
        assert [message.rule for message in book.outbox] == ["flood"]
        assert "begins between two leads" in logs[0]["reason"]


class TestMessage:
    def test_says_all(self, where: Location) -> None:
        """Two of three members reach 5 mm within 10 min: one in the first lead, one in the second."""
        rule = AlertRule(name="flood", threshold=5, probability=0.6, window_min=10)
        found = outlook([[60, 0, 0], [30, 30, 0], [0, 0, 0]])
        body = dict(told(where, rule, found).outbox[0].body)
        assert len(body.pop("id")) == 32
        assert body == {
            "kind": "onset",
            "rule": "flood",
            "region": "here",
            "catchment": "river",
            "catchment_name": "The River",
            "quantity": "accumulation",
            "window_min": 10,
            "threshold": 5,
            "units": "mm",
            "probability": 0.6667,
            "rule_probability": 0.6,
            "init_time": "2026-06-01T12:00:00Z",
            "lead_min": 5,
            "valid_time": "2026-06-01T12:05:00Z",
            "horizon_min": 15,
            "members": 3,
            "model": "fake-1",
            "rung": "champion",
            "input_age_s": 90,
            "text": "The River: area mean of 5 mm in 10 min from 2026-06-01T12:05:00Z (67%, 3 members)",
        }

    def test_of_a_rate(self) -> None:
        rule = AlertRule(name="flood", threshold=30, probability=0.5, quantity="rate")
        assert judge(rule, outlook([[60, 0, 0], [30, 30, 0], [0, 0, 29]])).least == pytest.approx(2 / 3)

    def test_of_one_member_says_so(self, where: Location) -> None:
        assert "one member" in told(where, RULE, outlook([[60, 0]])).outbox[0].body["text"]


def test_rules_that_are_gone_are_forgotten(where: Location) -> None:
    told(where, RULE, chances(6, 0))
    other = RULE.model_copy(update={"name": "other"})
    assert set(told(where, other, chances(6, 5)).standings) == {"other/river"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"outbox": [{"a": 1}]}', b'{"standings": 5}', b'{"more": []}'])
def test_a_damaged_state_is_said_with_its_place(where: Location, content: bytes) -> None:
    objects.write(where, STATE, content)
    with pytest.raises(ValueError, match=r"alerts/alerts\.json"):
        read_book(where)


def test_two_writers_lose_no_message(where: Location) -> None:
    """Eight threads, a catchment each."""
    found = [chances(6, 0, catchment_id=f"c{k}") for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: told(where, RULE, one), found))
    assert sorted(m.catchment for m in read_book(where).outbox) == [f"c{k}" for k in range(8)]
