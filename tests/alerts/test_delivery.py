"""Messages to a real receiver that fails on demand: at least once each, always under one id, in bounded time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from polygons import INIT, outlook
from receiver import Answer, Receiver, receiving
from structlog.testing import capture_logs

from nowcast.alerts import delivery
from nowcast.alerts.book import Book, read_book
from nowcast.alerts.delivery import LONGEST_WAIT, deliver, retry_all
from nowcast.alerts.judging import update_alerts
from nowcast.alerts.rules import AlertRule
from nowcast.store.repository import Location

HALF_A_MINUTE = timedelta(seconds=30)


@pytest.fixture
def where(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "alerts"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def rule(receiver: Receiver, **changes: object) -> AlertRule:
    return AlertRule(**({"name": "flood", "threshold": 5, "probability": 0.6, "webhook": receiver.url} | changes))


def raise_alert(where: Location, *rules: AlertRule, minutes: int = 0, catchment_id: str = "river") -> Book:
    """An onset of each rule."""
    now = INIT + timedelta(minutes=minutes)
    return update_alerts(where, rules, [outlook([[60.0]], minutes, catchment_id=catchment_id)], now)


def send(where: Location, *rules: AlertRule, now: datetime = INIT, seconds: float = 5) -> Book:
    return deliver(where, rules, {"HOOK_TOKEN": "pass"}.get, now, seconds)


class TestDelivery:
    def test_a_message_is_sent_once_when_all_goes_well(self, where: Location, receiver: Receiver) -> None:
        (message,) = raise_alert(where, rule(receiver)).outbox
        for k in range(3):
            book = send(where, rule(receiver), now=INIT + k * HALF_A_MINUTE)
        assert receiver.ids == [message.message_id]
        assert receiver.bodies[0] == message.body
        assert (book.outbox, [m.message_id for m in book.delivered]) == ((), receiver.ids)

    def test_a_receiver_that_fails_twice_gets_it_the_third_time(self, where: Location, receiver: Receiver) -> None:
        """Waits of 30 and 60 s: nothing is sent before they are over."""
        receiver.answers = [500, "drop"]
        raise_alert(where, rule(receiver))
        came = []
        for seconds in (0, 29, 30, 89, 90, 120):
            send(where, rule(receiver), now=INIT + timedelta(seconds=seconds))
            came.append(len(receiver.bodies))
        assert came == [1, 1, 2, 2, 3, 3]
        assert len(set(receiver.ids)) == 1
        assert read_book(where).outbox == ()

    @pytest.mark.parametrize("answer", [200, 202, 204])
    def test_any_2xx_is_taken(self, where: Location, receiver: Receiver, answer: int) -> None:
        receiver.usual = answer
        raise_alert(where, rule(receiver))
        assert len(send(where, rule(receiver)).delivered) == 1

    @pytest.mark.parametrize("answer", [400, 404, 410, "redirect"])
    def test_a_refusal_is_kept_with_its_reason(self, where: Location, receiver: Receiver, answer: Answer) -> None:
        receiver.usual = answer
        raise_alert(where, rule(receiver))
        with capture_logs() as logs:
            book = send(where, rule(receiver))
        assert len(receiver.bodies) == 1
        assert book.outbox == ()
        assert book.dead[0].problem.startswith("HTTP 307: redirects" if answer == "redirect" else f"HTTP {answer}")
        assert logs[-1]["event"] == "alert refused"

    @pytest.mark.parametrize("answer", [408, 429, 500, 503, "drop"])
    def test_others_are_tried_again(self, where: Location, receiver: Receiver, answer: Answer) -> None:
        receiver.usual = answer
        raise_alert(where, rule(receiver))
        book = send(where, rule(receiver))
        assert (len(book.outbox), book.dead) == (1, ())
        assert book.outbox[0].attempts == 1
        assert book.outbox[0].problem

    def test_nobody_listens(self, where: Location) -> None:
        nowhere = AlertRule(name="flood", threshold=5, probability=0.6, webhook="http://127.0.0.1:9/")
        raise_alert(where, nowhere)
        assert "ConnectError" in send(where, nowhere).outbox[0].problem

    def test_waits_grow_and_end(self, where: Location, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery, "GIVE_UP_AFTER", timedelta(hours=1))
        receiver.usual = 503
        raise_alert(where, rule(receiver))
        now, waits = INIT, []
        while not (book := send(where, rule(receiver), now=now)).dead:
            due = datetime.fromisoformat(book.outbox[0].next_attempt)
            waits.append((due - now).total_seconds())
            now = due
        assert waits[:6] == [30, 60, 120, 240, 480, 900]
        assert set(waits[6:]) == {LONGEST_WAIT.total_seconds()}
        assert timedelta(hours=1) <= now - INIT <= timedelta(hours=1) + LONGEST_WAIT
        assert len(set(receiver.ids)) == 1

    def test_messages_of_a_rule_come_in_order(self, where: Location, receiver: Receiver) -> None:
        """The end of an alert is not told before its beginning is."""
        told = rule(receiver, send_cleared=True)
        raise_alert(where, told)
        update_alerts(where, [told], [outlook([[0.0]], 5)], INIT + timedelta(minutes=5))
        receiver.answers = [500]
        for k in range(4):
            send(where, told, now=INIT + timedelta(minutes=5 + k))
        assert [body["kind"] for body in receiver.bodies] == ["onset", "onset", "cleared"]

    def test_the_token_comes_from_the_variable_that_the_rule_names(self, where: Location, receiver: Receiver) -> None:
        told = rule(receiver, token_variable="HOOK_TOKEN")
        raise_alert(where, told)
        send(where, told)
        assert receiver.headers[0]["authorization"] == "Bearer pass"
        assert receiver.headers[0]["content-type"] == "application/json"

    def test_without_the_token_nothing_is_sent(self, where: Location, receiver: Receiver) -> None:
        told = rule(receiver, token_variable="OTHER_TOKEN")
        raise_alert(where, told)
        assert send(where, told).outbox[0].problem == "OTHER_TOKEN is not set"
        assert receiver.bodies == []

    def test_a_rule_that_is_gone_sends_nothing(self, where: Location, receiver: Receiver) -> None:
        raise_alert(where, rule(receiver))
        assert send(where).dead[0].problem == "the rule is no longer there"

    def test_what_was_given_up_can_be_sent_again_under_its_id(self, where: Location, receiver: Receiver) -> None:
        receiver.answers = [404]
        raise_alert(where, rule(receiver))
        send(where, rule(receiver))
        retry_all(where, INIT)
        book = send(where, rule(receiver))
        assert (book.dead, len(book.delivered), len(set(receiver.ids))) == ((), 1, 1)


class TestLog:
    def test_every_alert_is_logged_once(self, where: Location, receiver: Receiver) -> None:
        receiver.answers = [500]
        raise_alert(where, rule(receiver))
        with capture_logs() as logs:
            for k in range(3):
                send(where, rule(receiver), now=INIT + k * HALF_A_MINUTE)
        (alert,) = (one for one in logs if one["event"] == "alert")
        assert (alert["log_level"], alert["rule"], alert["probability"]) == ("warning", "flood", 1)

    def test_a_rule_without_webhook_is_for_the_log(self, where: Location) -> None:
        told = AlertRule(name="flood", threshold=5, probability=0.6)
        raise_alert(where, told)
        with capture_logs() as logs:
            book = send(where, told)
        assert ([one["event"] for one in logs], len(book.delivered)) == (["alert"], 1)

    @pytest.mark.parametrize("answer", [500, 404, "drop"])
    def test_secrets_are_in_neither_log_nor_state(self, where: Location, receiver: Receiver, answer: Answer) -> None:
        receiver.usual = answer
        told = rule(receiver, token_variable="HOOK_TOKEN")
        raise_alert(where, told)
        with capture_logs() as logs:
            send(where, told)
        everything = json.dumps(logs) + (Path(where.url) / "alerts.json").read_text()
        assert "key=secret" not in everything
        assert "pass" not in everything


class TestTime:
    """A slow receiver costs no more than the seconds given, and delays no other."""

    @pytest.mark.parametrize("answer", ["hang", "trickle"])
    def test_is_bounded(self, where: Location, receiver: Receiver, answer: Answer) -> None:
        receiver.usual = answer
        rules = [rule(receiver), rule(receiver, name="second"), rule(receiver, name="third")]
        with receiving() as quick:
            rules.append(rule(quick, name="quick"))
            raise_alert(where, *rules)
            begin = time.monotonic()
            book = send(where, *rules, seconds=0.5)
            assert time.monotonic() - begin < 2
            assert [message.rule for message in book.delivered] == ["quick"]
        assert len(book.outbox) == 3
        assert all("0.5 s" in m.problem or "Timeout" in m.problem for m in book.outbox)


class TestKilled:
    def test_after_the_onset_was_written_and_before_it_was_sent(self, where: Location, receiver: Receiver) -> None:
        """The process that wrote it sends nothing; the next one does, once."""
        written = raise_alert(where, rule(receiver)).outbox[0].message_id
        raise_alert(where, rule(receiver))
        raise_alert(where, rule(receiver), minutes=5)
        send(where, rule(receiver))
        assert receiver.ids == [written]

    def test_after_it_was_sent_and_before_it_was_marked(self, where: Location, receiver: Receiver) -> None:
        """The state of before is what the next process finds: it comes again, under the same id."""
        raise_alert(where, rule(receiver))
        state = Path(where.url) / "alerts.json"
        before = state.read_bytes()
        send(where, rule(receiver))
        state.write_bytes(before)
        send(where, rule(receiver))
        raise_alert(where, rule(receiver), minutes=5)
        send(where, rule(receiver), now=INIT + timedelta(minutes=5))
        assert len(receiver.ids) == 2
        assert len(set(receiver.ids)) == 1

    def test_while_the_receiver_answers(self, where: Location, receiver: Receiver) -> None:
        """A real process, killed with SIGKILL while it waits; the next one delivers the same message."""
        receiver.answers = ["hang"]
        code = (
            "import sys\n"
            "from test_delivery import INIT, AlertRule, Location, raise_alert, send\n"
            "where = Location(sys.argv[1])\n"
            "rule = AlertRule(name='flood', threshold=5, probability=0.6, webhook=sys.argv[2])\n"
            "raise_alert(where, rule)\n"
            "send(where, rule, seconds=60)\n"
        )
        here = Path(__file__).parent
        paths = os.pathsep.join([str(here), str(here.parent), str(here.parent.parent)])
        environment = os.environ | {"PYTHONPATH": paths}
        killed = subprocess.Popen([sys.executable, "-c", code, where.url, receiver.url], env=environment)
        assert receiver.came.acquire(timeout=60)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait(10) == -signal.SIGKILL
        raise_alert(where, rule(receiver))
        book = send(where, rule(receiver))
        assert len(receiver.ids) == 2
        assert len(set(receiver.ids)) == 1
        assert (book.outbox, len(book.delivered)) == ((), 1)
        assert book.standings["flood/river"].onset_id == receiver.ids[0]
