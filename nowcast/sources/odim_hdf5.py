"""ODIM HDF5 composites (OPERA data information model 2.x): RATE, ACRR and DBZH, and a writer for RATE.

Every `what` attribute may sit on the data, the dataset or the file; the nearest one counts.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
from pyproj import Proj

from nowcast.core.grid import Grid
from nowcast.core.rain import MARSHALL_PALMER, NO_ECHO, ZR
from nowcast.core.scan import Scan
from nowcast.core.timeline import utc
from nowcast.core.types import BoolField, FloatField
from nowcast.sources.hdf5 import array, holds, number, open_hdf5, text
from nowcast.sources.payload import BadScan, Payload
from nowcast.sources.projection import plain_projection

QUANTITIES = ("RATE", "ACRR", "DBZH", "TH")
NODATA, UNDETECT = -9_999_000.0, -8_888_000.0


def recognises(payload: Payload) -> bool:
    """HDF5 with ODIM's three root groups and one dataset at least."""
    return holds(payload, "what", "where", "dataset1/data1/data")


def read(payload: Payload) -> Iterator[Scan]:
    """The first rain or reflectivity field of a composite."""
    with open_hdf5(payload) as file:
        if (kind := text(file["what"], "object")) not in ("COMP", "IMAGE"):
            raise BadScan(payload.name, f"ODIM object {kind} is not a composite")
        dataset, data, quantity = _find(payload, file)
        values, coverage = _physical(array(data["data"]), data, dataset, quantity)
        nominal_time = _time(file["what"], "")
        interval = _time(dataset["what"], "end") - _time(dataset["what"], "start")
        grid, zr = _grid(file["where"]), _zr(data)
        product = f"{text(file['what'], 'source')} {text(dataset['what'], 'product')} {quantity}"
    if quantity in ("DBZH", "TH"):
        yield Scan("odim-hdf5", product, nominal_time, "reflectivity", values, coverage, grid, zr)
        return
    if quantity == "RATE":
        yield Scan("odim-hdf5", product, nominal_time, "rain_rate", values, coverage, grid, zr)
        return
    if not interval:
        raise BadScan(payload.name, "ACRR without an accumulation period")
    rate = values * np.float32(timedelta(hours=1) / interval)
    yield Scan("odim-hdf5", product, nominal_time, "rain_rate", rate, coverage, grid, zr, interval)


def write(scan: Scan, path: Path) -> None:
    """A scan as an ODIM 2.4 RATE composite; `read` gives the same rain rate, coverage, grid and time back."""
    raw = np.where(scan.coverage, np.where(scan.rain_rate > 0, scan.rain_rate, UNDETECT), NODATA)
    day, hour = scan.nominal_time.strftime("%Y%m%d"), scan.nominal_time.strftime("%H%M%S")
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = "ODIM_H5/V2_4"
        what = {"object": "COMP", "version": "H5rad 2.4", "date": day, "time": hour, "source": f"CMT:{scan.source}"}
        file.create_group("what").attrs.update(what)
        file.create_group("where").attrs.update(_where(scan.grid))
        period = {"startdate": day, "starttime": hour, "enddate": day, "endtime": hour}
        file.create_group("dataset1/what").attrs.update(period | {"product": "COMP"})
        file["dataset1"].create_dataset("data1/data", data=raw, compression="gzip", compression_opts=4)
        packing = {"quantity": "RATE", "gain": 1.0, "offset": 0.0, "nodata": NODATA, "undetect": UNDETECT}
        file["dataset1/data1"].create_group("what").attrs.update(packing)


def _find(payload: Payload, file: h5py.File) -> tuple[h5py.Group, h5py.Group, str]:
    for dataset in (file[name] for name in sorted(file) if name.startswith("dataset")):
        for data in (dataset[name] for name in sorted(dataset) if name.startswith("data")):
            quantity = text(_holder("quantity", data, dataset), "quantity")
            if quantity in QUANTITIES:
                return dataset, data, quantity
    raise BadScan(payload.name, f"holds none of {', '.join(QUANTITIES)}")


def _holder(name: str, *groups: h5py.Group) -> h5py.Group:
    """The nearest `what` group that has an attribute."""
    for group in groups:
        if "what" in group and name in group["what"].attrs:
            return group["what"]
    raise KeyError(f"no attribute {name} in {groups[0].name}/what or above")


def _physical(raw: FloatField, data: h5py.Group, dataset: h5py.Group, quantity: str) -> tuple[FloatField, BoolField]:
    gain, offset, nodata, undetect = (
        number(_holder(name, data, dataset), name) for name in ("gain", "offset", "nodata", "undetect")
    )
    dry = NO_ECHO if quantity in ("DBZH", "TH") else 0.0
    coverage = (raw != nodata) & np.isfinite(raw)
    values = np.where(raw == undetect, dry, raw * gain + offset)
    return np.where(coverage, values, np.nan).astype(np.float32), coverage


def _time(what: h5py.Group, edge: str) -> datetime:
    return utc(text(what, f"{edge}date") + text(what, f"{edge}time"), "%Y%m%d%H%M%S")


def _zr(data: h5py.Group) -> ZR:
    how = data.get("how")
    if how is None or "zr_a" not in how.attrs:
        return MARSHALL_PALMER
    return ZR(number(how, "zr_a"), number(how, "zr_b"))


def _grid(where: h5py.Group) -> Grid:
    """Pixel sizes come from the corners where xscale is not in metres, as in MeteoSwiss files."""
    crs = text(where, "projdef")
    place = plain_projection(crs)
    (west, north), (east, south) = (
        place(number(where, f"{corner}_lon"), number(where, f"{corner}_lat")) for corner in ("UL", "LR")
    )
    width, height = (int(number(where, name)) for name in ("xsize", "ysize"))
    dx, dy = (east - west) / width, (north - south) / height
    xscale, yscale = number(where, "xscale"), number(where, "yscale")
    if abs(dx - xscale) < 0.01 * dx and abs(dy - yscale) < 0.01 * dy:
        dx, dy = xscale, yscale
    return Grid(crs, west, north, dx, dy, height, width)


def _where(grid: Grid) -> dict[str, float | int | str]:
    rows, cols = (-0.5, grid.height - 0.5), (-0.5, grid.width - 0.5)
    project = Proj(grid.crs)
    corners: dict[str, float | int | str] = {}
    for vertical, row in zip("UL", rows, strict=True):
        for horizontal, col in zip("LR", cols, strict=True):
            x, y = grid.x0 + (col + 0.5) * grid.dx, grid.y0 - (row + 0.5) * grid.dy
            lon, lat = project(x, y, inverse=True)
            corners |= {f"{vertical}{horizontal}_lon": lon, f"{vertical}{horizontal}_lat": lat}
    return corners | {
        "projdef": grid.crs,
        "xscale": grid.dx,
        "yscale": grid.dy,
        "xsize": grid.width,
        "ysize": grid.height,
    }
