"""The layout of both stores as data. Change it here and the golden test shows what changed."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec
from zarr.core.metadata import ArrayV3Metadata

from nowcast.core.grid import Grid
from nowcast.core.types import Quantity

LAYOUT = 1
"""Rises when an earlier version would read the store wrongly. Arrays that are only added leave it as it is."""

DIGEST = 32
MOST_INPUTS = 16
"""Scan ids kept with a nowcast."""

TILE = 256
"""Side of a forecast chunk; all leads of a tile lie together, so a map and a point both read little."""

FRAME_TILE = 2048
"""Side of an archive chunk; most composites are one chunk."""

AXIS_BLOCK = 4096
"""Slots per chunk of times and states, which compress to almost nothing."""

DETAIL_BLOCK, INPUT_BLOCK = 128, 32
"""Slots per chunk of what does not, and of the ids of the scans used: a commit writes the newest chunk anew."""

SECONDS = {"units": "seconds since 1970-01-01T00:00:00Z", "calendar": "proleptic_gregorian"}
MISSING_INT64 = int(np.iinfo(np.int64).min)
STATUS_MISSING, STATUS_OBSERVED, STATUS_EMPTY, STATUS_STUCK = 0, 1, 2, 3
STATUS_ISSUED, STATUS_WITHHELD = 1, 2
RADAR_NEVER, RADAR_UNAVAILABLE, RADAR_OK, RADAR_UNKNOWN = 0, 1, 2, 255
"""Seen by no radar in the last day; in the last day but not now; now; not told."""

RADAR_FLAGS = {RADAR_NEVER: "never", RADAR_UNAVAILABLE: "unavailable", RADAR_OK: "ok", RADAR_UNKNOWN: "unknown"}
"""What the flags are called."""


@dataclass(frozen=True)
class Variable:
    """One Zarr array: dimension names, dtype, fill value, chunk lengths, attributes."""

    dims: tuple[str, ...]
    dtype: str
    chunks: tuple[int, ...]
    fill: Any = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    coordinate: tuple[Any, ...] | None = None


Template = Mapping[str, Variable]


def archive_template(grid: Grid, quantity: Quantity) -> Template:
    """The archive of one region: one slot per scan on the time axis, which starts empty."""
    frame = (1, min(grid.height, FRAME_TILE), min(grid.width, FRAME_TILE))
    return {
        "time": _time_axis("time", "time", "nominal time of the scan"),
        **grid_variables(grid),
        quantity: _archive_field(quantity, frame),
        "coverage": Variable(
            ("time", "y", "x"), "bool", frame, False, {"long_name": "observed by radar", "grid_mapping": "crs"}
        ),
        "status": _flags(
            ("time",),
            {"missing": STATUS_MISSING, "observed": STATUS_OBSERVED, "empty": STATUS_EMPTY, "stuck": STATUS_STUCK},
        ),
        "scan_id": Variable(
            ("time", "digest"), "uint8", (DETAIL_BLOCK, DIGEST), 0, {"long_name": "sha256 of the scan"}
        ),
        "file_id": Variable(
            ("time", "digest"), "uint8", (DETAIL_BLOCK, DIGEST), 0, {"long_name": "sha256 of the file"}
        ),
        "received_time": _moment("time", "when the scan was ingested"),
    }


def forecast_template(
    grid: Grid, lead_minutes: Iterable[int], thresholds: Iterable[float], quantiles: Iterable[float] = ()
) -> Template:
    """The forecasts of one region: one slot per initial time, on an axis that starts empty."""
    leads, levels, shares = tuple(lead_minutes), tuple(thresholds), tuple(quantiles)
    tile = (min(grid.height, TILE), min(grid.width, TILE))
    lead_attributes = {"standard_name": "forecast_period", "units": "minutes", "axis": "Z"}
    template = {
        "init_time": _time_axis("init_time", "forecast_reference_time", "nominal time of the newest scan used"),
        "lead_time": Variable(("lead_time",), "int32", (len(leads),), 0, lead_attributes, leads),
        **grid_variables(grid),
        "rain_rate": Variable(
            ("init_time", "lead_time", "y", "x"), "uint16", (1, len(leads), *tile), 65535, _RAIN_RATE_PACKED
        ),
        "radar_coverage": _radar_coverage(tile),
        "status": _flags(
            ("init_time",), {"missing": STATUS_MISSING, "issued": STATUS_ISSUED, "withheld": STATUS_WITHHELD}
        ),
        "rung": _text("step of the fallback ladder that the nowcast stands on"),
        "reason": _text("why the steps above were passed, or all of them"),
        "model": _text("model that made the nowcast"),
        "input_scan_id": Variable(
            ("init_time", "input", "digest"),
            "uint8",
            (INPUT_BLOCK, MOST_INPUTS, DIGEST),
            0,
            {"long_name": "sha256 of the scans used, newest last, zero where fewer"},
        ),
        "input_age": Variable(
            ("init_time",), "int32", (DETAIL_BLOCK,), -1, {"long_name": "age of the newest scan at issue", "units": "s"}
        ),
        "issued_time": _moment("init_time", "when the nowcast was published"),
    }
    if levels:
        template["threshold"] = Variable(
            ("threshold",), "float64", (len(levels),), 0.0, {"units": "mm h-1", "long_name": "rain rate"}, levels
        )
        template["probability"] = Variable(
            ("init_time", "lead_time", "threshold", "y", "x"),
            "uint8",
            (1, len(leads), len(levels), *tile),
            255,
            _PROBABILITY_PACKED,
        )
    if shares:
        template["quantile"] = Variable(("quantile",), "float64", (len(shares),), 0.0, {"units": "1"}, shares)
        template["rain_rate_quantile"] = Variable(
            ("init_time", "lead_time", "quantile", "y", "x"),
            "uint16",
            (1, len(leads), len(shares), *tile),
            65535,
            _RAIN_RATE_PACKED | {"long_name": "rain rate that is not exceeded with this chance"},
        )
    return template


def lay_out(group: zarr.Group, template: Template, attributes: Mapping[str, Any]) -> None:
    """Create every array of a template that is not there, growing axes empty, and fill the fixed coordinates."""
    group.update_attributes(dict(attributes))
    lengths = {"digest": DIGEST, "input": MOST_INPUTS}
    lengths |= {name: len(v.coordinate) for name, v in template.items() if v.coordinate is not None}
    for name, variable in template.items():
        if name in group:
            group[name].update_attributes(dict(variable.attributes))
            continue
        array = group.create_array(
            name,
            shape=tuple(lengths.get(dim, 0) for dim in variable.dims),
            chunks=variable.chunks or "auto",
            dtype=variable.dtype,
            fill_value=variable.fill,
            dimension_names=variable.dims,
            attributes=dict(variable.attributes),
            compressors=None if variable.dtype == "str" else BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"),
        )
        if variable.coordinate is not None:
            array[:] = np.asarray(variable.coordinate)


def grow(group: zarr.Group, axis: str, size: int) -> None:
    """Lengthen every array along its leading `axis` to `size`; new slots hold fill values: missing."""
    for _, array in group.arrays():
        assert isinstance(array.metadata, ArrayV3Metadata)
        if (array.metadata.dimension_names or ())[:1] == (axis,) and array.shape[0] < size:
            array.resize((size, *array.shape[1:]))


def group_attributes(grid: Grid, title: str, history: Mapping[str, Any]) -> dict[str, Any]:
    """CF, GeoZarr (proj:, spatial:) and own attributes of a store."""
    return {
        "Conventions": "CF-1.11",
        "title": title,
        "proj:wkt2": grid.projection.to_wkt(),
        "spatial:dimensions": ["y", "x"],
        "spatial:shape": list(grid.shape),
        "spatial:transform": list(grid.affine),
        "spatial:bbox": list(grid.bounds),
        "spatial:registration": "pixel",
        "nowcast:layout": LAYOUT,
        "nowcast:grid": grid.to_json(),
        "nowcast:grid_fingerprint": grid.fingerprint,
        **history,
    }


def check_grid(group: zarr.Group) -> Grid:
    """The store's grid; ValueError when its attributes and its coordinates disagree, or a later version laid it out."""
    if (layout := int(group.attrs.get("nowcast:layout", 1))) > LAYOUT:  # type: ignore[arg-type]
        raise ValueError(
            f"{group.store_path} has layout {layout}, this version of nowcast reads up to {LAYOUT}: install a newer one"
        )
    grid = Grid.from_json(group.attrs["nowcast:grid"])  # type: ignore[arg-type]
    for name, expected in (("x", grid.x), ("y", grid.y)):
        stored = np.asarray(group[name][:])  # type: ignore[index]
        if not np.allclose(stored, expected, rtol=0, atol=1e-3 * grid.dx):
            raise ValueError(f"coordinate {name} of {group.store_path} does not fit its nowcast:grid attribute")
    return grid


def grid_variables(grid: Grid) -> dict[str, Variable]:
    """The axes x and y, and the grid mapping crs."""
    geographic = grid.projection.is_geographic
    names = ("latitude", "longitude") if geographic else ("projection_y_coordinate", "projection_x_coordinate")
    units = ("degrees_north", "degrees_east") if geographic else ("m", "m")
    axes = {}
    for axis, name, unit, values in zip("yx", names, units, (grid.y, grid.x), strict=True):
        attributes = {"standard_name": name, "units": unit, "axis": axis.upper()}
        axes[axis] = Variable((axis,), "float64", (len(values),), 0.0, attributes, tuple(values))
    mapping = grid_mapping(grid)
    return {**axes, "crs": Variable((), "int32", (), 0, mapping | {"spatial_ref": mapping["crs_wkt"]})}


def grid_mapping(grid: Grid) -> dict[str, Any]:
    """CF attributes of the projection, and what pyproj leaves out of them: the pole of a polar stereographic one, and
    the parameters of Lambert's equal-area one on a sphere."""
    mapping = {key: value for key, value in grid.projection.to_cf().items() if value is not None}
    if mapping.get("grid_mapping_name") == "polar_stereographic" and "standard_parallel" in mapping:
        mapping["latitude_of_projection_origin"] = math.copysign(90.0, mapping["standard_parallel"])
    operation = grid.projection.coordinate_operation
    if operation is not None and operation.method_name == "Lambert Azimuthal Equal Area (Spherical)":
        values = {one.name: one.value for one in operation.params}
        mapping |= {"grid_mapping_name": "lambert_azimuthal_equal_area"}
        mapping |= {cf: values[name] for cf, name in SPHERICAL_EQUAL_AREA.items()}
    return mapping


SPHERICAL_EQUAL_AREA = {
    "latitude_of_projection_origin": "Latitude of natural origin",
    "longitude_of_projection_origin": "Longitude of natural origin",
    "false_easting": "False easting",
    "false_northing": "False northing",
}
"""CF's name of a parameter -> PROJ's."""


def _time_axis(name: str, standard_name: str, long_name: str) -> Variable:
    attributes = {"standard_name": standard_name, "long_name": long_name, "axis": "T", **SECONDS}
    return Variable((name,), "int64", (AXIS_BLOCK,), 0, attributes)


def _moment(axis: str, long_name: str) -> Variable:
    attributes = {"long_name": long_name, "_FillValue": MISSING_INT64, **SECONDS}
    return Variable((axis,), "int64", (DETAIL_BLOCK,), MISSING_INT64, attributes)


def _text(long_name: str) -> Variable:
    return Variable(("init_time",), "str", (DETAIL_BLOCK,), "", {"long_name": long_name})


def _flags(dims: tuple[str, ...], meanings: Mapping[str, int]) -> Variable:
    attributes = {"flag_values": list(meanings.values()), "flag_meanings": " ".join(meanings)}
    return Variable(dims, "uint8", (AXIS_BLOCK,), 0, attributes)


def _radar_coverage(tile: tuple[int, int]) -> Variable:
    attributes = {
        "long_name": "whether radars see the place: not in the last day, not now, or now",
        "flag_values": list(RADAR_FLAGS),
        "flag_meanings": " ".join(RADAR_FLAGS.values()),
        "grid_mapping": "crs",
    }
    return Variable(("init_time", "y", "x"), "uint8", (1, *tile), RADAR_UNKNOWN, attributes)


def _archive_field(quantity: Quantity, chunks: tuple[int, int, int]) -> Variable:
    """Reflectivity is packed to 0.01 dBZ; rain rates keep the source's float32, whose steps compress as well."""
    if quantity == "reflectivity":
        return Variable(("time", "y", "x"), "int16", chunks, -32768, _REFLECTIVITY_PACKED)
    return Variable(("time", "y", "x"), "float32", chunks, float("nan"), _RAIN_RATE)


_RAIN_RATE = {"standard_name": "rainfall_rate", "units": "mm h-1", "grid_mapping": "crs"}
_RAIN_RATE_PACKED = {**_RAIN_RATE, "scale_factor": 0.01, "_FillValue": 65535}
_PROBABILITY_PACKED = {
    "long_name": "probability that the rain rate reaches the threshold",
    "units": "1",
    "scale_factor": 0.01,
    "_FillValue": 255,
    "grid_mapping": "crs",
}
_REFLECTIVITY_PACKED = {
    "standard_name": "equivalent_reflectivity_factor",
    "units": "dBZ",
    "scale_factor": 0.01,
    "_FillValue": -32768,
    "grid_mapping": "crs",
}
