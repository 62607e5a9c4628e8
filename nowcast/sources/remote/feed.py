"""A feed that fetches files from a place elsewhere into a spool folder, and hands them out in time order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import structlog

from nowcast.sources.feeds import in_time_order, time_in_name
from nowcast.sources.remote.site import Entry, Refused, Site
from nowcast.sources.remote.spool import PLAIN_NAME, Spool

log = structlog.get_logger()

AT_ONCE = 25
"""Most files fetched in one poll, the newest first: more than a backlog has, so that who follows knows it for one."""

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0
MOST_FAILURES = 3
"""Files that fail one after the other in one poll; the place has trouble then."""

AHEAD = timedelta(hours=1)
"""So much later than our clock a name's time may be."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _wait(failures: int) -> float:
    """Seconds to the next try: twice as long after each failure, up to the longest."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 16))


@dataclass
class RemoteFeed:
    """New and changed files of the last `hours`, looked for every `every_s` seconds.

    It begins where the archive ends, `since`, at most `catch_up` ago, or `hours` ago without one. Of much the newest
    comes first. `patterns` are globs that a name must all fit. What a process before fetched is handed out again, for
    it may not have been taken in. `now` and `clock` tell the time and seconds.
    """

    site: Site
    spool: Spool
    patterns: tuple[str, ...] = ("*",)
    since: datetime | None = None
    hours: timedelta = timedelta(hours=3)
    catch_up: timedelta = timedelta(hours=24)
    every_s: float = 20.0
    now: Callable[[], datetime] = _utc_now
    clock: Callable[[], float] = time.monotonic
    exhausted: bool = field(default=False, init=False)
    _from: datetime | None = field(default=None, init=False)
    _seen: dict[str, str] = field(default_factory=dict, init=False)
    _failing: dict[str, tuple[int, float]] = field(default_factory=dict, init=False)
    _failures: int = field(default=0, init=False)
    _next: float = field(default=float("-inf"), init=False)
    _error: OSError | None = field(default=None, init=False)

    def poll(self) -> list[Path]:
        """Files that are new or changed, in time order; OSError while the place is out of reach, which is then asked
        less and less often."""
        held = self._begin() if self._from is None else []
        if self.clock() < self._next:
            if self._error is not None:
                raise self._error
            return held
        try:
            return in_time_order({*held, *self._fetched()})
        except OSError as error:
            self._failures += 1
            self._next, self._error = self.clock() + _wait(self._failures), error
            if held:
                return held
            raise

    def look(self) -> list[Entry]:
        """What there is to fetch, without fetching it; errors as a `Site` raises them."""
        since = self._from or self._start()
        found = self.site.listed(since, self.now() + AHEAD)
        fitting = [one for one in found if all(fnmatchcase(one.name, pattern) for pattern in self.patterns)]
        return sorted((one for one in fitting if PLAIN_NAME.match(one.name)), key=lambda one: (one.moment, one.key))

    def require_allowed(self) -> None:
        """Raise Refused when the place says that this feed will never work as configured; one that is out of reach now
        may come back."""
        try:
            self.look()
        except Refused:
            raise
        except OSError as error:
            log.warning("feed cannot be reached yet", feed=self.site.where, reason=str(error))

    def _start(self) -> datetime:
        now = self.now()
        return now - self.hours if self.since is None else min(max(self.since, now - self.catch_up), now - self.hours)

    def _begin(self) -> list[Path]:
        """Files of the time looked at that a process before this one fetched."""
        self.spool.open()
        self._from, self._seen = self._start(), self.spool.seen()
        times = [(time_in_name(path.name), path) for path in self.spool.files()]
        return [path for moment, path in times if moment and moment >= self._from]

    def _fetched(self) -> list[Path]:
        listed = self.look()
        self._failures, self._error = 0, None
        new = [one for one in listed if self._seen.get(one.key) != one.version and self._is_due(one)]
        chosen = new[-AT_ONCE:] if self.since else [*new[:1], *new[1:][-AT_ONCE:]]
        paths = self._taken(chosen)
        if len(chosen) == len(new):
            self._next, self._from = self.clock() + self.every_s, max(self._from or self._start(), self._window())
        if paths:
            self._forget(listed)
            self.spool.trim(self._window())
        return paths

    def _taken(self, chosen: list[Entry]) -> list[Path]:
        """The files of these entries, the newest fetched first; one that fails is tried again later."""
        paths, in_a_row = [], 0
        for one in reversed(chosen):
            try:
                paths.append(self.spool.put(one.name, self.site.fetch(one), one.size))
                in_a_row = 0
                self._seen[one.key] = one.version
                self._failing.pop(one.key, None)
            except OSError as error:
                count = self._failing.get(one.key, (0, 0.0))[0] + 1
                self._failing[one.key] = count, self.clock() + _wait(count)
                log.warning("file cannot be fetched", feed=self.site.where, file=one.name, reason=str(error))
                in_a_row += 1
                if in_a_row == MOST_FAILURES:
                    break
        return paths

    def _is_due(self, one: Entry) -> bool:
        return self.clock() >= self._failing.get(one.key, (0, float("-inf")))[1]

    def _window(self) -> datetime:
        return self.now() - self.hours

    def _forget(self, listed: list[Entry]) -> None:
        """Remember versions of what is still listed, here and for the process after this one."""
        keys = {one.key for one in listed}
        self._seen = {key: version for key, version in self._seen.items() if key in keys}
        self._failing = {key: tried for key, tried in self._failing.items() if key in keys}
        self.spool.remember(self._seen)
