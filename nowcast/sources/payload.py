"""A file's bytes, as readers see them, and the error that readers raise."""

import bz2
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nowcast.sources.limits import MAX_BYTES, MAX_RATIO, RATIO_FREE

SLICE = 4096
"""Packed bytes taken at a time. One of gzip unpacks to 4 MB at most; bzip2 is asked for no more than that."""


class BadScan(ValueError):
    """A file cannot become a scan; the message names the file and the reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True)
class Payload:
    """A file's name without its folder, and its content with gzip or bzip2 already taken off."""

    name: str
    content: bytes


def load(path: Path) -> Payload:
    """Read a file, unpacked when its content says so; BadScan when it is empty, too large or damaged.

    OSError when it cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise BadScan(path.name, f"larger than {MAX_BYTES} bytes")
    content = path.read_bytes()
    for magic, (packing, unpacked) in PACKINGS.items():
        if content.startswith(magic):
            content = _bounded(path.name, packing, content, unpacked)
            break
    if not content:
        raise BadScan(path.name, "empty file")
    return Payload(path.name, content)


def _bounded(name: str, packing: str, content: bytes, unpacked: Callable[[bytes], Iterator[bytes]]) -> bytes:
    """All that unpacks; given up as soon as it is too much."""
    plain = bytearray()
    try:
        for part in unpacked(content):
            plain += part
            if len(plain) > MAX_BYTES:
                raise BadScan(name, f"unpacks to more than {MAX_BYTES} bytes")
            if len(plain) > max(RATIO_FREE, MAX_RATIO * len(content)):
                raise BadScan(name, f"unpacks to more than {MAX_RATIO} times its size")
    except EOFError:
        raise BadScan(name, f"truncated {packing}") from None
    except (zlib.error, OSError) as error:
        raise BadScan(name, f"damaged {packing}: {error}") from error
    return bytes(plain)


def _gunzipped(content: bytes) -> Iterator[bytes]:
    """Parts of what one gzip member unpacks to; EOFError when it has no end."""
    stream = zlib.decompressobj(wbits=31)
    for at in range(0, len(content), SLICE):
        yield stream.decompress(content[at : at + SLICE])
        if stream.eof:
            return
    raise EOFError


def _bunzipped(content: bytes) -> Iterator[bytes]:
    """Parts of what one bzip2 stream unpacks to; EOFError when it has no end."""
    stream = bz2.BZ2Decompressor()
    for at in range(0, len(content), SLICE):
        yield stream.decompress(content[at : at + SLICE], 1024 * SLICE)
        while not stream.needs_input and not stream.eof:
            yield stream.decompress(b"", 1024 * SLICE)
        if stream.eof:
            return
    raise EOFError


PACKINGS = {b"\x1f\x8b": ("gzip", _gunzipped), b"BZh": ("bzip2", _bunzipped)}
"""First bytes of a packed file -> its name, and what unpacks it."""
