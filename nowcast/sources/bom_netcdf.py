"""Bureau of Meteorology Rainfields 3 sums as CF NetCDF-4: packed mm, axes in km, Albers equal area."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import h5py
import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.sources.hdf5 import array, holds, number, numbers, open_hdf5, text
from nowcast.sources.payload import BadScan, Payload

METRES = {"km": 1000.0, "m": 1.0}


def recognises(payload: Payload) -> bool:
    """NetCDF-4 with a precipitation field, its projection and its accumulation period."""
    return holds(payload, "precipitation", "proj", "start_time", "valid_time", "x", "y")


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file, as mm h-1."""
    with open_hdf5(payload) as file:
        field = file["precipitation"]
        raw = array(field)
        amount = raw * number(field, "scale_factor") + number(field, "add_offset")
        coverage = raw != number(field, "_FillValue")
        start, end = (datetime.fromtimestamp(int(array(file[k])), UTC) for k in ("start_time", "valid_time"))
        product = f"{int(number(file, 'station_id'))} {text(file, 'title')}"
        grid = _grid(file)
    if end <= start:
        raise BadScan(payload.name, f"accumulation from {start} to {end}")
    rate = np.where(coverage, amount / ((end - start) / timedelta(hours=1)), np.nan).astype(np.float32)
    yield Scan("bom-netcdf", product, end, "rain_rate", rate, coverage, grid, interval=end - start)


def _grid(file: h5py.File) -> Grid:
    scale = METRES[text(file["x"], "units")]
    x, y = array(file["x"]) * scale, array(file["y"]) * scale
    dx, dy = float(x[1] - x[0]), float(y[0] - y[1])
    return Grid(_crs(file["proj"]), float(x[0]) - dx / 2, float(y[0]) + dy / 2, dx, dy, len(y), len(x))


def _crs(mapping: h5py.Dataset) -> str:
    if (name := text(mapping, "grid_mapping_name")) != "albers_conical_equal_area":
        raise ValueError(f"grid mapping {name} is not albers_conical_equal_area")
    lat_1, lat_2 = numbers(mapping, "standard_parallel")
    lat_0, lon_0, x_0, y_0, a, b = (
        number(mapping, name)
        for name in (
            "latitude_of_projection_origin",
            "longitude_of_central_meridian",
            "false_easting",
            "false_northing",
            "semi_major_axis",
            "semi_minor_axis",
        )
    )
    return (
        f"+proj=aea +lat_0={lat_0} +lon_0={lon_0} +lat_1={lat_1} +lat_2={lat_2} "
        f"+x_0={x_0} +y_0={y_0} +a={a} +b={b} +units=m +no_defs"
    )
