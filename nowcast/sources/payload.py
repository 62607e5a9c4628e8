"""A file's bytes, as readers see them, and the error that readers raise."""

import zlib
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 1 << 30
"""Largest file, before and after gunzip, that is read at all."""


class BadScan(ValueError):
    """A file cannot become a scan; the message names the file and the reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True)
class Payload:
    """A file's name without its folder, and its content with gzip already taken off."""

    name: str
    content: bytes


def load(path: Path) -> Payload:
    """Read a file, gunzipped when its content says so; BadScan when it is empty, too large or damaged."""
    if path.stat().st_size > MAX_BYTES:
        raise BadScan(path.name, f"larger than {MAX_BYTES} bytes")
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = _gunzip(path.name, content)
    if not content:
        raise BadScan(path.name, "empty file")
    return Payload(path.name, content)


def _gunzip(name: str, content: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(content, MAX_BYTES)
    except zlib.error as error:
        raise BadScan(name, f"damaged gzip: {error}") from error
    if not stream.eof:
        reason = f"unpacks to more than {MAX_BYTES} bytes" if stream.unconsumed_tail else "truncated gzip"
        raise BadScan(name, reason)
    return plain
