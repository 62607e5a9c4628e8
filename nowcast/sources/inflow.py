"""A feed as those who follow it take it: the newest first when much comes at once, and no end when it is away."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from nowcast.sources.feeds import Feed

log = structlog.get_logger()

AT_ONCE = 12
"""More files than this at once are a backlog, as after an outage. So many of the newest come first, in time order: an
hour at five minutes, in which methods see motion."""

AGAIN_S = 30.0
"""Seconds after which a file that could not be read is handed out again."""


def is_backlog(paths: list[Path]) -> bool:
    """Whether these files, handed out together, are the newest of more than anybody wants nowcasts from."""
    return len(paths) > AT_ONCE


@dataclass
class Inflow:
    """A feed that orders what `feed` hands out, in time order, by how urgent it is. `clock` gives seconds.

    Of a backlog the newest files come first. The oldest comes with them, as the first file of a new archive sets its
    start. The others wait, the newest of them first, until nothing newer is there. A feed that raises OSError has
    nothing new: a disk that is not mounted, or a server that refuses, comes back.
    """

    feed: Feed
    clock: Callable[[], float] = time.monotonic
    is_out: bool = field(default=False, init=False)
    _waiting: list[Path] = field(default_factory=list, init=False)
    _again: list[tuple[float, Path]] = field(default_factory=list, init=False)

    @property
    def exhausted(self) -> bool:
        """Whether no file will ever come again, but for those that cannot be read."""
        return self.feed.exhausted and not self._waiting

    def poll(self) -> list[Path]:
        """What is to be taken in next; may be empty."""
        new = self._reached() + self._readable_again()
        if is_backlog(new):
            oldest, *others = new
            self._waiting += others[:-AT_ONCE]
            return [oldest, *others[-AT_ONCE:]]
        if new or not self._waiting:
            return new
        return [self._waiting.pop() for _ in range(min(AT_ONCE, len(self._waiting)))]

    def put_back(self, path: Path) -> None:
        """Hand a file that could not be read out again later."""
        self._again.append((self.clock() + AGAIN_S, path))

    def _reached(self) -> list[Path]:
        try:
            new = self.feed.poll()
        except OSError as error:
            if not self.is_out:
                log.error("feed out of reach", reason=str(error))
            self.is_out = True
            return []
        if self.is_out:
            log.warning("feed back")
        self.is_out = False
        return new

    def _readable_again(self) -> list[Path]:
        due = [path for moment, path in self._again if moment <= self.clock()]
        self._again = [one for one in self._again if one[1] not in due]
        return due
