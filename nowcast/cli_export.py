"""`nowcast export`: a nowcast as files for other software."""

from pathlib import Path
from typing import Annotated

import typer

from nowcast.cli_options import RegionName, Store, settings_for, usage
from nowcast.core.timeline import parse_time


def export(
    region: RegionName,
    out: Annotated[Path, typer.Option(help="Folder; each nowcast gets one of its own in it.")],
    store: Store = None,
    init_time: Annotated[str | None, typer.Option(help="ISO 8601, UTC; the newest nowcast when absent.")] = None,
    formats: Annotated[str, typer.Option(help="Of netcdf, cog and stac, with commas.")] = "netcdf,cog,stac",
    convention: Annotated[str, typer.Option(help="Names in the NetCDF file: cf, or pysteps for its importer.")] = "cf",
) -> None:
    """Write a nowcast as CF NetCDF, a Cloud-Optimised GeoTIFF per lead and a STAC item; prints the files' paths."""
    from nowcast.exports.folder import export as write
    from nowcast.exports.netcdf import Convention
    from nowcast.store.query import Reader, nowcast_at

    with usage():
        _, settings = settings_for(region, store)
        reader = Reader(settings.location(region).child("forecasts"))
        found = nowcast_at(reader, parse_time(init_time) if init_time else None)
        wanted = tuple(one.strip() for one in formats.split(","))
        for path in write(found, region, out, wanted, Convention(convention)):
            typer.echo(path)
