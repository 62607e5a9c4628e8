"""Meteo-France MeteoNet archives: many frames of one zone in one .npz.

Rain is 0.01 mm in 5 min with -1 for missing; reflectivity is dBZ with 255 for missing. The dates are pickled, so
they are read by an unpickler that knows datetimes and nothing else. The two zones are told apart by their shape, the
two quantities by the mark of their missing pixels: each zone reaches beyond its radars.
"""

import io
import pickle
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.core.types import BoolField, FloatField
from nowcast.sources.payload import BadScan, Payload

INTERVAL = timedelta(minutes=5)
MISSING_RAIN, MISSING_REFLECTIVITY = -1, 255
ZONES = {
    (565, 784): Grid("EPSG:4326", -5.842, 51.896, 0.01, 0.01, 565, 784),
    (515, 784): Grid("EPSG:4326", 2.0, 46.25, 0.01, 0.01, 515, 784),
}
"""Shape -> north-west and south-east France; MeteoNet's radar_coords files give the pixel centres."""
SAFE = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty((0,), object).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty((0,), object).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("datetime", "datetime"): datetime,
}


class _DatesOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in SAFE:
            raise ValueError(f"refuses to unpickle {module}.{name}")
        return SAFE[module, name]


def recognises(payload: Payload) -> bool:
    """A zip with the three arrays of a MeteoNet radar file."""
    if payload.content[:4] != b"PK\x03\x04":
        return False
    with zipfile.ZipFile(io.BytesIO(payload.content)) as archive:
        return {"data.npy", "dates.npy", "miss_dates.npy"} <= set(archive.namelist())


def read(payload: Payload) -> Iterator[Scan]:
    """All scans of the file in time order."""
    with zipfile.ZipFile(io.BytesIO(payload.content)) as archive:
        data = np.lib.format.read_array(io.BytesIO(archive.read("data.npy")), allow_pickle=False)
        dates = _dates(archive.read("dates.npy"))
    if data.shape[1:] not in ZONES or len(dates) != len(data):
        raise BadScan(payload.name, f"{len(dates)} dates for data {data.shape}, known zones {list(ZONES)}")
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


def _dates(member: bytes) -> list[datetime]:
    stream = io.BytesIO(member)
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    return [date.replace(tzinfo=UTC) for date in _DatesOnly(stream).load()]
