"""PNG tiles of every layer of every frame, for web maps."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from nowcast.serving.api.drawing import PICTURE, answer, style
from nowcast.serving.api.fields import Kept
from nowcast.serving.api.sequence import FRAME_PATTERN, picture
from nowcast.serving.api.stores import InPath
from nowcast.tiles.mercator import DEEPEST_ZOOM, Tile

router = APIRouter(tags=["tiles"])

FramePath = Annotated[str, Path(pattern=FRAME_PATTERN, description="a frame as /regions/{region}/frames names it")]
LayerPath = Annotated[str, Path(max_length=40, description="rain, coverage, or chance-{threshold in mm/h}")]
Zoom = Annotated[int, Path(ge=0, le=DEEPEST_ZOOM)]
Column = Annotated[int, Path(ge=0, lt=2**DEEPEST_ZOOM, description="0 .. 2^z - 1 from 180 W eastwards")]
Row = Annotated[int, Path(ge=0, lt=2**DEEPEST_ZOOM, description="0 .. 2^z - 1 from the north")]
PaletteName = Annotated[str | None, Query(max_length=40, description="the default of the layer's kind when absent")]
Smooth = Annotated[bool, Query(description="between the centres of pixels; missing values stay apart")]
Size = Annotated[Literal["256", "512"], Query(description="pixels a side")]
Version = Annotated[str | None, Query(max_length=40, description="the frame's version, to keep the answer for ever")]


@router.get("/tiles/{region}/{layer}/{frame}/{z}/{x}/{y}.png", response_class=Response, responses=PICTURE)
def tile(
    request: Request,
    region: InPath,
    shelf: Kept,
    layer: LayerPath,
    frame: FramePath,
    z: Zoom,
    x: Column,
    y: Row,
    palette: PaletteName = None,
    smooth: Smooth = False,
    size: Size = "256",
    v: Version = None,
) -> Response:
    """One web-mercator tile: transparent where it is dry, outside the grid, or not known.

    The layer `coverage` is grey where no radar sees, or nothing can be forecast, so that this is not taken for dry.
    """
    shown = picture(region, shelf, frame)
    wanted = Tile(z, x, y, int(size))
    return answer(request, region, shelf, shown, wanted, style(shown, layer, palette, smooth), v == shown.frame.version)
