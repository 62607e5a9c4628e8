"""Sends the messages that wait, to the log and the rule's webhook: at least once, in bounded time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from nowcast.alerts.book import KEPT_ENDS, Book, Message, change_book, read_book
from nowcast.alerts.rules import AlertRule
from nowcast.alerts.webhook import Attempt, Parcel, Verdict, post_all
from nowcast.core.crashpoints import reached
from nowcast.core.timeline import isoformat, parse_time
from nowcast.store.repository import Location

log = structlog.get_logger()

SECONDS_PER_ROUND = 5.0
MESSAGES_PER_ROUND = 16
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
"""Between attempts; the wait doubles with each."""

GIVE_UP_AFTER = timedelta(hours=24)

Token = Callable[[str], str | None]
"""The value of an environment variable."""


def deliver(
    location: Location, rules: Sequence[AlertRule], token: Token, now: datetime, seconds: float = SECONDS_PER_ROUND
) -> Book:
    """Send what is due, each rule and catchment's messages in order; how all stand afterwards.

    Takes `seconds` and a few writes at most, whatever receivers do. What was sent is marked afterwards, so a process
    that is killed in between sends it again, under the same id.
    """
    due = due_messages(read_book(location), now)
    if not due:
        return read_book(location)
    for message in due:
        if not message.logged:
            log.warning("alert", **message.body)
    reached("alerts.delivery.begun")
    found = _attempts(due, {rule.name: rule for rule in rules}, token, seconds)
    reached("alerts.delivery.sent")
    _report(due, found)
    return change_book(location, lambda book: _marked(book, found, now))


def due_messages(book: Book, now: datetime) -> list[Message]:
    """The oldest message of each rule and catchment, when its time has come; those that waited longest first."""
    oldest: dict[tuple[str, str], Message] = {}
    for message in book.outbox:
        oldest.setdefault((message.rule, message.catchment), message)
    ready = [message for message in oldest.values() if parse_time(message.next_attempt) <= now]
    return sorted(ready, key=lambda message: message.next_attempt)[:MESSAGES_PER_ROUND]


def retry_all(location: Location, now: datetime) -> Book:
    """Make all that waits due now, and what was given up once more."""

    def edited(book: Book) -> Book:
        again = [replace(one, written=isoformat(now), attempts=0) for one in book.dead]
        waiting = tuple(replace(one, next_attempt=isoformat(now)) for one in (*again, *book.outbox))
        return replace(book, outbox=waiting, dead=())

    return change_book(location, edited)


def _attempts(
    due: Sequence[Message], rules: Mapping[str, AlertRule], token: Token, seconds: float
) -> dict[str, Attempt]:
    """By message id what became of it."""
    found: dict[str, Attempt] = {}
    parcels = []
    for message in due:
        rule = rules.get(message.rule)
        if rule is None:
            found[message.message_id] = Attempt(Verdict.REFUSED, "the rule is no longer there")
        elif rule.webhook is None:
            found[message.message_id] = Attempt(Verdict.DELIVERED)
        elif rule.token_variable and not token(rule.token_variable):
            found[message.message_id] = Attempt(Verdict.FAILED, f"{rule.token_variable} is not set")
        else:
            secret = token(rule.token_variable) if rule.token_variable else None
            url = rule.webhook.get_secret_value()
            parcels.append(Parcel(message.message_id, url, message.body, secret or ""))
    return found | post_all(parcels, seconds)


def _report(due: Sequence[Message], found: Mapping[str, Attempt]) -> None:
    for message in due:
        attempt = found[message.message_id]
        if attempt.verdict is not Verdict.DELIVERED:
            known = {"id": message.message_id, "rule": message.rule, "attempts": message.attempts + 1}
            log.error(f"alert {attempt.verdict}", **known, reason=attempt.reason)


def _marked(book: Book, found: Mapping[str, Attempt], now: datetime) -> Book:
    """The book after attempts; messages that another process has dealt with meanwhile stay as they are."""
    outbox, dead, delivered = [], list(book.dead), list(book.delivered)
    for message in book.outbox:
        attempt = found.get(message.message_id)
        if attempt is None:
            outbox.append(message)
            continue
        tried = _tried(message, attempt, now)
        too_old = now - parse_time(message.written) >= GIVE_UP_AFTER
        if attempt.verdict is Verdict.DELIVERED:
            delivered.append(tried)
        elif attempt.verdict is Verdict.REFUSED or too_old:
            dead.append(tried)
        else:
            outbox.append(tried)
    ended, done = tuple(dead[-KEPT_ENDS:]), tuple(delivered[-KEPT_ENDS:])
    return replace(book, outbox=tuple(outbox), dead=ended, delivered=done)


def _tried(message: Message, attempt: Attempt, now: datetime) -> Message:
    wait = min(FIRST_WAIT * 2 ** min(message.attempts, 10), LONGEST_WAIT)
    return replace(
        message,
        attempts=message.attempts + 1,
        logged=True,
        problem=attempt.reason,
        next_attempt=isoformat(now + wait),
    )
