"""A nowcast as CF-1.11 NetCDF, for xarray, GDAL, cdo and ncview; or laid out as pysteps reads its own files."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import nowcast
from nowcast.core.grid import Grid
from nowcast.exports.origin import lineage, origin
from nowcast.exports.whole import whole
from nowcast.store.template import TILE, grid_mapping

FIELDS = ("rain_rate", "rain_rate_quantile", "probability", "radar_coverage")
PACKING = ("dtype", "scale_factor", "add_offset", "_FillValue")
EPOCH = "seconds since 1970-01-01 00:00:00"

PYSTEPS_MAPPINGS = {
    "polar_stereographic": "polar_stereographic",
    "albers_conical_equal_area": "proj",
    "lambert_conformal_conic": "lcc",
}
"""CF projection -> the variable in which pysteps looks for it."""


class Convention(StrEnum):
    """Names of the variables: ours, or those of pysteps' NetCDF exporter, with the rain rate alone."""

    CF = "cf"
    PYSTEPS = "pysteps"


def write_netcdf(found: xr.Dataset, path: Path, convention: Convention = Convention.CF) -> None:
    """A nowcast, or a map, box or point of one, as store.query gives it; the file appears whole or not at all.

    Dims (time, ..., y, x) with valid times; packed as in the store, compressed. OSError when it cannot be written.
    """
    made = laid_out(found)
    packed = {name: _packing(found[name], made[name]) for name in FIELDS if name in made}
    if convention is Convention.PYSTEPS:
        made, packed = _as_pysteps(made, packed)
    with whole(path) as fresh:
        writing = made.to_netcdf(fresh, engine="netcdf4", encoding=_encoding(made) | packed, compute=False)
        writing.compute(scheduler="synchronous")  # type: ignore[no-untyped-call]


def laid_out(found: xr.Dataset) -> xr.Dataset:
    """The same with CF's coordinates: valid time as axis, lead and initial time beside it, latitudes and longitudes."""
    grid = Grid.from_json(found.attrs["nowcast:grid"])
    kept = found[[name for name in FIELDS if name in found]].drop_encoding()
    if "lead_time" in kept.dims:
        kept = kept.swap_dims(lead_time="valid_time")
    made = kept.rename(valid_time="time").assign_coords(_places(found, grid)).assign(crs=_mapping(found, grid))
    made.init_time.attrs.pop("axis", None)
    made.time.attrs = {"standard_name": "time", "long_name": "valid time", "axis": "T"}
    made.lead_time.attrs = {"standard_name": "forecast_period", "long_name": "lead time", "units": "minutes"}
    if "flag_values" in made.get("radar_coverage", xr.DataArray()).attrs:
        made.radar_coverage.attrs["flag_values"] = np.array(made.radar_coverage.attrs["flag_values"], np.uint8)
    made.attrs = _attributes(found)
    return made.chunk({dim: TILE for dim in ("y", "x") if dim in made.dims})


def _places(found: xr.Dataset, grid: Grid) -> dict[str, Any]:
    """Latitude and longitude [degrees] of every pixel, on grids whose axes are not these already."""
    if grid.projection.is_geographic:
        return {}
    dims = tuple(dim for dim in ("y", "x") if dim in found.dims)
    lon, lat = grid.lonlat_at(*np.meshgrid(found.x.values, found.y.values))
    shape = tuple(found.sizes[dim] for dim in dims)
    names = (("lat", lat, "latitude", "degrees_north"), ("lon", lon, "longitude", "degrees_east"))
    return {
        name: (dims, values.reshape(shape), {"standard_name": standard, "long_name": standard, "units": units})
        for name, values, standard, units in names
    }


def _mapping(found: xr.Dataset, grid: Grid) -> xr.DataArray:
    """The projection by CF's attributes and WKT; for GDAL also the corner and size of pixels of a map or box."""
    attributes = grid_mapping(grid)
    attributes["spatial_ref"] = attributes["crs_wkt"]
    if {"y", "x"} <= set(found.dims):
        corner = float(found.x[0]) - grid.dx / 2, float(found.y[0]) + grid.dy / 2
        attributes["GeoTransform"] = f"{corner[0]!r} {grid.dx!r} 0 {corner[1]!r} 0 {-grid.dy!r}"
    mapping = xr.DataArray(np.int32(0), attrs=attributes)
    mapping.encoding["coordinates"] = None
    return mapping


def _attributes(found: xr.Dataset) -> dict[str, Any]:
    told = origin(found)
    by = found.attrs.get("institution")
    return {
        "Conventions": "CF-1.11",
        "title": found.attrs.get("title", "precipitation nowcast"),
        **({"institution": by} if by else {}),
        "source": f"nowcast {nowcast.__version__}, model {told['model']}",
        "history": lineage(told),
        **{name: np.int32(value) if isinstance(value, int) else value for name, value in told.items()},
    }


def _packing(stored: xr.DataArray, made: xr.DataArray) -> dict[str, Any]:
    """As in the store, or as it is when it was never stored; deflated, tile by tile, a lead at a time."""
    packing = {key: stored.encoding[key] for key in PACKING if key in stored.encoding}
    packing |= {"dtype": np.dtype(packing["dtype"]).name} if "dtype" in packing else {}
    if "y" not in made.dims or "x" not in made.dims:
        return packing
    chunk = tuple(min(made.sizes[dim], TILE) if dim in ("y", "x") else 1 for dim in made.dims)
    return packing | {"zlib": True, "complevel": 4, "shuffle": True, "chunksizes": chunk}


def _encoding(made: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Of the coordinates: no value is missing in them; times in seconds, which pysteps counts from the initial time."""
    since = str(made.init_time.values.astype("datetime64[s]")).replace("T", " ")
    plain: dict[str, dict[str, Any]] = {str(name): {"_FillValue": None} for name in made.coords}
    for name in {"lat", "lon"} & set(plain):
        plain[name] |= {"zlib": True, "complevel": 4, "shuffle": True} if made[name].ndim else {}
    plain["time"] |= {"units": f"seconds since {since}", "dtype": "int32"}
    plain["init_time"] |= {"units": EPOCH, "dtype": "float64"}
    return plain


def _as_pysteps(made: xr.Dataset, packed: dict[str, Any]) -> tuple[xr.Dataset, dict[str, Any]]:
    """With the names that pysteps' importer of its own files looks for (pysteps.io.nowcast_importers)."""
    mapping = PYSTEPS_MAPPINGS.get(made.crs.attrs.get("grid_mapping_name", ""), "crs")
    names = {"rain_rate": "precip_intensity", "crs": mapping} | ({"member": "ens_number"} if "member" in made else {})
    renamed = made[["rain_rate", "crs"]].rename(names)
    renamed.precip_intensity.attrs |= {"grid_mapping": mapping, "long_name": "instantaneous precipitation rate"}
    return renamed, {"precip_intensity": packed["rain_rate"]}
