"""The regular time axis that scans and nowcasts are placed on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


class OffCadence(ValueError):
    """A time does not fall on the axis; the message names both."""


def require_utc(time: datetime) -> datetime:
    """The time itself; ValueError unless it is timezone-aware and in UTC."""
    if time.utcoffset() != timedelta(0):
        raise ValueError(f"time {time!r} is not UTC")
    return time


def isoformat(time: datetime) -> str:
    """2016-09-28T14:45:00Z."""
    return require_utc(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_of(time: datetime) -> str:
    """20160928T164000Z, which files and URLs can hold and `parse_time` reads."""
    return require_utc(time).strftime("%Y%m%dT%H%M%SZ")


def as_utc(time: datetime) -> datetime:
    """The same time in UTC; one without an offset is taken as UTC. OverflowError outside the years 1 to 9999."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def parse_time(text: str) -> datetime:
    """UTC time from ISO 8601 text; a time without an offset is taken as UTC. ValueError for any other text."""
    time = datetime.fromisoformat(text)
    try:
        return as_utc(time)
    except OverflowError as error:
        raise ValueError(f"time {text!r} is not in the years 1 to 9999") from error


def utc(text: str, layout: str) -> datetime:
    """UTC time from text in a strptime layout."""
    return datetime.strptime(text, layout).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Timeline:
    """Slot k is the time start + k cadence. Slots are never sorted or moved: a time has one place."""

    start: datetime
    cadence: timedelta

    def __post_init__(self) -> None:
        require_utc(self.start)
        if self.cadence < timedelta(seconds=1):
            raise ValueError(f"cadence must be at least a second, not {self.cadence}")

    def time(self, slot: int) -> datetime:
        """The nominal time of a slot."""
        return self.start + slot * self.cadence

    def slot(self, time: datetime) -> int:
        """The slot of a time; OffCadence when the time is before the start or between two slots."""
        slot, remainder = divmod(require_utc(time) - self.start, self.cadence)
        if remainder:
            raise OffCadence(f"{isoformat(time)} is not on the {self.cadence} raster from {isoformat(self.start)}")
        if slot < 0:
            raise OffCadence(f"{isoformat(time)} is before the archive's start {isoformat(self.start)}")
        return slot

    def seconds(self, first: int, stop: int) -> list[int]:
        """Seconds since 1970 of the slots first .. stop - 1."""
        return [int(self.time(slot).timestamp()) for slot in range(first, stop)]
