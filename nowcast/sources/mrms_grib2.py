"""NOAA MRMS fields as GRIB2: PrecipRate [mm h-1] and merged reflectivity [dBZ] on 0.01 degree.

A file is one message with one field, on a latitude-longitude grid from the north-west, packed as PNG (WMO manual 306,
GRIB templates 3.0 and 5.41). GDAL would read much else, and for some packings opens whatever the message holds.

Negative rates are "missing" (-1) and "no coverage" (-3). For reflectivity -99 is "nothing detected" and -999 is "no
coverage".
"""

import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from rasterio.io import DatasetReader

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.sources.limits import require_pixels
from nowcast.sources.payload import BadScan, Payload
from nowcast.sources.raster import open_raster

NOTHING_DETECTED = -99.0
MRMS_DISCIPLINE = 209
PNG = b"\x89PNG\r\n\x1a\n"
LATLON_TEMPLATE, PNG_TEMPLATE, NO_BITMAP = 0, 41, 255


def recognises(payload: Payload) -> bool:
    """GRIB edition 2 in MRMS's own discipline."""
    head = payload.content
    return head[:4] == b"GRIB" and head[6:8] == bytes((MRMS_DISCIPLINE, 2))


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file."""
    if not payload.content.endswith(b"7777"):
        raise BadScan(payload.name, "GRIB message has no end: truncated")
    _require_plain(payload)
    with open_raster(payload, "GRIB") as dataset:
        tags = dataset.tags(1)
        raw = dataset.read(1).astype(np.float32)
        grid = _grid(dataset)
    element = tags["GRIB_ELEMENT"]
    nominal_time = datetime.fromtimestamp(int(tags["GRIB_REF_TIME"].split()[0]), UTC)
    if tags["GRIB_UNIT"] == "[mm/hr]":
        coverage = raw >= 0
        values = np.where(coverage, raw, np.float32(np.nan))
        yield Scan("mrms-grib2", element, nominal_time, "rain_rate", values, coverage, grid)
    elif tags["GRIB_UNIT"] == "[dBZ]":
        coverage = raw >= NOTHING_DETECTED
        values = np.where(coverage, np.maximum(raw, NO_ECHO), np.float32(np.nan))
        yield Scan("mrms-grib2", element, nominal_time, "reflectivity", values, coverage, grid)
    else:
        raise BadScan(payload.name, f"{element} in {tags['GRIB_UNIT']} is neither a rain rate nor reflectivity")


def _require_plain(payload: Payload) -> None:
    """Check that the message is laid out as MRMS does and its pixels are intact, before GDAL sees it."""
    sections = dict(_sections(payload.content))
    if list(sections) not in ([1, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7]):
        raise BadScan(payload.name, f"GRIB sections {list(sections)} are not those of one field")
    grid, packing, bitmap, field = (sections[number] for number in (3, 5, 6, 7))
    columns, rows = struct.unpack_from(">II", grid, 30)
    require_pixels(rows, columns)
    layout = _number(grid, 12), grid[71], _number(packing, 9), bitmap[5]
    if layout != (LATLON_TEMPLATE, 0, PNG_TEMPLATE, NO_BITMAP):
        raise BadScan(payload.name, f"GRIB templates and flags {layout} are not those of MRMS")
    _require_intact(payload.name, field[5:], columns, rows)


def _sections(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of the sections of a message, in order; ValueError when they do not fill it."""
    at, seen = 16, 0
    while message[at:] != b"7777":
        length, number = struct.unpack_from(">IB", message, at)
        if length < 5 or number <= seen:
            raise ValueError(f"GRIB section {number} of {length} bytes after section {seen}")
        yield number, message[at : at + length]
        at, seen = at + length, number


def _require_intact(name: str, image: bytes, columns: int, rows: int) -> None:
    """Check size and checksums of a PNG: GDAL's GRIB driver gives a field without coverage where they are wrong."""
    if image[:8] != PNG or struct.unpack_from(">II", image, 16) != (columns, rows):
        raise BadScan(name, f"pixels are not a PNG of {columns} x {rows}")
    at, kind = len(PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", image, at)
        (checksum,) = struct.unpack_from(">I", image, at + 8 + length)
        if zlib.crc32(image[at + 4 : at + 8 + length]) != checksum:
            raise BadScan(name, f"pixels fail their checksum at byte {at} of their section")
        at += 12 + length


def _number(section: bytes, at: int) -> int:
    """A 16-bit number at an offset of a section."""
    return int.from_bytes(section[at : at + 2], "big")


def _grid(dataset: DatasetReader) -> Grid:
    """Rounded to a millionth of a degree: GRIB stores the first and last pixel in that unit."""
    affine = dataset.transform
    west, north, dx, dy = (round(v, 6) for v in (affine.c, affine.f, affine.a, -affine.e))
    return Grid(dataset.crs.to_wkt(), west, north, dx, dy, dataset.height, dataset.width)
