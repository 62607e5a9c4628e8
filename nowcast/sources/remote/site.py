"""What a place that files are fetched from can do, whatever it speaks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from nowcast.sources.feeds import time_in_name

STEP = timedelta(hours=1)


class Refused(OSError):
    """A place says that what is asked for will never work as configured; the message says what to change."""


@dataclass(frozen=True)
class Entry:
    """A file that a place offers. `version` changes when its content does, `size` is in bytes, None if not told."""

    key: str
    version: str
    size: int | None
    moment: datetime

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]


class Site(Protocol):
    """A place that files are fetched from."""

    @property
    def where(self) -> str:
        """What messages call it; holds no secret."""
        ...

    def listed(self, since: datetime, until: datetime) -> list[Entry]:
        """Files of these times, as their names tell. Refused as configured, OSError when out of reach now."""
        ...

    def fetch(self, entry: Entry) -> Iterator[bytes]:
        """A file's content in parts; FileNotFoundError when it is gone, OSError when it cannot be had now."""
        ...


def entry(key: str, version: str, size: int | None, since: datetime, until: datetime) -> Entry | None:
    """A file as listed; None when its name tells no time, or one outside."""
    moment = time_in_name(key.rpartition("/")[2])
    if moment is None or not since <= moment <= until:
        return None
    return Entry(key, version, size, moment)


def filled(template: str, station: str, since: datetime, until: datetime) -> list[str]:
    """What a template with `{time:%Y/%m/%d}` and `{station}` gives over a span of time, in time order, each once."""
    hours = range(int((until - since) / STEP) + 1)
    moments = [*(since + k * STEP for k in hours), until]
    return list(dict.fromkeys(template.format(time=moment, station=station) for moment in moments))
