"""A nowcast as a STAC item (stacspec.org), with the forecast, projection and processing extensions."""

from datetime import timedelta
from typing import Any

import xarray as xr

import nowcast
from nowcast.core.grid import Grid
from nowcast.core.timeline import isoformat, name_of
from nowcast.exports.origin import lineage, origin
from nowcast.exports.outline import outline
from nowcast.store.query import grid_of, moment

VERSION = "1.1.0"
EXTENSIONS = [
    "https://stac-extensions.github.io/forecast/v0.2.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
]
FORMATS = ("netcdf", "cog")
ITEM, NETCDF = "stac.json", "nowcast.nc"
MEDIA_TYPE = "application/geo+json"


def tif(minutes: int) -> str:
    """The file of one lead."""
    return f"lead-{minutes}.tif"


def item(
    found: xr.Dataset, region: str, base: str = "./", formats: tuple[str, ...] = FORMATS, zarr: str = ""
) -> dict[str, Any]:
    """The item of one nowcast as store.query gives it, for JSON.

    Its assets are the files of `formats` below `base`, a relative URL, and the Zarr store at `zarr` when given. The
    forecast times are start_datetime .. end_datetime; datetime is the first, as the forecast extension recommends.
    """
    grid = grid_of(found)
    bbox, geometry = outline(grid)
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": EXTENSIONS,
        "id": f"{region}-{name_of(moment(found.init_time))}",
        "bbox": bbox,
        "geometry": geometry,
        "properties": _times(found) | _projection(grid) | _makers(found) | {"nowcast:region": region},
        "links": [{"rel": "self", "href": f"{base}{ITEM}", "type": MEDIA_TYPE}],
        "assets": _assets(found, base, formats, zarr),
    }


def items(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Several items as one feature collection."""
    return {"type": "FeatureCollection", "features": found, "links": []}


def _times(found: xr.Dataset) -> dict[str, Any]:
    init_time, first, last = (moment(t) for t in (found.init_time, found.valid_time[0], found.valid_time[-1]))
    return {
        "title": f"precipitation nowcast of {isoformat(init_time)}",
        "datetime": isoformat(first),
        "start_datetime": isoformat(first),
        "end_datetime": isoformat(last),
        "forecast:reference_datetime": isoformat(init_time),
        "forecast:horizon": _duration(first - init_time),
        "forecast:duration": _duration(last - first),
        "forecast:variable": "rainfall_rate",
        "forecast:perturbed": False,
    }


def _projection(grid: Grid) -> dict[str, Any]:
    authority = grid.projection.to_authority(min_confidence=100)
    return {
        "proj:code": ":".join(authority) if authority else None,
        "proj:wkt2": grid.projection.to_wkt(),
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.affine),
        "proj:bbox": list(grid.bounds),
        "gsd": round(grid.spacing_km * 1000, 1),
    }


def _makers(found: xr.Dataset) -> dict[str, Any]:
    told = origin(found)
    return {
        **({"created": told["issued_time"]} if "issued_time" in told else {}),
        "processing:software": {"nowcast": nowcast.__version__},
        "processing:level": "L4",
        "processing:lineage": lineage(told),
        **{f"nowcast:{name}": value for name, value in told.items() if name != "issued_time"},
    }


def _assets(found: xr.Dataset, base: str, formats: tuple[str, ...], zarr: str) -> dict[str, Any]:
    assets: dict[str, Any] = {}
    if "netcdf" in formats:
        assets["netcdf"] = _asset(f"{base}{NETCDF}", "application/netcdf", "All leads and chances, CF NetCDF")
    if "cog" in formats:
        for lead, valid in zip(found.lead_time.values.tolist(), found.valid_time, strict=True):
            own = {"datetime": isoformat(moment(valid)), "forecast:horizon": _duration(timedelta(minutes=lead))}
            media = "image/tiff; application=geotiff; profile=cloud-optimized"
            one = _asset(f"{base}{tif(lead)}", media, f"Rain rate +{lead} min")
            assets[f"rain-rate-{lead}"] = one | own | {"unit": "mm h-1", "nodata": "nan", "data_type": "float32"}
    if zarr:
        assets["zarr"] = _asset(zarr, "application/vnd+zarr", "All nowcasts as of this commit, Zarr v3")
    return assets


def _asset(href: str, media_type: str, title: str) -> dict[str, Any]:
    return {"href": href, "type": media_type, "title": title, "roles": ["data"]}


def _duration(length: timedelta) -> str:
    """ISO 8601, in minutes."""
    return f"PT{int(length / timedelta(minutes=1))}M"
