"""Legends of the tiles' palettes, as JSON and drawn."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nowcast.serving.api.answers import json_answer
from nowcast.serving.api.drawing import PICTURE, entity_tag, holds
from nowcast.tiles import legend
from nowcast.tiles.palettes import PALETTES, Kind, palette

router = APIRouter(tags=["tiles"])

DAILY = "public, max-age=86400"

PaletteName = Annotated[str | None, Query(max_length=40, description="the default of the kind when absent")]


@router.get("/legend/{kind}.json")
def classes(kind: Kind, palette: PaletteName = None) -> Response:
    """Title, units, and the bounds and colour of every class; the last has no upper bound."""
    name = palette or next(iter(PALETTES[kind]))
    return json_answer(legend.told(kind, name, _named(kind, name)), headers={"Cache-Control": DAILY})


@router.get("/legend/{kind}.png", response_class=Response, responses=PICTURE)
def drawn(request: Request, kind: Kind, palette: PaletteName = None) -> Response:
    """The same as a picture that can be read on light and dark maps."""
    of = _named(kind, palette)
    about = {"ETag": entity_tag(of), "Cache-Control": DAILY}
    if holds(request, about["ETag"]):
        return Response(status_code=304, headers=about)
    return Response(legend.drawn(of), media_type="image/png", headers=about)


_named = palette
"""Under another name, for a query parameter has this one."""
