"""Cut fields as CoverageJSON, GeoJSON, CSV and NetCDF."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import xarray as xr
from numpy.typing import NDArray

from nowcast.core.grid import Grid
from nowcast.core.timeline import isoformat
from nowcast.core.types import FloatField
from nowcast.edr.cells import CRS84, NATIVE, Cells
from nowcast.edr.parameters import Parameter


class Format(StrEnum):
    """What an answer is written as."""

    COVERAGE_JSON = "CoverageJSON"
    GEOJSON = "GeoJSON"
    CSV = "CSV"
    NETCDF = "NetCDF"


@dataclass(frozen=True, eq=False)
class Cut:
    """What is to be written: parameters with their values (time, y, x) at cells; `told` says where they come from."""

    grid: Grid
    cells: Cells
    times: list[datetime]
    fields: Mapping[str, tuple[Parameter, FloatField]]
    told: Mapping[str, Any]


def coverage_json(cut: Cut) -> bytes:
    """A PointSeries for a place, a Grid for cells; `nowcast:provenance` beside the domain. CoverageJSON 1.0."""
    x, y = np.round(cut.cells.x, 9), np.round(cut.cells.y, 9)
    axes = {"x": {"values": x}, "y": {"values": y}, "t": {"values": [isoformat(time) for time in cut.times]}}
    domain = {
        "type": "Domain",
        "domainType": "PointSeries" if cut.cells.is_place else "Grid",
        "axes": axes,
        "referencing": [
            {"coordinates": ["x", "y"], "system": _spatial_system(cut)},
            {"coordinates": ["t"], "system": {"type": "TemporalRS", "calendar": "Gregorian"}},
        ],
    }
    found = {
        "type": "Coverage",
        "domain": domain,
        "parameters": {name: _described(parameter) for name, (parameter, _) in cut.fields.items()},
        "ranges": {name: _range(values, cut.cells.is_place) for name, (_, values) in cut.fields.items()},
        "nowcast:provenance": cut.told,
    }
    return orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY)


def geo_json(cut: Cut) -> bytes:
    """A feature per cell that holds anything, its values as lists by time; longitude and latitude. RFC 7946."""
    lon, lat = (np.round(v, 6) for v in lonlat(cut))
    known = np.any([np.isfinite(values).any(axis=0) for _, values in cut.fields.values()], axis=0)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [float(lon[row, col]), float(lat[row, col])]},
            "properties": {name: _listed(values[:, row, col]) for name, (_, values) in cut.fields.items()},
        }
        for row, col in np.argwhere(known | cut.cells.is_place)
    ]
    times = [isoformat(time) for time in cut.times]
    units = {name: parameter.unit for name, (parameter, _) in cut.fields.items()}
    found = {"type": "FeatureCollection", "times": times, "units": units, "nowcast:provenance": cut.told}
    return orjson.dumps(found | {"features": features}, option=orjson.OPT_SERIALIZE_NUMPY)


def csv(cut: Cut) -> bytes:
    """A line per time and cell inside: time, longitude, latitude, parameters; empty where nothing is known."""
    inside = cut.cells.rows >= 0
    lon, lat = (np.round(axis[inside], 6) for axis in lonlat(cut))
    columns = {
        "time": np.repeat([isoformat(time) for time in cut.times], len(lon)),
        "longitude": np.tile(lon, len(cut.times)),
        "latitude": np.tile(lat, len(cut.times)),
    }
    values = {name: _two_decimals(values[:, inside].ravel()) for name, (_, values) in cut.fields.items()}
    table = pa.table({name: pa.array(v, from_pandas=True) for name, v in (columns | values).items()})
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(quoting_style="none"))
    return bytes(sink.getvalue())


def netcdf(cut: Cut) -> bytes:
    """CF, dims (time, y, x) or (time, latitude, longitude)."""
    vertical, horizontal = ("y", "x") if cut.cells.crs == NATIVE else ("latitude", "longitude")
    dims = ("time", vertical, horizontal)
    variables = {
        name: (dims, values, _cf_attributes(parameter), {"zlib": True, "complevel": 4})
        for name, (parameter, values) in cut.fields.items()
    }
    mapping = (cut.grid if cut.cells.crs == NATIVE else Grid("OGC:CRS84", 0, 0, 1, 1, 1, 1)).projection.to_cf()
    axes = {vertical: cut.cells.y, horizontal: cut.cells.x}
    found = xr.Dataset(
        {**variables, "crs": ((), np.int32(0), {key: v for key, v in mapping.items() if v is not None})},
        {"time": np.array([time.replace(tzinfo=None) for time in cut.times], "datetime64[ns]")}
        | {axis: ((axis,), values, AXES[axis]) for axis, values in axes.items()},
        {"Conventions": "CF-1.11", **{name: _attribute(value) for name, value in cut.told.items()}},
    )
    found.time.attrs["standard_name"] = "time"
    with tempfile.TemporaryDirectory() as folder:
        found.to_netcdf(path := Path(folder) / "cut.nc", encoding={"time": {"units": "seconds since 1970-01-01"}})
        return path.read_bytes()


AXES: dict[str, dict[str, str]] = {
    "x": {"standard_name": "projection_x_coordinate", "units": "m", "axis": "X"},
    "y": {"standard_name": "projection_y_coordinate", "units": "m", "axis": "Y"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
    "latitude": {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
}

ENCODERS: dict[Format, tuple[str, Callable[[Cut], bytes]]] = {
    Format.COVERAGE_JSON: ("application/prs.coverage+json", coverage_json),
    Format.GEOJSON: ("application/geo+json", geo_json),
    Format.CSV: ("text/csv", csv),
    Format.NETCDF: ("application/x-netcdf", netcdf),
}
"""Format -> media type and encoder."""


def lonlat(cut: Cut) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """WGS 84 longitudes and latitudes of the cells, (y, x)."""
    x, y = np.meshgrid(cut.cells.x, cut.cells.y)
    return (x, y) if cut.cells.crs == CRS84 else cut.grid.lonlat_at(x, y)


def _spatial_system(cut: Cut) -> dict[str, str]:
    if cut.cells.crs == CRS84:
        return {"type": "GeographicCRS", "id": CRS84}
    kind = "GeographicCRS" if cut.grid.projection.is_geographic else "ProjectedCRS"
    return {"type": kind, "wkt": cut.grid.projection.to_wkt()}


def _described(parameter: Parameter) -> dict[str, Any]:
    """A CoverageJSON parameter."""
    observed = {"label": {"en": parameter.label}}
    if parameter.standard_name:
        observed["id"] = f"http://vocab.nerc.ac.uk/standard_name/{parameter.standard_name}/"  # type: ignore[assignment]
    symbol = {"value": parameter.unit, "type": "http://www.opengis.net/def/uom/UCUM/"}
    return {"type": "Parameter", "observedProperty": observed, "unit": {"symbol": symbol}}


def _range(values: FloatField, is_place: bool) -> dict[str, Any]:
    axes = ["t"] if is_place else ["t", "y", "x"]
    shape = [len(values)] if is_place else list(values.shape)
    return {"type": "NdArray", "dataType": "float", "axisNames": axes, "shape": shape, "values": values.ravel()}


def _listed(values: FloatField) -> list[float | None]:
    return [None if value != value else round(float(value), 2) for value in values]


def _two_decimals(values: FloatField) -> NDArray[np.float64]:
    return np.asarray(np.round(values.astype(np.float64), 2), np.float64)


def _cf_attributes(parameter: Parameter) -> dict[str, str]:
    named = {"standard_name": parameter.standard_name} if parameter.standard_name else {}
    units = "mm h-1" if parameter.unit == "mm/h" else parameter.unit
    return {"long_name": parameter.label, "units": units, "grid_mapping": "crs", **named}


def _attribute(value: Any) -> str | int:
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)
