"""How specimens are damaged: as bytes, as text, by the structure of their format. The same seed does the same."""

import bz2
import gzip
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random

from fuzz import hdf5_surgery
from fuzz.specimens import grib_message, grib_sections, members, right_checksums, zipped

HEAD = 400
"""Bytes at the start where most formats have their header."""
NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"255",
    b"65536",
    b"4294967295",
    b"9" * 11,
    b"nan",
    b"inf",
    b"-inf",
    b"1e308",
    b"0.0",
    b"",
)
WHOLE = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 64, 63, 65)

Mutation = Callable[[bytes, Random], bytes]


def mutated(content: bytes, name: str, seed: str) -> bytes:
    """The specimen of a format, damaged as the seed says: by structure first, as long as there is one."""
    dice = Random(seed)
    steps = dice.choice((1, 1, 1, 2, 3, 5))
    structured = sum(dice.random() < 0.5 for _ in range(steps))
    for _ in range(structured):
        content = dice.choice(STRUCTURED[name])(content, dice)
    for _ in range(steps - structured):
        content = dice.choice(BYTES)(content, dice)
    return dice.choice(PACKED)(content, dice) if dice.random() < 0.1 else content


def flip_bits(content: bytes, dice: Random) -> bytes:
    """One to eight bits, half of the time in the header."""
    spoilt = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 8)) if spoilt else 0):
        spoilt[_place(spoilt, dice)] ^= 1 << dice.randrange(8)
    return bytes(spoilt)


def overwrite(content: bytes, dice: Random) -> bytes:
    """A number of one to eight bytes, either end first."""
    width, order = dice.choice((1, 2, 4, 8)), dice.choice(("little", "big"))
    value = dice.choice((*WHOLE, dice.getrandbits(64))) & ((1 << 8 * width) - 1)
    at = _place(content, dice)
    return content[:at] + value.to_bytes(width, order) + content[at + width :]


def floats(content: bytes, dice: Random) -> bytes:
    """A floating point number that is none, or a huge or tiny one."""
    value = dice.choice((float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e30, 1e-30))
    packed = struct.pack(dice.choice(("<f", ">f", "<d", ">d")), value)
    at = _place(content, dice)
    return content[:at] + packed + content[at + len(packed) :]


def truncate(content: bytes, dice: Random) -> bytes:
    """Lose the end, or the start."""
    at = dice.choice((_place(content, dice), max(0, len(content) - dice.randrange(1, 40))))
    return content[at:] if dice.random() < 0.1 else content[:at]


def drop(content: bytes, dice: Random) -> bytes:
    """Lose a piece of the middle."""
    at = _place(content, dice)
    return content[:at] + content[at + _length(dice) :]


def repeat(content: bytes, dice: Random) -> bytes:
    """Write a piece twice."""
    at, length = _place(content, dice), _length(dice)
    return content[: at + length] + content[at:]


def move(content: bytes, dice: Random) -> bytes:
    """Copy a piece over another place."""
    start, at, length = _place(content, dice), _place(content, dice), _length(dice)
    piece = content[start : start + length]
    return content[:at] + piece + content[at + len(piece) :]


def fill(content: bytes, dice: Random) -> bytes:
    """A run of one byte, as of a disk that lost a block."""
    at, length = _place(content, dice), _length(dice)
    return content[:at] + bytes([dice.choice((0, 0xFF, 0x20))]) * length + content[at + length :]


def renumber(content: bytes, dice: Random) -> bytes:
    """Replace a run of digits, half of the time by as many, as in headers of text."""
    runs = list(re.finditer(rb"\d+", content[:4096]))
    if not runs:
        return content
    start, stop = dice.choice(runs).span()
    same = "".join(dice.choice("0123456789") for _ in range(stop - start)).encode()
    return content[:start] + dice.choice((same, dice.choice(NUMBERS))) + content[stop:]


def _place(content: bytes | bytearray, dice: Random) -> int:
    return dice.randrange(max(1, min(HEAD, len(content)) if dice.random() < 0.5 else len(content)))


def _length(dice: Random) -> int:
    return dice.choice((1, 4, 16, 100, 512, 4096))


def zip_member(content: bytes, dice: Random) -> bytes:
    """Damage what is packed, and pack it with a right checksum."""
    try:
        parts = members(content)
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zlib.error, struct.error, zipfile.BadZipFile):
        return content
    if parts:
        name = dice.choice(sorted(parts))
        parts[name] = dice.choice(BYTES)(parts[name], dice)
    return zipped(parts)


def grib_section(content: bytes, dice: Random) -> bytes:
    """Damage a section, and make lengths and checksums right again."""
    try:
        parts = grib_sections(content)
    except IndexError:
        return content
    if not parts or content[:4] != b"GRIB":
        return content
    at = dice.randrange(len(parts))
    number, section = parts[at]
    section = bytearray(dice.choice((flip_bits, overwrite, overwrite, fill, drop, repeat))(bytes(section[5:]), dice))
    right_checksums(section)
    parts[at] = number, bytearray(struct.pack(">IB", 0, number)) + section
    if dice.random() < 0.05:
        parts.insert(at, dice.choice(parts))
    return grib_message(content[:8], parts)


def tiff_entry(content: bytes, dice: Random) -> bytes:
    """Damage tag, type, count or value of an entry of the first directory."""
    if len(content) < 16 or content[:4] != b"II*\x00":
        return content
    (directory,) = struct.unpack_from("<I", content, 4)
    if directory + 2 > len(content):
        return content
    (count,) = struct.unpack_from("<H", content, directory)
    at = directory + 2 + 12 * dice.randrange(max(1, count)) + dice.choice((0, 2, 4, 8, 8))
    value = dice.choice((*WHOLE, dice.getrandbits(32), dice.randrange(1 << 16)))
    spoilt = bytearray(content)
    spoilt[at : at + 4] = struct.pack("<I", value & 0xFFFFFFFF)
    return bytes(spoilt)


def tiff_text(content: bytes, dice: Random) -> bytes:
    """Other digits in the XML text that tells gain, offset and time."""
    start = content.find(b"<GDALMetadata")
    if start < 0:
        return content
    return content[:start] + renumber(content[start:], dice)


def broken_gzip(content: bytes, dice: Random) -> bytes:
    """Packed, and half of the time damaged afterwards."""
    packed = gzip.compress(content, 1, mtime=0)
    return dice.choice(BYTES)(packed, dice) if dice.random() < 0.5 else packed


def broken_bzip2(content: bytes, dice: Random) -> bytes:
    """Likewise."""
    packed = bz2.compress(content, 1)
    return dice.choice(BYTES)(packed, dice) if dice.random() < 0.5 else packed


BYTES: tuple[Mutation, ...] = (flip_bits, overwrite, floats, truncate, drop, repeat, move, fill)
PACKED: tuple[Mutation, ...] = (broken_gzip, broken_gzip, broken_gzip, broken_bzip2)
STRUCTURED: dict[str, tuple[Mutation, ...]] = {
    "fmi-pgm": (renumber,),
    "fmi-geotiff": (tiff_entry, tiff_text),
    "mch-gif": (renumber,),
    "bom-netcdf": (hdf5_surgery.operate,),
    "knmi-hdf5": (hdf5_surgery.operate,),
    "odim-hdf5": (hdf5_surgery.operate,),
    "mrms-grib2": (grib_section,),
    "dwd-radolan": (renumber,),
    "meteonet": (zip_member,),
}
"""Format -> what damages it by its structure; the other half of all damage is done to bytes."""
