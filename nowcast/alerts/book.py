"""From outlooks to alerts: what each rule stands at, and the messages that wait to be sent. One object holds both.

A message is written down in the same step as the change that it tells of, and sent only then; its id follows from what
it tells of. So a message is sent at least once, always under one id, and an onset has one message.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from nowcast.alerts.rules import EVERY, AlertRule
from nowcast.catchments.outlooks import MINUTE, CatchmentOutlook, Crossing, accumulations, crossing
from nowcast.catchments.views import basis, number
from nowcast.core.timeline import isoformat, parse_time
from nowcast.store import objects
from nowcast.store.objects import Overtaken
from nowcast.store.repository import Location

log = structlog.get_logger()

STATE = "alerts.json"
STALE_AFTER = timedelta(minutes=30)
"""An older init_time leads to no alert."""

ATTEMPTS_TO_WRITE = 5
KEPT_ENDS = 200
"""Messages that were delivered or given up, the newest, of each kind."""

Kind = Literal["onset", "cleared"]


@dataclass(frozen=True)
class Standing:
    """Where a rule stands for a catchment: whether its alert is raised, and when it was judged and last raised."""

    raised: bool = False
    judged: str = ""
    onset: str = ""
    onset_id: str = ""
    probability: float | None = None


@dataclass(frozen=True)
class Message:
    """Something to tell once: `body` as the receiver gets it, and how its sending went so far."""

    message_id: str
    rule: str
    catchment: str
    body: Mapping[str, Any]
    written: str
    next_attempt: str
    attempts: int = 0
    logged: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Book:
    """Standings by "rule/catchment", the messages that wait, oldest first, and those that are done with."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    outbox: tuple[Message, ...] = ()
    dead: tuple[Message, ...] = ()
    delivered: tuple[Message, ...] = ()


def read_book(location: Location) -> Book:
    """The newest state; ValueError when it cannot be read."""
    return _decoded(location, objects.read(location, STATE))


def change_book(location: Location, edit: Callable[[Book], Book]) -> Book:
    """Edit the state in one step; Overtaken when other processes are faster time and again."""
    for attempt in range(1, ATTEMPTS_TO_WRITE + 1):
        try:
            return _decoded(
                location, objects.change(location, STATE, lambda held: _encoded(edit(_decoded(location, held))))
            )
        except Overtaken:
            if attempt == ATTEMPTS_TO_WRITE:
                raise
    raise AssertionError


def update_alerts(
    location: Location, rules: Sequence[AlertRule], outlooks: Sequence[CatchmentOutlook], now: datetime
) -> Book:
    """Judge the outlooks of one nowcast by every rule; write down how all stand and what is to be sent.

    A stale nowcast changes nothing, and neither does one that is not newer than the one judged last. Nothing is sent.
    """
    fresh = [one for one in outlooks if now - one.origin.init_time <= STALE_AFTER]
    if len(fresh) < len(outlooks):
        log.info("stale nowcast, no alerts", init_time=isoformat(outlooks[0].origin.init_time))
    if not (judged := [(rule, one) for rule in rules for one in fresh if rule.catchment in (EVERY, one.catchment_id)]):
        return read_book(location)
    return change_book(location, lambda book: _judged(book, rules, judged, now))


def judge(rule: AlertRule, outlook: CatchmentOutlook) -> Crossing:
    """How surely and when a catchment reaches the rule's threshold; ValueError for a window off the leads."""
    lead_times = outlook.origin.lead_times
    values = outlook.rain_rate
    if rule.quantity == "accumulation":
        window = None if rule.window_min is None else timedelta(minutes=rule.window_min)
        values = accumulations(values, lead_times, window)
    return crossing(values, rule.threshold, lead_times)


def step(rule: AlertRule, standing: Standing, found: Crossing, init_time: datetime) -> tuple[Standing, Kind | None]:
    """Where a rule stands after a nowcast, and what began or ended with it.

    An alert begins when the chance is surely at or above the rule's probability, and ends when it is surely below
    clear_below. Whatever missing values leave open changes nothing.
    """
    after = replace(standing, judged=isoformat(init_time), probability=number(found.probability))
    if not standing.raised and found.least >= rule.probability:
        quiet = standing.onset and init_time - parse_time(standing.onset) < timedelta(minutes=rule.quiet_min)
        return (after, None) if quiet else (replace(after, raised=True, onset=isoformat(init_time)), "onset")
    if standing.raised and found.most < rule.clear_below:
        return replace(after, raised=False), "cleared"
    return after, None


def _judged(
    book: Book, rules: Sequence[AlertRule], pairs: Sequence[tuple[AlertRule, CatchmentOutlook]], now: datetime
) -> Book:
    names = {rule.name for rule in rules}
    standings = {key: one for key, one in book.standings.items() if key.partition("/")[0] in names}
    new: list[Message] = []
    for rule, outlook in pairs:
        key, time = f"{rule.name}/{outlook.catchment_id}", outlook.origin.init_time
        standing = standings.get(key, Standing())
        if standing.judged and time <= parse_time(standing.judged):
            continue
        try:
            found = judge(rule, outlook)
        except ValueError as error:
            log.error("rule cannot be judged", rule=key, reason=str(error))
            continue
        if found.least != found.most:
            log.warning("chance left open by missing coverage", rule=key, least=found.least, most=found.most)
        after, what = step(rule, standing, found, time)
        if what is not None:
            message = _message(rule, outlook, found, what, now)
            after = replace(after, onset_id=message.message_id) if what == "onset" else after
            new += [message] if what == "onset" or rule.send_cleared else []
        standings[key] = after
    return replace(book, standings=standings, outbox=(*book.outbox, *new))


def _message(rule: AlertRule, outlook: CatchmentOutlook, found: Crossing, what: Kind, now: datetime) -> Message:
    origin = outlook.origin
    init_time = isoformat(origin.init_time)
    named = "|".join((origin.region, rule.name, outlook.catchment_id, init_time, what))
    message_id = hashlib.sha256(named.encode()).hexdigest()[:32]
    median = number(found.minutes[1])
    onset = None if median is None else isoformat(origin.init_time + median * MINUTE)
    body = {
        "id": message_id,
        "kind": what,
        "rule": rule.name,
        "region": origin.region,
        "catchment": outlook.catchment_id,
        "catchment_name": outlook.name,
        "quantity": rule.quantity,
        "window_min": rule.window_min,
        "threshold": rule.threshold,
        "units": rule.units,
        "probability": number(found.least if what == "onset" else found.most),
        "rule_probability": rule.probability,
        "init_time": init_time,
        "lead_min": median,
        "valid_time": onset,
        "horizon_min": origin.lead_times[-1] / MINUTE,
        "members": outlook.members,
        "model": origin.model,
        "rung": origin.rung,
        "input_age_s": int(origin.input_age.total_seconds()),
        "text": _text(rule, outlook, found, what, onset),
    }
    return Message(message_id, rule.name, outlook.catchment_id, body, isoformat(now), isoformat(now))


def _text(rule: AlertRule, outlook: CatchmentOutlook, found: Crossing, what: Kind, onset: str | None) -> str:
    units = "mm/h" if rule.quantity == "rate" else "mm"
    within = f" in {rule.window_min:g} min" if rule.window_min else ""
    event = f"{outlook.name}: area mean of {rule.threshold:g} {units}{within}"
    if what == "cleared":
        return f"{event} no longer expected ({found.most:.0%}, {basis(outlook.members)})"
    return f"{event} from {onset} ({found.least:.0%}, {basis(outlook.members)})"


def _encoded(book: Book) -> bytes:
    return (json.dumps(asdict(book), indent=1) + "\n").encode()


def _decoded(location: Location, content: bytes | None) -> Book:
    try:
        fields = {} if content is None else json.loads(content)
        standings = {key: Standing(**one) for key, one in fields.pop("standings", {}).items()}
        return Book(standings, **{name: tuple(Message(**m) for m in kept) for name, kept in fields.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{location.url}/{STATE}: {error}") from error
