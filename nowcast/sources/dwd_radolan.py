"""DWD RADOLAN binary rain sums (RY, YW, RW and their like): a text header up to byte 3, then 16-bit pixels.

DWD, RADOLAN/RADVOR-OP Kompositformat: the low 12 bits are the value, in 10^precision mm; bit 14 marks nodata, bit 15 a
negative value, bit 16 clutter. Rows run from south to north. The grid is polar stereographic on a sphere of 6370.04 km
and placed by the pixel of 9 E, 51 N.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from pyproj import Proj

from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.core.timeline import utc
from nowcast.sources.payload import BadScan, Payload

HEADER = re.compile(
    rb"(?P<product>R[YWH]|YW|S[FQH]|EW)(?P<ddhhmm>\d{6})\d{5}(?P<mmyy>\d{4})BY *(?P<length>\d+)VS"
    rb".*?PR E-(?P<digits>\d\d)INT *(?P<minutes>\d+).*?GP *(?P<rows>\d+)x *(?P<columns>\d+)"
)
VALUE, NODATA, NEGATIVE, CLUTTER = 0x0FFF, 0x2000, 0x4000, 0x8000
CRS = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6370040 +units=m +no_defs"
REFERENCE_COLUMN_ROW = {(900, 900): (450, 450), (1100, 900): (370, 550), (1500, 1400): (600, 800)}
"""(rows, columns) of a domain -> pixels from its south-west corner to 9 E, 51 N."""


def recognises(payload: Payload) -> bool:
    """A RADOLAN header of a 16-bit rain sum."""
    return HEADER.match(payload.content[:512]) is not None


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file, as mm h-1; clutter counts as not observed."""
    header = HEADER.match(payload.content[:512])
    assert header is not None
    rows, columns = int(header["rows"]), int(header["columns"])
    body = payload.content[payload.content.index(b"\x03") + 1 :]
    if len(body) != 2 * rows * columns or len(payload.content) != int(header["length"]):
        raise BadScan(payload.name, f"{len(payload.content)} bytes, header says {int(header['length'])}")
    raw = np.frombuffer(body, "<u2").reshape(rows, columns)[::-1]
    coverage = (raw & (NODATA | NEGATIVE | CLUTTER)) == 0
    interval = timedelta(minutes=int(header["minutes"]))
    scale = 10.0 ** -int(header["digits"]) * (timedelta(hours=1) / interval)
    rate = np.where(coverage, (raw & VALUE) * scale, np.nan).astype(np.float32)
    nominal_time = utc((header["mmyy"] + header["ddhhmm"]).decode(), "%m%y%d%H%M")
    product = header["product"].decode()
    yield Scan(
        "dwd-radolan", product, nominal_time, "rain_rate", rate, coverage, _grid(rows, columns), interval=interval
    )


def _grid(rows: int, columns: int) -> Grid:
    if (rows, columns) not in REFERENCE_COLUMN_ROW:
        raise ValueError(f"no RADOLAN domain has {rows} x {columns} pixels")
    x, y = Proj(CRS)(9.0, 51.0)
    column, row = REFERENCE_COLUMN_ROW[rows, columns]
    west, north = x - 1000.0 * column, y + 1000.0 * (rows - row)
    return Grid(CRS, round(west, 1), round(north, 1), 1000.0, 1000.0, rows, columns)
