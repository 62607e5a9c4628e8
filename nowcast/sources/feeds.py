"""Where files come from: a folder that fills up, or a past event played back."""

import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from stat import S_ISREG
from typing import Protocol, runtime_checkable

NAME_TIMES = (
    (re.compile(r"(?<!\d)((?:19|20)\d{6})[-_T]?(\d{4})(?:\d{2})?Z?(?!\d)"), "%Y%m%d%H%M"),
    (re.compile(r"(?<!\d)(\d{6})(\d{4})(?!\d)"), "%y%m%d%H%M"),
    (re.compile(r"^[A-Z]{3}(\d{5})(\d{4})(?=\D|\d[A-Z_])"), "%y%j%H%M"),
)
"""Date and time as centres write them into file names: 201609281445, 20190610-000200, 1708160055, AQC161932045F."""

CLOCK = "%H%M"
"""How each of them ends."""


@runtime_checkable
class Feed(Protocol):
    """Hands out files as they come."""

    @property
    def exhausted(self) -> bool:
        """Whether no file will ever come again."""
        ...

    def poll(self) -> list[Path]:
        """Files not handed out before, in time order; may be empty. OSError when the feed cannot be reached now."""
        ...


def time_in_name(name: str) -> datetime | None:
    """The UTC time a file's name tells, or None; good for ordering only, the content decides."""
    told = _told(name)
    return told and told[0]


def name_at(name: str, moment: datetime) -> str:
    """What the name would be at another time; the name itself when it tells none."""
    if (told := _told(name)) is None:
        return name
    _, found, layout = told
    day, clock = moment.strftime(layout[: -len(CLOCK)]), moment.strftime(CLOCK)
    return f"{name[: found.start(1)]}{day}{name[found.end(1) : found.start(2)]}{clock}{name[found.end(2) :]}"


def _told(name: str) -> tuple[datetime, re.Match[str], str] | None:
    """The time in a name, where it stands, and its layout."""
    for pattern, layout in NAME_TIMES:
        for found in pattern.finditer(name):
            try:
                return datetime.strptime(found[1] + found[2], layout).replace(tzinfo=UTC), found, layout
            except ValueError:
                continue
    return None


def in_time_order(paths: Iterable[Path]) -> list[Path]:
    """Files by the time in their name, then by name; those without a time last."""
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(paths, key=lambda path: (time_in_name(path.name) or never, path.name))


def usual_step(times: Iterable[datetime]) -> timedelta | None:
    """The most common difference of consecutive times, the shortest of equals; None for fewer than two times."""
    ordered = sorted(set(times))
    steps = Counter(after - before for before, after in pairwise(ordered))
    return min(steps, key=lambda step: (-steps[step], step)) if steps else None


def files_in(folder: Path, pattern: str = "*") -> list[Path]:
    """Files of a folder and below that are not hidden, in time order; ValueError when there is no such folder."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    return in_time_order(path for path in folder.rglob(pattern) if path.is_file() and not path.name.startswith("."))


def _is_file(path: Path, stat: os.stat_result) -> bool:
    return S_ISREG(stat.st_mode) and not path.name.startswith(".")


@dataclass
class Directory:
    """A folder that scans are written to. A file is new again when its size or modification time changes.

    `settle_s`: a file changed less than this long ago may still be being written, and waits.
    """

    folder: Path
    pattern: str = "*"
    settle_s: float = 2.0
    exhausted: bool = field(default=False, init=False)
    _seen: set[tuple[Path, int, int]] = field(default_factory=set, init=False)

    def poll(self) -> list[Path]:
        """Files that are new and have settled, in time order. FileNotFoundError when the folder is gone."""
        if self._seen and not self.folder.is_dir():
            raise FileNotFoundError(f"{self.folder} is not there any more")
        if not self.folder.is_dir():
            raise ValueError(f"{self.folder} is not a folder")
        new = []
        for path in self.folder.rglob(self.pattern):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            key = path, stat.st_size, stat.st_mtime_ns
            if key not in self._seen and time.time() - stat.st_mtime >= self.settle_s and _is_file(path, stat):
                self._seen.add(key)
                new.append(path)
        return in_time_order(new)


@dataclass
class Replay:
    """A past event. `speed` 60 plays an hour in a minute; None hands out the next file whenever asked."""

    paths: list[Path]
    speed: float | None = None
    _next: int = field(default=0, init=False)
    _began: float = field(default_factory=time.monotonic, init=False)

    @property
    def exhausted(self) -> bool:
        """Whether all files have been handed out."""
        return self._next >= len(self.paths)

    def poll(self) -> list[Path]:
        """Files whose time has come on the replay's clock."""
        first = self._next
        while not self.exhausted and self._due(self.paths[self._next]):
            self._next += 1
            if self.speed is None:
                break
        return self.paths[first : self._next]

    def _due(self, path: Path) -> bool:
        start, moment = time_in_name(self.paths[0].name), time_in_name(path.name)
        if self.speed is None or start is None or moment is None:
            return True
        return (moment - start).total_seconds() <= (time.monotonic() - self._began) * self.speed
