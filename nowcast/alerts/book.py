"""What each alert rule stands at, and the messages that wait to be sent: one small object, changed in one step.

A message is written down in the same step as the change that it tells of, and sent only then; its id follows from what
it tells of. So a message is sent at least once, always under one id, and an onset has one message.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nowcast.core.crashpoints import reached
from nowcast.store import objects
from nowcast.store.objects import Overtaken
from nowcast.store.repository import Location

STATE = "alerts.json"
ATTEMPTS_TO_WRITE = 5
KEPT_ENDS = 200
"""Messages that were delivered or given up, the newest, of each kind."""


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

    def edited(held: bytes | None) -> bytes:
        content = _encoded(edit(_decoded(location, held)))
        reached("alerts.book.edited")
        return content

    for attempt in range(1, ATTEMPTS_TO_WRITE + 1):
        try:
            content = objects.change(location, STATE, edited)
            reached("alerts.book.changed")
            return _decoded(location, content)
        except Overtaken:
            if attempt == ATTEMPTS_TO_WRITE:
                raise
    raise AssertionError


def _encoded(book: Book) -> bytes:
    return (json.dumps(asdict(book), indent=1) + "\n").encode()


def _decoded(location: Location, content: bytes | None) -> Book:
    try:
        fields = {} if content is None else json.loads(content)
        standings = {key: Standing(**one) for key, one in fields.pop("standings", {}).items()}
        return Book(standings, **{name: tuple(Message(**m) for m in kept) for name, kept in fields.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{location.url}/{STATE}: {error}") from error
