"""`nowcast members`: the ensemble behind a nowcast, as NetCDF."""

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

from nowcast.cli_options import RegionName, Store, settings_for, usage
from nowcast.core.types import FloatField
from nowcast.settings import Region, Settings


def members(
    region: RegionName,
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    store: Store = None,
    init_time: Annotated[str | None, typer.Option(help="ISO 8601, UTC; the newest nowcast when absent.")] = None,
    box: Annotated[
        tuple[float, float, float, float] | None, typer.Option(help="South, west, north, east; all when absent.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, max=200)] = 24,
) -> None:
    """Make equally likely forecasts again, coherent in space and time, by the method of a nowcast, from the archive.

    The same nowcast and box give the same members.
    """
    with usage():
        made = _members(*settings_for(region, store), init_time, box, count)
        made.to_netcdf(out, encoding={"rain_rate": {"zlib": True, "dtype": "float32"}})


def _members(
    region: Region,
    settings: Settings,
    init_time: str | None,
    box: tuple[float, float, float, float] | None,
    count: int,
) -> xr.Dataset:
    from nowcast.core.timeline import parse_time
    from nowcast.desk import method_of
    from nowcast.members import ensemble
    from nowcast.store.archive import open_archive
    from nowcast.store.query import Reader, nowcast_at

    location = settings.location(region.name)
    reader = Reader(location.child("forecasts"))
    found = nowcast_at(reader, parse_time(init_time) if init_time else None)
    archive = open_archive(location.child("archive"))
    window = reader.grid.window(*box) if box else (slice(0, reader.grid.height), slice(0, reader.grid.width))
    method = method_of(region, settings, str(found.model.values), archive.sampling)
    slot = archive.timeline.slot(parse_time(str(found.init_time.values)[:19]))
    rain_rate, seen = ensemble(archive, method, slot, found.sizes["lead_time"], window, count)
    return _laid_out(found.isel(y=seen[0], x=seen[1]), rain_rate)


def _laid_out(nowcast: xr.Dataset, rain_rate: FloatField) -> xr.Dataset:
    """Members (member, lead_time, y, x) with the coordinates of the nowcast and its CF attributes."""
    kept = nowcast[["rain_rate", "crs", "model", "rung"]]
    attributes = {name: nowcast.attrs[name] for name in ("Conventions", "proj:wkt2")}
    kept.attrs = attributes | {"title": "equally likely nowcasts"}
    dims = ("member", "lead_time", "y", "x")
    made = kept.assign(rain_rate=(dims, rain_rate, nowcast.rain_rate.attrs))
    return made.assign_coords(member=("member", range(len(rain_rate)), {"standard_name": "realization"}))
