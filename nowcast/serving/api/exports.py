"""Nowcasts as files: CF NetCDF, a Cloud-Optimised GeoTIFF per lead, and STAC items that name them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Annotated

import orjson
import xarray as xr
from fastapi import APIRouter, Path, Query, Request, Response

from nowcast.core.timeline import name_of, parse_time
from nowcast.exports import stac
from nowcast.exports.cog import write_cog
from nowcast.exports.netcdf import FIELDS, Convention, write_netcdf
from nowcast.serving.api.answers import documented, provenance_headers
from nowcast.serving.api.drawing import entity_tag, holds
from nowcast.serving.api.faults import TooMuch
from nowcast.serving.api.stores import InPath, Opened
from nowcast.store.query import init_times, map_at

router = APIRouter(prefix="/regions/{region}", tags=["exports"])

NETCDF, GEOTIFF = "application/netcdf", "image/tiff; application=geotiff; profile=cloud-optimized"

MOST_VALUES = 200_000_000
"""Numbers in one file: a nowcast of 1226 x 760 pixels with all its chances has 112 million."""

WRITING = Lock()
"""One file is made at a time, since each may take some hundred megabytes of memory."""

MOST_ITEMS = 100

IDENTITY = ("init_time", "issued_time", "model", "rung")
"""A nowcast that is issued again differs in one of these."""

InitTime = Annotated[str, Path(max_length=40, description="initial time, ISO 8601, UTC: 20160928T164000Z")]
Minutes = Annotated[int, Path(ge=0, le=100_000, description="lead time in minutes")]
Most = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="items to list, newest first")]
Names = Annotated[Convention, Query(description="names of variables: cf, or those that pysteps' importer looks for")]


@router.get("/stac", responses=documented(stac.MEDIA_TYPE), response_class=Response)
def newest(request: Request, region: InPath, most: Most = 12) -> Response:
    """The newest nowcasts as a collection of STAC items."""
    times = init_times(region.forecasts, region.clock())[: -most - 1 : -1]
    latest = region.nowcast()
    found = [_item(region, region.nowcast(time), f"nowcasts/{name_of(time)}/", "../..") for time in times]
    body = orjson.dumps(stac.items(found))
    return _answer(
        request, region, latest, (str(most), latest.attrs["nowcast:snapshot"]), stac.MEDIA_TYPE, lambda: body
    )


@router.get("/nowcasts/{init_time}/stac.json", responses=documented(stac.MEDIA_TYPE), response_class=Response)
def item(request: Request, region: InPath, init_time: InitTime) -> Response:
    """The STAC item of one nowcast; its assets lie beside it."""
    found = region.nowcast(parse_time(init_time))
    made = orjson.dumps(_item(region, found, "./", "../../../.."))
    return _answer(request, region, found, (found.attrs["nowcast:snapshot"],), stac.MEDIA_TYPE, lambda: made)


@router.get("/nowcasts/{init_time}/nowcast.nc", responses=documented(NETCDF), response_class=Response)
def netcdf(request: Request, region: InPath, init_time: InitTime, convention: Names = Convention.CF) -> Response:
    """A whole nowcast as NetCDF."""
    found = region.nowcast(parse_time(init_time))
    count = sum(found[name].size for name in FIELDS if name in found)
    if count > MOST_VALUES:
        raise TooMuch(f"{count} values in one file, at most {MOST_VALUES} are given: ask for a cube or read the Zarr")
    made = _written(lambda path: write_netcdf(found, path, convention))
    return _answer(request, region, found, (stac.NETCDF, convention), NETCDF, made)


@router.get("/nowcasts/{init_time}/lead-{minutes}.tif", responses=documented(GEOTIFF), response_class=Response)
def cog(request: Request, region: InPath, init_time: InitTime, minutes: Minutes) -> Response:
    """The rain rate at one lead as Cloud-Optimised GeoTIFF."""
    found = map_at(region.forecasts, timedelta(minutes=minutes), parse_time(init_time))
    if found.rain_rate.size > MOST_VALUES:
        raise TooMuch(f"{found.rain_rate.size} pixels in one file, at most {MOST_VALUES} are given")
    made = _written(lambda path: write_cog(found, path))
    return _answer(request, region, found, (stac.tif(minutes),), GEOTIFF, made)


def _item(region: Opened, found: xr.Dataset, base: str, root: str) -> dict[str, object]:
    zarr = f"{root}/zarr/{region.name}/forecasts/{found.attrs['nowcast:snapshot']}"
    return stac.item(found, region.name, base, zarr=zarr)


def _written(write: Callable[[FilePath], None]) -> Callable[[], bytes]:
    """The content of the file that is written, when it is asked for."""

    def read() -> bytes:
        with WRITING, TemporaryDirectory(prefix="nowcast-") as folder:
            path = FilePath(folder) / "file"
            write(path)
            return path.read_bytes()

    return read


def _answer(
    request: Request,
    region: Opened,
    found: xr.Dataset,
    what: tuple[str, ...],
    media_type: str,
    body: Callable[[], bytes],
) -> Response:
    """The body, made only when the client does not hold it already; a nowcast issued again has another ETag.

    The tag is weak: HDF5 does not write the same bytes twice.
    """
    etag = entity_tag((region.name, *(str(found[name].values) for name in IDENTITY), *what))
    told = provenance_headers(region, found) | {"ETag": f"W/{etag}", "Cache-Control": "no-cache"}
    if holds(request, etag):
        return Response(status_code=304, headers=told)
    return Response(body(), media_type=media_type, headers=told)
