"""Files that were refused: a copy of each, and why."""

import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from nowcast.core.crashpoints import reached
from nowcast.core.redaction import shown
from nowcast.core.timeline import isoformat

RECORDS = "[0-9a-f]" * 64 + ".json"
LONGEST_NAME = 150
"""Characters of a file's name that its copy keeps, from the end."""

ODD = re.compile(r"[^A-Za-z0-9._-]")
"""What a copy's name has "_" for: it may end a line, command a terminal, or be too long in bytes."""


@dataclass(frozen=True)
class Refusal:
    """One refused file: its name, the sha256 of its bytes, the reason, when (UTC)."""

    file: str
    file_id: str
    reason: str
    time: str


def refuse(folder: Path, path: Path, file_id: bytes, reason: str, now: datetime) -> Refusal:
    """Copy the file and write the record; the record is there only when the copy is whole."""
    refusal = Refusal(shown(path.name), file_id.hex(), shown(reason), isoformat(now))
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{refusal.file_id[:16]}_{ODD.sub('_', path.name)[-LONGEST_NAME:]}", path.read_bytes())
    reached("quarantine.copy.written")
    _write(_record(folder, file_id), json.dumps(asdict(refusal), indent=2).encode())
    reached("quarantine.record.written")
    return refusal


def is_refused(folder: Path, file_id: bytes) -> bool:
    """Whether a file with these bytes was refused before."""
    return _record(folder, file_id).exists()


def count(folder: Path) -> int:
    """How many files were refused."""
    return sum(1 for _ in folder.glob(RECORDS))


def refusals(folder: Path) -> list[Refusal]:
    """Every refused file, oldest first."""
    records = [Refusal(**json.loads(path.read_text())) for path in folder.glob(RECORDS)]
    return sorted(records, key=lambda refusal: (refusal.time, refusal.file))


def _write(target: Path, content: bytes) -> None:
    """A file that is there whole or not at all."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        reached("quarantine.part.written")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _record(folder: Path, file_id: bytes) -> Path:
    return folder / f"{file_id.hex()}.json"
