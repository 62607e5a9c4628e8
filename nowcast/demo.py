"""The demo: a past event, or synthetic storms, through the whole system as if live."""

import asyncio
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import typer

from nowcast.cli import show_scores
from nowcast.cli_options import bar
from nowcast.settings import Box, Region, Settings
from nowcast.sources.feeds import Replay, files_in

EVENTS: dict[str, str] = {
    "fmi": "fmi-pgm/20160928",
    "knmi-rap": "knmi-rap/20100826",
    "knmi-pcp": "knmi-pcp/20210203",
    "mch": "mch-gif/20160711",
    "bom": "bom-rf3/66-mtstapl-20201031",
    "opera": "opera/20180824",
    "mrms": "mrms/20190610",
    "dwd-yw": "dwd-radolan/yw-20170816",
}
BOXES = {"mrms": Box(south=29.0, west=-100.0, north=36.0, east=-90.0)}
"""Parts of events too large for a quick look."""

CREDITS = {"fmi": "Radar: Finnish Meteorological Institute, CC BY 4.0", "knmi-rap": "Radar: KNMI, CC BY 4.0"}


def run_demo(event: str, out: Path, most: int, as_json: bool) -> None:
    """Replay an event and write scores and pictures to out/EVENT; ValueError for an unknown event."""
    settings = Settings()
    folder = out / event
    shutil.rmtree(folder, ignore_errors=True)
    paths = _files(event, settings, folder, most)
    region = Region(name=event, box=BOXES.get(event))
    settings = Settings(store=str(folder / "store"))
    _play(region, settings, paths)
    _report(region, settings, folder, as_json)


def _files(event: str, settings: Settings, folder: Path, most: int) -> list[Path]:
    if event not in EVENTS and event != "synthetic":
        raise ValueError(f"no event {event!r}, there are {', '.join([*EVENTS, 'synthetic'])}")
    if event in EVENTS and (source := settings.radar_dir / EVENTS[event]).is_dir():
        return files_in(source)[:most]
    if event in EVENTS:
        typer.echo(f"{settings.radar_dir / EVENTS[event]} is not there: synthetic storms instead", err=True)
    return _synthetic(folder / "scans", most)


def _synthetic(folder: Path, count: int) -> list[Path]:
    from nowcast.sources.odim_hdf5 import write
    from nowcast.sources.synthetic import Storm

    folder.mkdir(parents=True)
    for scan in Storm(datetime(2026, 6, 1, 12, tzinfo=UTC)).scans(count):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return files_in(folder)


def _play(region: Region, settings: Settings, paths: list[Path]) -> None:
    from flows.follow import follow
    from nowcast.serving.actor import stop
    from nowcast.serving.cluster import connect, disconnect

    connect(settings)
    with bar(len(paths), "replay") as step:
        asyncio.run(follow(region, settings, Replay(paths), lambda taken, made: step(taken.outcome.value)))
    stop(region)
    disconnect()


def _report(region: Region, settings: Settings, folder: Path, as_json: bool) -> None:
    from nowcast.pictures import animation, picture
    from nowcast.replay import verification

    summary = verification(region, settings)
    (folder / "scores.json").write_text(json.dumps(summary, indent=2))
    location, credit = settings.location(region.name), CREDITS.get(region.name, "")
    shown = picture(location, region.name, folder / "nowcast.png", credit)
    animation(location, region.name, shown, folder / "nowcast.gif", credit)
    if as_json:
        typer.echo(json.dumps(summary))
        return
    show_scores(summary)
    where = f"--region {region.name} --store {settings.store}"
    lat, lon = shown.centre
    typer.echo(f"picture {folder / 'nowcast.png'}, animation {folder / 'nowcast.gif'}; try next:")
    typer.echo(
        f"  nowcast query point {lat:.2f} {lon:.2f} {where}"
        if lon >= 0 and lat >= 0
        else f"  nowcast query point {where} -- {lat:.2f} {lon:.2f}"
    )
    typer.echo(f"  nowcast serve {where} --now {shown.newest:%Y-%m-%dT%H:%M}   # the map, at http://127.0.0.1:8000/")
    typer.echo(f"  nowcast query map {shown.leads[-1]} {where} --format geotiff --out map.tif")
    typer.echo(f"  nowcast info {where}")
