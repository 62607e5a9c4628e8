"""NOAA MRMS fields as GRIB2: PrecipRate [mm h-1] and merged reflectivity [dBZ] on 0.01 degree.

Negative rates are "missing" (-1) and "no coverage" (-3). For reflectivity -99 is "nothing detected" and -999 is "no
coverage".
"""

import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from rasterio.io import DatasetReader, MemoryFile

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.sources.payload import BadScan, Payload

NOTHING_DETECTED = -99.0
MRMS_DISCIPLINE = 209
PNG = b"\x89PNG\r\n\x1a\n"


def recognises(payload: Payload) -> bool:
    """GRIB edition 2 in MRMS's own discipline."""
    head = payload.content
    return head[:4] == b"GRIB" and head[6:8] == bytes((MRMS_DISCIPLINE, 2))


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file."""
    if not payload.content.endswith(b"7777"):
        raise BadScan(payload.name, "GRIB message has no end: truncated")
    _require_intact(payload)
    with MemoryFile(payload.content) as memory, memory.open(driver="GRIB") as dataset:
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


def _require_intact(payload: Payload) -> None:
    """Check the checksums of packed pixels: GDAL's GRIB driver gives a field without coverage where they are wrong."""
    at = payload.content.find(PNG)
    while at >= 0:
        at += len(PNG)
        kind = b""
        while kind != b"IEND":
            length, kind = struct.unpack_from(">I4s", payload.content, at)
            (checksum,) = struct.unpack_from(">I", payload.content, at + 8 + length)
            if zlib.crc32(payload.content[at + 4 : at + 8 + length]) != checksum:
                raise BadScan(payload.name, f"pixels fail their checksum at byte {at}")
            at += 12 + length
        at = payload.content.find(PNG, at)


def _grid(dataset: DatasetReader) -> Grid:
    """Rounded to a millionth of a degree: GRIB stores the first and last pixel in that unit."""
    affine = dataset.transform
    west, north, dx, dy = (round(v, 6) for v in (affine.c, affine.f, affine.a, -affine.e))
    return Grid(dataset.crs.to_wkt(), west, north, dx, dy, dataset.height, dataset.width)
