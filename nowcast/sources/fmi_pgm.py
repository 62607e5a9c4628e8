"""FMI reflectivity composites as 8-bit PGM, time and corners in the header's comments.

Pixel v: dBZ = (v - 64) / 2; 255 outside coverage; 0 nothing detected. The sphere's radius is not in the file; with
6371288 m the corners are exactly width x metersperpixel_x apart.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.rain import FMI
from nowcast.core.scan import Scan
from nowcast.core.timeline import utc
from nowcast.sources.payload import BadScan, Payload
from nowcast.sources.projection import plain_projection

EARTH_RADIUS = 6371288


class Header(NamedTuple):
    """What stands before the pixels."""

    comments: dict[str, list[str]]
    width: int
    height: int
    outside: int
    size: int


def recognises(payload: Payload) -> bool:
    """Binary PGM with FMI's comment lines."""
    return payload.content.startswith(b"P5") and b"# projection radar" in payload.content[:4096]


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file."""
    header = _header(payload)
    pixels = np.frombuffer(payload.content, np.uint8, offset=header.size)
    if pixels.size != header.width * header.height:
        raise BadScan(payload.name, f"{pixels.size} pixels, header says {header.width} x {header.height}")
    pixels = pixels.reshape(header.height, header.width)
    coverage = pixels != header.outside
    values = np.where(coverage, (pixels.astype(np.float32) - 64.0) / 2.0, np.float32(np.nan))
    product = " ".join(header.comments["productname"] + header.comments["param"])
    nominal_time = utc(header.comments["obstime"][0], "%Y%m%d%H%M")
    yield Scan("fmi-pgm", product, nominal_time, "reflectivity", values, coverage, _grid(header), zr=FMI)


def _header(payload: Payload) -> Header:
    """Comments end at the first line without a `#`; a later one is a pixel."""
    lines = payload.content[:8192].split(b"\n")
    stop = next(i for i, line in enumerate(lines) if i and not line.startswith(b"#"))
    words = [line[1:].decode("ascii").split() for line in lines[1:stop]]
    comments = {w[0]: w[1:] for w in words if w}
    width, height = (int(v) for v in lines[stop].split())
    size = sum(len(line) + 1 for line in lines[: stop + 2])
    return Header(comments, width, height, int(lines[stop + 1]), size)


def _grid(header: Header) -> Grid:
    centre, true_latitude = (header.comments[key][0] for key in ("centrallongitude", "truelatitude"))
    crs = f"+proj=stere +lat_0=90 +lon_0={centre} +lat_ts={true_latitude} +R={EARTH_RADIUS} +units=m +no_defs"
    corners = (header.comments[key] for key in ("bottomleft", "topright"))
    (west, south), (east, north) = (plain_projection(crs)(float(lon), float(lat)) for lon, lat in corners)
    return Grid(
        crs, west, north, (east - west) / header.width, (north - south) / header.height, header.height, header.width
    )
