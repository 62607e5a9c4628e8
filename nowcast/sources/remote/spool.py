"""The folder that fetched files lie in: whole or not at all, remembered over restarts, and never larger than agreed."""

import json
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nowcast.core.crashpoints import reached
from nowcast.sources.feeds import in_time_order, time_in_name

PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9@._+=,-]{0,199}$")
SEEN = ".seen.json"
LEAST_AGE_S = 6 * 3600.0
"""Files fetched less than this long ago may still wait to be taken in."""


@dataclass(frozen=True)
class Spool:
    """Files of one feed. `most` bytes in all, the oldest give way; `largest` bytes in one file."""

    folder: Path
    most: int
    largest: int

    def open(self) -> None:
        """Make the folder, and clear away what was cut short."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in self.folder.glob(".*.part"):
            part.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """What is whole, in time order."""
        return in_time_order(path for path in self.folder.glob("*") if not path.name.startswith("."))

    def put(self, name: str, parts: Iterable[bytes], size: int | None) -> Path:
        """Write a file under its name once all of it is there, in place of one that was.

        OSError when it is larger than allowed, or not of the size that was told.
        """
        part, count = self.folder / f".{name}.part", 0
        try:
            with part.open("wb") as file:
                for chunk in parts:
                    count += len(chunk)
                    if count > self.largest:
                        raise OSError(f"{name} has more than {self.largest >> 20} MiB")
                    file.write(chunk)
                if count == 0 or size not in (None, count):
                    raise OSError(f"{name}: {count} bytes came, {size} were told")
                file.flush()
                os.fsync(file.fileno())
            reached("feed.put.before")
            part.replace(self.folder / name)
        finally:
            part.unlink(missing_ok=True)
        return self.folder / name

    def trim(self, since: datetime) -> None:
        """Remove what was fetched long ago and is of a time before; then the oldest while there is too much."""
        for path in self.files():
            moment = time_in_name(path.name)
            if time.time() - path.stat().st_mtime > LEAST_AGE_S and (moment is None or moment < since):
                path.unlink(missing_ok=True)
        sizes = [(path, path.stat().st_size) for path in self.files()]
        excess = sum(size for _, size in sizes) - self.most
        for path, size in sizes[:-1]:
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size

    def seen(self) -> dict[str, str]:
        """Key -> version of the files that were fetched and are still here."""
        try:
            told = json.loads((self.folder / SEEN).read_text())
        except (OSError, ValueError):
            return {}
        here = {path.name for path in self.files()}
        pairs = told.items() if isinstance(told, dict) else ()
        return {str(key): str(version) for key, version in pairs if str(key).rpartition("/")[2] in here}

    def remember(self, seen: dict[str, str]) -> None:
        """Keep `seen` for the process after this one."""
        part = self.folder / f"{SEEN}.part"
        part.write_text(json.dumps(seen))
        reached("feed.remember.before")
        part.replace(self.folder / SEEN)
