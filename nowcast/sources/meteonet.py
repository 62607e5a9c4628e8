"""Meteo-France MeteoNet archives: many frames of one zone in one .npz.

Rain is 0.01 mm in 5 min with -1 for missing; reflectivity is dBZ with 255 for missing. The dates are pickled; they are
read off the pickle's opcodes, and nothing is unpickled: numpy's array and dtype alone, given a state that contradicts
itself, take bytes for pointers. The two zones are told apart by their shape, the two quantities by the mark of their
missing pixels: each zone reaches beyond its radars.
"""

import io
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.core.types import BoolField, FloatField
from nowcast.sources.limits import MAX_SCANS
from nowcast.sources.payload import BadScan, Payload

INTERVAL = timedelta(minutes=5)
MISSING_RAIN, MISSING_REFLECTIVITY = -1, 255
ZONES = {
    (565, 784): Grid("EPSG:4326", -5.842, 51.896, 0.01, 0.01, 565, 784),
    (515, 784): Grid("EPSG:4326", 2.0, 46.25, 0.01, 0.01, 515, 784),
}
"""Shape -> north-west and south-east France; MeteoNet's radar_coords files give the pixel centres."""
WORDS = {
    *("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "_reconstruct", "ndarray", "dtype"),
    *("numpy ndarray", "numpy dtype", "numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"),
    *("datetime", "datetime datetime", "O8", "|"),
}
"""Every text in the pickle of an object array of datetimes, by protocols 2 to 5."""
DATE_BYTES = 10
MAX_DATES_BYTES = 1 << 20
"""A third of it holds MAX_SCANS dates."""


def recognises(payload: Payload) -> bool:
    """A zip with the three arrays of a MeteoNet radar file."""
    if payload.content[:4] != b"PK\x03\x04":
        return False
    with zipfile.ZipFile(io.BytesIO(payload.content)) as archive:
        return {"data.npy", "dates.npy", "miss_dates.npy"} <= set(archive.namelist())


def read(payload: Payload) -> Iterator[Scan]:
    """All scans of the file in time order."""
    with zipfile.ZipFile(io.BytesIO(payload.content)) as archive:
        with archive.open(_packed(archive, "dates.npy")) as member:
            dates = _dates(member.read(MAX_DATES_BYTES))
        with archive.open(_packed(archive, "data.npy")) as member:
            data = _frames(member, len(dates))
    is_rain = bool((data == MISSING_RAIN).any())
    if not is_rain and not (data == MISSING_REFLECTIVITY).any():
        raise BadScan(payload.name, "no pixel is marked as missing: rain or reflectivity?")
    for date, raw in sorted(zip(dates, data, strict=True), key=lambda pair: pair[0]):
        yield _scan(date, raw, is_rain=is_rain)


def _scan(date: datetime, raw: FloatField, *, is_rain: bool) -> Scan:
    coverage: BoolField = raw != (MISSING_RAIN if is_rain else MISSING_REFLECTIVITY)
    grid = ZONES[raw.shape]
    if is_rain:
        rate = np.where(coverage, raw * (0.01 * (timedelta(hours=1) / INTERVAL)), np.nan).astype(np.float32)
        return Scan("meteonet", "rainfall", date, "rain_rate", rate, coverage, grid, interval=INTERVAL)
    values = np.where(coverage, np.where(raw > 0, raw, NO_ECHO), np.nan).astype(np.float32)
    return Scan("meteonet", "reflectivity", date, "reflectivity", values, coverage, grid)


def _packed(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A member that is stored or deflated, as numpy writes them."""
    found = archive.getinfo(name)
    if found.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed by method {found.compress_type}")
    return found


def _frames(member: IO[bytes], count: int) -> NDArray[Any]:
    """The array (time, y, x) of numbers, whose header is judged before anything of its size is read."""
    shape, fortran, dtype = _header(member)
    if len(shape) != 3 or shape[1:] not in ZONES or shape[0] != count or count > MAX_SCANS:
        raise ValueError(f"{count} dates for data {shape}, known zones {list(ZONES)}")
    if fortran or dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise ValueError(f"data are {dtype}, not numbers by rows")
    frames = np.empty(shape, dtype)
    room = frames.data.cast("B")
    while room and (got := member.readinto(room)):  # type: ignore[attr-defined]
        room = room[got:]
    if room or member.read(1):
        raise ValueError("data are shorter or longer than they say")
    return frames


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether by columns, and type of a .npy file of version 1."""
    if (version := np.lib.format.read_magic(member)) != (1, 0):
        raise ValueError(f"array of version {version}")
    return np.lib.format.read_array_header_1_0(member)


def _dates(member: bytes) -> list[datetime]:
    """Every datetime of a pickled array, in order; ValueError when the pickle names anything else."""
    stream, found = io.BytesIO(member), []
    shape, *_ = _header(stream)
    for opcode, argument, _ in pickletools.genops(stream):
        if isinstance(argument, str) and argument not in WORDS:
            raise ValueError(f"refuses to unpickle {argument[:80]}")
        if isinstance(argument, bytes) and len(argument) == DATE_BYTES:
            found.append(_date(argument))
        elif opcode.name == "STOP":
            break
    if shape != (len(found),):
        raise ValueError(f"{len(found)} dates for {shape}")
    return found


def _date(packed: bytes) -> datetime:
    """The bytes that a datetime without a time zone is pickled as."""
    year, month, day, hour, minute, second = struct.unpack(">H5B", packed[:7])
    microsecond = int.from_bytes(packed[7:], "big")
    return datetime(year, month, day, hour, minute, second, microsecond, UTC)
