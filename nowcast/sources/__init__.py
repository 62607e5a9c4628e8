"""File formats. Vendor words stop here: every reader turns a file's content into Scans."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from rasterio.errors import RasterioError

from nowcast.core.scan import Scan
from nowcast.sources import (
    bom_netcdf,
    dwd_radolan,
    fmi_geotiff,
    fmi_pgm,
    knmi_hdf5,
    mch_gif,
    meteonet,
    mrms_grib2,
    odim_hdf5,
)
from nowcast.sources.limits import MAX_SCANS
from nowcast.sources.payload import BadScan, Payload, load
from nowcast.sources.projection import require_usable


@dataclass(frozen=True)
class Format:
    """How a format is recognised by content, and read."""

    recognises: Callable[[Payload], bool]
    read: Callable[[Payload], Iterator[Scan]]


SOURCES: dict[str, Format] = {
    "fmi-pgm": Format(fmi_pgm.recognises, fmi_pgm.read),
    "fmi-geotiff": Format(fmi_geotiff.recognises, fmi_geotiff.read),
    "mch-gif": Format(mch_gif.recognises, mch_gif.read),
    "bom-netcdf": Format(bom_netcdf.recognises, bom_netcdf.read),
    "knmi-hdf5": Format(knmi_hdf5.recognises, knmi_hdf5.read),
    "odim-hdf5": Format(odim_hdf5.recognises, odim_hdf5.read),
    "mrms-grib2": Format(mrms_grib2.recognises, mrms_grib2.read),
    "dwd-radolan": Format(dwd_radolan.recognises, dwd_radolan.read),
    "meteonet": Format(meteonet.recognises, meteonet.read),
}

DAMAGE = (
    OSError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    UnicodeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    UnidentifiedImageError,
    Image.DecompressionBombError,
    RasterioError,
)
"""What the format libraries raise on damaged files."""


def recognise(payload: Payload) -> str:
    """The name in SOURCES of the format of this content; BadScan when there is none."""
    for name, source in SOURCES.items():
        try:
            if source.recognises(payload):
                return name
        except BadScan:
            raise
        except DAMAGE as error:
            raise BadScan(payload.name, f"damaged: {type(error).__name__}: {error}") from error
    raise BadScan(payload.name, "content is of no known radar format")


def scans_in(path: Path) -> Iterator[Scan]:
    """The scans of a file in time order, of whichever known format its content is.

    Raises BadScan, naming the file and the reason, when it is truncated, corrupt, of no known format, or holds more
    scans than any feed packs together. OSError when the file cannot be read.
    """
    payload = load(path)
    source = recognise(payload)
    count = 0
    try:
        for count, scan in enumerate(SOURCES[source].read(payload), 1):
            if count > MAX_SCANS:
                raise BadScan(payload.name, f"more than {MAX_SCANS} scans")
            require_usable(scan.grid)
            yield scan
    except BadScan:
        raise
    except DAMAGE as error:
        raise BadScan(payload.name, f"damaged {source} file: {type(error).__name__}: {error}") from error
    if not count:
        raise BadScan(payload.name, f"{source} file holds no scan")


def decode(path: Path) -> list[Scan]:
    """All of `scans_in` at once, in this process; `sandbox.decode` does the same in one that may die."""
    return list(scans_in(path))
