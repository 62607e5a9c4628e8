"""KNMI HDF5 composites: rain sums (RAP, RAU, RAC) and reflectivity (PCP).

The packing is a text such as `GEO = 0.5 * PV + -32`. Lengths are in km, and the PROJ text of some years lacks a `+`.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import h5py
import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.core.timeline import utc
from nowcast.core.types import BoolField, FloatField
from nowcast.sources.hdf5 import array, holds, number, open_hdf5, text
from nowcast.sources.payload import BadScan, Payload

FORMULA = re.compile(r"GEO\s*=\s*(\S+?)\s*\*\s*PV\s*\+\s*(\S+)")
KM = 1000.0


def recognises(payload: Payload) -> bool:
    """HDF5 laid out by KNMI's data format 3."""
    return holds(payload, "overview", "geographic/map_projection", "image1/calibration", "image1/image_data")


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file: dBZ, or mm h-1 for sums."""
    with open_hdf5(payload) as file:
        if number(file["overview"], "number_image_groups") != 1:
            raise BadScan(payload.name, "holds several images: a forecast, not a scan")
        values, coverage = _physical(file["image1"])
        start, end = (_time(file["overview"], f"product_datetime_{edge}") for edge in ("start", "end"))
        product = text(file["image1"], "image_product_name")
        quantity = text(file["image1"], "image_geo_parameter")
        grid = _grid(file["geographic"])
    if quantity == "REFLECTIVITY_[DBZ]":
        yield Scan("knmi-hdf5", product, end, "reflectivity", values, coverage, grid)
    elif quantity == "ACCUMULATED_PRECIPITATION_[MM]" and end > start:
        rate = values * np.float32(timedelta(hours=1) / (end - start))
        yield Scan("knmi-hdf5", product, end, "rain_rate", rate, coverage, grid, interval=end - start)
    else:
        raise BadScan(payload.name, f"{quantity} from {start} to {end} is neither reflectivity nor a rain sum")


def _physical(image: h5py.Group) -> tuple[FloatField, BoolField]:
    calibration = image["calibration"]
    found = FORMULA.match(text(calibration, "calibration_formulas"))
    if not found:
        raise ValueError(f"cannot read the formula {text(calibration, 'calibration_formulas')!r}")
    raw = array(image["image_data"])
    outside, missing = (number(calibration, f"calibration_{k}") for k in ("out_of_image", "missing_data"))
    coverage = raw != outside
    values = raw.astype(np.float32) * np.float32(found[1]) + np.float32(found[2])
    if missing != outside:
        values[raw == missing] = NO_ECHO
    return np.where(coverage, values, np.float32(np.nan)), coverage


def _time(overview: h5py.Group, name: str) -> datetime:
    return utc(text(overview, name), "%d-%b-%Y;%H:%M:%S.%f")


def _grid(geographic: h5py.Group) -> Grid:
    """Lengths are float32 kilometres with rounding noise; the grid's are whole metres."""
    dx = round(number(geographic, "geo_pixel_size_x") * KM)
    dy = -round(number(geographic, "geo_pixel_size_y") * KM)
    x0 = round(number(geographic, "geo_column_offset") * dx)
    y0 = -round(number(geographic, "geo_row_offset") * number(geographic, "geo_pixel_size_y") * -KM)
    height, width = (int(number(geographic, f"geo_number_{k}")) for k in ("rows", "columns"))
    crs = _crs(text(geographic["map_projection"], "projection_proj4_params"))
    return Grid(crs, float(x0), float(y0), float(dx), float(dy), height, width)


def _crs(proj: str) -> str:
    """The PROJ text with every `+` in place and the ellipsoid in metres."""
    pairs = dict(word.lstrip("+").split("=") for word in proj.split())
    for axis in ("a", "b"):
        pairs[axis] = f"{float(pairs[axis]) * KM:.0f}"
    return " ".join(f"+{key}={value}" for key, value in pairs.items()) + " +units=m +no_defs"
