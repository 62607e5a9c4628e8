"""Rain fields in the form that pysteps' importers give and its nowcasts take (Pulkkinen et al. 2019), and back.

pysteps itself is not needed. Its conventions: pysteps.readthedocs.io, `pysteps.io.importers`.
"""

import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from nowcast.core.grid import Grid
from nowcast.core.rain import WET
from nowcast.core.timeline import as_utc
from nowcast.store.query import completed, grid_of, observed_rain
from nowcast.store.template import Variable, forecast_template, group_attributes

UNIT = "mm/h"

NEEDED = ("projection", "x1", "y1", "x2", "y2", "unit")
"""Metadata without which a forecast has no place or no meaning."""

Fields = tuple[NDArray[np.float64], dict[str, Any], list[datetime]]
"""Rain rates (t, y, x), their metadata, and their times."""


def to_pysteps(found: xr.Dataset) -> Fields:
    """Rain rates [mm h-1], pysteps' metadata and times, of a nowcast, a map or box of one, or frames of an archive.

    The rates are (t, y, x), those of an ensemble (member, t, y, x); row 0 is the northernmost, NaN is not known. Times
    are valid times in UTC without an offset, as pysteps has them. ValueError for a point, or other data sets.
    """
    grid = grid_of(found)
    archived = "nowcast:quantity" in found.attrs
    axis = found.time if archived else found.valid_time
    times: list[datetime] = axis.values.astype("datetime64[s]").ravel().tolist()
    rain = observed_rain(found) if archived else found.rain_rate.transpose(..., *axis.dims, "y", "x").values
    rates = rain.astype(np.float64).reshape(*rain.shape[: max(0, rain.ndim - 3)], len(times), *grid.shape)
    return rates, _metadata(found, grid) | {"timestamps": np.array(times)}, times


def from_pysteps(
    forecast: ArrayLike,
    metadata: Mapping[str, Any],
    init_time: datetime,
    cadence: timedelta,
    model: str = "pysteps",
) -> xr.Dataset:
    """A forecast of pysteps as the stores give nowcasts, dims (lead_time, y, x) or (member, lead_time, y, x).

    `forecast` holds rain rates [mm h-1] of leads one `cadence` apart, the first one after `init_time` (UTC); `metadata`
    is that of the frames it was made from. ValueError for other units, shapes or grids than these two tell.
    """
    if absent := [name for name in NEEDED if name not in metadata]:
        raise ValueError(f"metadata lacks {', '.join(absent)}")
    fields = np.asarray(forecast)
    if fields.ndim not in (3, 4):
        raise ValueError(f"a forecast is (lead_time, y, x) or (member, lead_time, y, x), not {fields.shape}")
    if metadata["unit"] != UNIT or metadata.get("transform") is not None:
        found = f"{metadata['unit']!r} with transform {metadata.get('transform')!r}"
        raise ValueError(
            f"rain rates must be in mm/h and not transformed, not in {found}: see pysteps.utils.to_rainrate"
        )
    grid = _grid(metadata, fields.shape[-2:])
    if metadata.get("yorigin", "upper") == "lower":
        fields = fields[..., ::-1, :]
    return _laid_out(fields, grid, _minutes(cadence, fields.shape[-3]), init_time, metadata, model)


def _metadata(found: xr.Dataset, grid: Grid) -> dict[str, Any]:
    x1, y1, x2, y2 = grid.bounds
    cadence = found.attrs["nowcast:cadence_s"] / 60
    zr = found.attrs.get("nowcast:zr")
    return {
        "projection": proj_text(grid),
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "xpixelsize": grid.dx,
        "ypixelsize": grid.dy,
        "cartesian_unit": "degrees" if grid.projection.is_geographic else "m",
        "yorigin": "upper",
        "institution": found.attrs.get("institution", ""),
        "product": found.attrs["title"],
        "accutime": cadence,
        "unit": UNIT,
        "transform": None,
        "zerovalue": 0.0,
        "threshold": WET,
        **({"zr_a": zr[0], "zr_b": zr[1]} if zr else {}),
        **({"leadtimes": found.lead_time.values.ravel().astype(float)} if "lead_time" in found.coords else {}),
    }


def proj_text(grid: Grid) -> str:
    """The CRS as PROJ text, which pysteps wants; it may lose the names of datums."""
    if grid.crs.lstrip().startswith("+"):
        return grid.crs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You will likely lose important projection information")
        return str(grid.projection.to_proj4())


def _grid(metadata: Mapping[str, Any], shape: tuple[int, ...]) -> Grid:
    height, width = shape
    if (unit := metadata.get("cartesian_unit", "m")) not in ("m", "degrees"):
        raise ValueError(f"x and y must be in m or degrees, not in {unit}")
    try:
        CRS.from_user_input(metadata["projection"])
    except CRSError as error:
        raise ValueError(f"projection {metadata['projection']!r}: {error}") from error
    x1, y1, x2, y2 = (float(metadata[name]) for name in ("x1", "y1", "x2", "y2"))
    dx = float(metadata.get("xpixelsize") or (x2 - x1) / width)
    dy = float(metadata.get("ypixelsize") or (y2 - y1) / height)
    grid = Grid(metadata["projection"], x1, y2, dx, dy, height, width)
    if not np.allclose(grid.bounds, (x1, y1, x2, y2), rtol=0, atol=1e-3 * min(dx, dy)):
        raise ValueError(f"{height} x {width} pixels of {dx} x {dy} do not fill x {x1} .. {x2}, y {y1} .. {y2}")
    return grid


def _minutes(cadence: timedelta, count: int) -> tuple[int, ...]:
    minutes, rest = divmod(cadence, timedelta(minutes=1))
    if rest or minutes < 1:
        raise ValueError(f"leads must be whole minutes, the cadence is {cadence}")
    return tuple(minutes * (k + 1) for k in range(count))


def _laid_out(
    fields: NDArray[Any],
    grid: Grid,
    minutes: tuple[int, ...],
    init_time: datetime,
    metadata: Mapping[str, Any],
    model: str,
) -> xr.Dataset:
    template = forecast_template(grid, minutes, ())
    coordinates = {name: (template[name].dims, _axis(template[name]), template[name].attributes) for name in AXES}
    dims = ("member",) * (fields.ndim - 3) + ("lead_time", "y", "x")
    rain = {name: value for name, value in template["rain_rate"].attributes.items() if name not in PACKING}
    initial = np.datetime64(as_utc(init_time).replace(tzinfo=None), "ns")
    own = {"nowcast:cadence_s": minutes[0] * 60.0, "institution": metadata.get("institution", "")}
    dataset = xr.Dataset(
        {"rain_rate": (dims, fields, rain), "crs": ((), np.int32(0), template["crs"].attributes), "model": model},
        coordinates | {"init_time": ((), initial, _no_units(template["init_time"]))},
        group_attributes(grid, f"nowcasts by {model}", own),
    )
    if "member" in dims:
        dataset = dataset.assign_coords(member=("member", np.arange(len(fields)), {"standard_name": "realization"}))
    return completed(dataset)


AXES = ("lead_time", "y", "x")
PACKING = ("scale_factor", "_FillValue")


def _axis(variable: Variable) -> NDArray[Any]:
    return np.array(variable.coordinate, variable.dtype)


def _no_units(variable: Variable) -> dict[str, Any]:
    """Attributes of a time, whose units xarray keeps to itself."""
    return {name: value for name, value in variable.attributes.items() if name not in ("units", "calendar")}
