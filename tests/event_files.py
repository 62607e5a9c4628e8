"""TensorBoard's event files read back, record by record."""

import struct
from collections.abc import Iterator
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def written(folder: Path) -> dict[str, dict[int, float]]:
    """Tag -> step -> value of the event files in a folder, later files last; what a restart replaces is left out."""
    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.*"), key=lambda path: path.stat().st_mtime_ns):
        for event in events_in(path):
            if event.session_log.status == event.session_log.START:
                found = {tag: {s: v for s, v in curve.items() if s < event.step} for tag, curve in found.items()}
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def events_in(path: Path) -> Iterator[Event]:
    """A TFRecord holds length (8 bytes), its checksum (4), an event of that length, and its checksum (4)."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        yield Event.FromString(content[at + 12 : at + 12 + length])
        at += length + 16
