"""MeteoSwiss AQC rain sums as 8-bit GIF.

The palette index codes mm in 5 min on a log scale with Z = 316 R^1.5: index i > 1 stands for
(10^((i - 71.5) / 20) / 316)^(1 / 1.5); 0 and 1 are dry, 251-254 unused, 255 outside coverage. The grid (Swiss LV03,
640 x 710 km) is fixed; time is in the GIF comment.
"""

import io
import re
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from PIL import Image

from nowcast.core.grid import Grid
from nowcast.core.rain import METEOSWISS
from nowcast.core.scan import Scan
from nowcast.core.timeline import utc
from nowcast.core.types import FloatField
from nowcast.sources.payload import BadScan, Payload

OUTSIDE = 255
FIRST_UNUSED = 251
LV03 = (
    "+proj=somerc +lat_0=46.9524055555556 +lon_0=7.43958333333333 +k_0=1 +x_0=600000 +y_0=200000 +ellps=bessel "
    "+towgs84=674.374,15.056,405.346,0,0,0,0 +units=m +no_defs"
)
GRID = Grid(LV03, 255_000.0, 480_000.0, 1000.0, 1000.0, 640, 710)
ACCUMULATION = re.compile(rb"PRDT=AQC(\d{9}) .*ACCUm=0*(\d+) ")


def recognises(payload: Payload) -> bool:
    """A GIF whose comment was written by MeteoSwiss for the AQC product."""
    return payload.content[:4] == b"GIF8" and b"PRDT=AQC" in payload.content


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file, as mm h-1."""
    with Image.open(io.BytesIO(payload.content), formats=["GIF"]) as image:
        if image.size != GRID.shape[::-1]:
            raise BadScan(payload.name, f"image is {image.size[::-1]}, the Swiss domain is {GRID.shape}")
        index = np.asarray(image)
        comment = bytes(image.info.get("comment", b""))
    found = ACCUMULATION.search(comment)
    if not found:
        raise BadScan(payload.name, f"no time and accumulation in the GIF comment {comment[:80]!r}")
    minutes = int(found[2])
    rate = _table()[index] * np.float32(60.0 / minutes)
    yield Scan(
        "mch-gif",
        "AQC",
        utc(found[1].decode(), "%y%j%H%M"),
        "rain_rate",
        rate,
        index != OUTSIDE,
        GRID,
        zr=METEOSWISS,
        interval=timedelta(minutes=minutes),
    )


def _table() -> FloatField:
    """mm per accumulation for each palette index."""
    index = np.arange(256)
    amount = (10.0 ** ((index - 71.5) / 20.0) / METEOSWISS.a) ** (1.0 / METEOSWISS.b)
    amount[:2] = amount[FIRST_UNUSED:OUTSIDE] = 0.0
    amount[OUTSIDE] = np.nan
    return amount.astype(np.float32)
