"""From outlooks to alerts: which rules' alerts begin or end with a nowcast, and what is to be told of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import structlog

from nowcast.alerts.book import Book, Message, Standing, change_book, read_book
from nowcast.alerts.rules import EVERY, AlertRule
from nowcast.catchments.outlooks import MINUTE, CatchmentOutlook, Crossing, accumulations, crossing
from nowcast.catchments.views import basis, number
from nowcast.core.timeline import isoformat, parse_time
from nowcast.store.repository import Location

log = structlog.get_logger()

STALE_AFTER = timedelta(minutes=30)
"""An older init_time leads to no alert."""

Kind = Literal["onset", "cleared"]


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
