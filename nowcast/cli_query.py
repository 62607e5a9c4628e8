"""`nowcast query`: a point, a map or a box of a nowcast, as table, JSON, NetCDF or GeoTIFF."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import xarray as xr
from rich.console import Console
from rich.table import Table

from nowcast.cli_options import Json, RegionName, Store, settings_for, show, usage
from nowcast.core.timeline import isoformat, parse_time
from nowcast.points import sight, tell

query = typer.Typer(no_args_is_help=True, help="Ask the forecast store.")


class Shape(StrEnum):
    """What the answer is written as."""

    TABLE = "table"
    JSON = "json"
    NETCDF = "netcdf"
    GEOTIFF = "geotiff"


BLIND = {"never": "no radar coverage here", "unavailable": "radar temporarily unavailable"}
"""What is said of places that the newest scan did not observe, by flag."""

Init = Annotated[str | None, typer.Option("--init-time", help="ISO 8601, UTC; the latest when absent.")]
Format = Annotated[Shape, typer.Option("--format")]
Out = Annotated[Path | None, typer.Option("--out", help="File for netcdf and geotiff.")]


@query.command()
def point(
    lat: float,
    lon: float,
    region: RegionName,
    store: Store = None,
    init_time: Init = None,
    now: Annotated[str | None, typer.Option(help="ISO 8601, UTC; the clock, or --init-time when given.")] = None,
    shape: Format = Shape.TABLE,
    out: Out = None,
) -> None:
    """All leads at a place, below a sentence that sums them up."""
    from nowcast.store import repository
    from nowcast.store.query import Reader

    with usage():
        _, settings = settings_for(region, store)
        where = settings.location(region)
        moment = _time(now) or _time(init_time) or datetime.now(UTC)
        archive = where.child("archive")
        observations = Reader(archive) if repository.exists(archive) else None
        found, said = tell(Reader(where.child("forecasts")), observations, lat, lon, moment, _time(init_time))
        if shape is Shape.JSON:
            typer.echo(json.dumps(_plain(found) | {"outlook": asdict(said) | {"now": isoformat(moment)}}))
            return
        if shape is Shape.TABLE:
            typer.echo(said.text)
        _write(found, shape, out)


@query.command("map")
def map_(
    lead: int,
    region: RegionName,
    store: Store = None,
    init_time: Init = None,
    shape: Format = Shape.TABLE,
    out: Out = None,
) -> None:
    """The whole region at one lead, in minutes."""
    from nowcast.store import query as ask

    _answer(region, store, shape, out, lambda reader: ask.map_at(reader, timedelta(minutes=lead), _time(init_time)))


@query.command()
def box(
    south: float,
    west: float,
    north: float,
    east: float,
    region: RegionName,
    store: Store = None,
    init_time: Init = None,
    shape: Format = Shape.TABLE,
    out: Out = None,
) -> None:
    """All leads in a box of latitudes and longitudes."""
    from nowcast.store import query as ask

    _answer(region, store, shape, out, lambda reader: ask.box(reader, south, west, north, east, _time(init_time)))


@query.command()
def history(
    region: RegionName,
    store: Store = None,
    most: Annotated[int, typer.Option(min=1, help="Commits to list.")] = 20,
    as_json: Json = False,
) -> None:
    """The commits of the forecast store, newest first; Python opens any of them by nowcast.as_of."""
    from nowcast.store.history import history as commits
    from nowcast.store.query import Reader

    with usage():
        _, settings = settings_for(region, store)
        found = commits(Reader(settings.location(region).child("forecasts")), most)
    show([{"snapshot": c.snapshot, "time": isoformat(c.time), "message": c.message} for c in found], as_json)


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def _answer(region: str, store: str | None, shape: Shape, out: Path | None, ask: Callable[..., xr.Dataset]) -> None:
    from nowcast.store.query import Reader

    with usage():
        _, settings = settings_for(region, store)
        _write(ask(Reader(settings.location(region).child("forecasts"))), shape, out)


def _write(found: xr.Dataset, shape: Shape, out: Path | None) -> None:
    if shape is Shape.TABLE:
        _table(found)
    elif shape is Shape.JSON:
        typer.echo(json.dumps(_plain(found)))
    elif out is None:
        raise ValueError(f"--format {shape} needs --out FILE")
    elif shape is Shape.NETCDF:
        from nowcast.exports.netcdf import write_netcdf

        write_netcdf(found, out)
    else:
        from nowcast.exports.cog import write_cog

        write_cog(found, out)


def _plain(found: xr.Dataset) -> dict[str, object]:
    """Times, leads and rain rates; NaN as null."""
    rain = found.rain_rate
    return {
        "init_time": str(found.init_time.values)[:19] + "Z",
        "model": str(found.model.values),
        "rung": str(found.rung.values),
        "reason": str(found.reason.values),
        **({} if found.radar_coverage.ndim else {"radar_coverage": sight(found)}),
        "units": "mm h-1",
        "dims": list(rain.dims),
        "lead_time_min": [int(v) for v in found.lead_time.values.ravel()],
        "rain_rate": _listed(rain),
        **({"rain_rate_quantile": _by_level(found.rain_rate_quantile, "quantile")} if "quantile" in found else {}),
        **({"probability": _by_level(found.probability, "threshold")} if "threshold" in found else {}),
    }


def _by_level(values: xr.DataArray, dim: str) -> dict[str, object]:
    """Level -> values."""
    return {f"{float(level):g}": _listed(values.sel({dim: level})) for level in values[dim].values}


def _listed(values: xr.DataArray) -> object:
    """NaN as null."""
    return values.astype(object).where(values.notnull(), None).values.tolist()


def _table(found: xr.Dataset) -> None:
    console = Console()
    console.print(f"init {str(found.init_time.values)[:16]}Z by {found.model.values}{_ladder(found)}", highlight=False)
    if not found.radar_coverage.ndim and (blind := BLIND.get(sight(found))):
        console.print(blind)
        if not found.rain_rate.notnull().any():
            return
    if "lead_time" not in found.dims:
        found = found.expand_dims("lead_time")
    spatial = [dim for dim in ("y", "x") if dim in found.dims]
    levels = [float(v) for v in found.threshold.values] if "threshold" in found else []
    shares = [float(v) for v in found["quantile"].values] if "quantile" in found and not spatial else []
    names = [*(["mean mm/h", "max mm/h"] if spatial else ["mm/h"]), *(f"{v:.0%}" for v in shares)]
    table = Table("lead min", *names, *(f"P(>={v:g})" for v in levels))
    for lead in found.lead_time.values:
        one = found.sel(lead_time=lead)
        rain = [float(one.rain_rate.mean()), *([float(one.rain_rate.max())] if spatial else [])]
        rain += [float(one.rain_rate_quantile.sel(quantile=v)) for v in shares]
        chances = [float(one.probability.sel(threshold=v).mean()) for v in levels]
        table.add_row(f"+{int(lead)}", *(f"{v:.2f}" for v in rain), *(f"{v:.0%}" if v == v else "-" for v in chances))
    console.print(table)


def _ladder(found: xr.Dataset) -> str:
    """Why the nowcast stands on the rung it does; empty when there is nothing to say."""
    return f" ({found.rung.values}: {found.reason.values})" if str(found.reason.values) else ""
