"""The API of RainViewer, version 2, so that its clients show our frames (rainviewer.com/api/weather-maps-api.html)."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response

from nowcast.provenance import fields
from nowcast.serving.api.answers import headers, json_answer
from nowcast.serving.api.drawing import PICTURE, Style, answer, style
from nowcast.serving.api.fields import Kept, Shelf
from nowcast.serving.api.sequence import Frame, Picture, issue, observed, picture
from nowcast.serving.api.stores import InPath, Opened
from nowcast.serving.api.tiles import Column, Row, Zoom
from nowcast.tiles.mercator import Tile

router = APIRouter(prefix="/rainviewer/{region}", tags=["RainViewer"])

PAST = timedelta(hours=2)
"""What RainViewer gives."""

SCHEMES = ("viridis", *("classic",) * 8)
"""Our palette for each of RainViewer's colour schemes: steps of lightness for black and white, classic for the rest."""

FramePath = Annotated[str, Path(pattern=r"^(\d{1,10}|nowcast_\d{1,10}_\d{1,5}_[0-9a-f]{1,20})$")]
SizePath = Annotated[Literal["256", "512"], Path(description="pixels a side")]
Scheme = Annotated[int, Path(ge=0, lt=len(SCHEMES), description="colour scheme")]
Options = Annotated[str, Path(pattern=r"^[01]_[01]$", description="{smooth}_{snow}; snow is not told apart from rain")]


@router.get("/public/weather-maps.json")
def weather_maps(request: Request, region: InPath, shelf: Kept) -> Response:
    """Frames of the last two hours and of the latest nowcast; none of the latter once it is stale."""
    found, now = issue(region, shelf), region.clock()
    past = [frame for frame in observed(region, now - PAST, now) if frame.kind == "observed"]
    leads = [] if found.provenance.is_stale(now) else found.frames
    maps = {
        "version": "2.0",
        "generated": int(now.timestamp()),
        "host": f"{request.base_url}rainviewer/{region.name}",
        "radar": {
            "past": [_told(frame, str(int(frame.time.timestamp()))) for frame in past],
            "nowcast": [_told(frame, _forecast_name(frame)) for frame in leads],
        },
        "satellite": {"infrared": []},
    }
    told = headers(fields(found.provenance, now))
    return json_answer(maps, headers={"Cache-Control": "no-cache", **told})


@router.get("/v2/radar/{frame}/{size}/{z}/{x}/{y}/{scheme}/{options}.png", response_class=Response, responses=PICTURE)
def tile(
    request: Request,
    region: InPath,
    shelf: Kept,
    frame: FramePath,
    size: SizePath,
    z: Zoom,
    x: Column,
    y: Row,
    scheme: Scheme,
    options: Options,
) -> Response:
    """A tile of a frame that weather-maps.json names."""
    name, version = _ours(frame)
    shown = picture(region, shelf, name)
    drawn_as = style(shown, "rain", SCHEMES[scheme], smooth=options.startswith("1"))
    return answer(request, region, shelf, shown, Tile(z, x, y, int(size)), drawn_as, version == shown.frame.version)


@router.get("/v2/coverage/0/{size}/{z}/{x}/{y}/0/0_0.png", response_class=Response, responses=PICTURE)
def coverage(request: Request, region: InPath, shelf: Kept, size: SizePath, z: Zoom, x: Column, y: Row) -> Response:
    """Transparent where the newest scan saw something, grey everywhere else, beyond the grid too."""
    shown = _newest(region, shelf)
    return answer(request, region, shelf, shown, Tile(z, x, y, int(size)), Style("coverage", None, beyond=True), False)


def _newest(opened: Opened, shelf: Shelf) -> Picture:
    """The newest observed frame, the first lead of the latest nowcast where there is none."""
    now = opened.clock()
    seen = [frame for frame in observed(opened, now - PAST, now) if frame.kind == "observed"]
    if seen:
        return picture(opened, shelf, seen[-1].name)
    found = issue(opened, shelf)
    return found.picture(found.leads[0])


def _told(frame: Frame, name: str) -> dict[str, Any]:
    return {"time": int(frame.time.timestamp()), "path": f"/v2/radar/{name}"}


def _forecast_name(frame: Frame) -> str:
    """fc-1475080800-5 as nowcast_1475080800_5_{version}."""
    return f"{frame.name.replace('fc-', 'nowcast_').replace('-', '_')}_{frame.version}"


def _ours(name: str) -> tuple[str, str]:
    """Our name of a frame, and the version that theirs holds; observed frames hold none."""
    if not name.startswith("nowcast_"):
        return f"obs-{name}", ""
    _, init, lead, version = name.split("_")
    return f"fc-{init}-{lead}", version
