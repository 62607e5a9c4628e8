"""Tiles drawn from frames, and answered with what lets clients keep them."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request, Response

import nowcast
from nowcast.provenance import fields
from nowcast.serving.api.answers import headers
from nowcast.serving.api.fields import Shelf
from nowcast.serving.api.sequence import CHANCE, Picture, UnknownFrame
from nowcast.serving.api.stores import Opened
from nowcast.tiles import palettes
from nowcast.tiles.mercator import Tile, Warp
from nowcast.tiles.palettes import Palette
from nowcast.tiles.raster import UNSEEN_ALPHA, UNSEEN_COLOUR, blank, has_value, png, tile_classes

FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=30"
ETAG_DIGITS = 24

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The client holds it"},
}
"""What the OpenAPI document says of answers that are pictures."""


@dataclass(frozen=True)
class Style:
    """How a layer is drawn: `palette` is None for `coverage`; `beyond` draws what lies outside the grid as unseen."""

    layer: str
    palette: Palette | None
    smooth: bool = False
    beyond: bool = False


def style(picture: Picture, layer: str, palette: str | None = None, smooth: bool = False) -> Style:
    """The style of a layer; UnknownFrame for one that the frame does not have, ValueError for an unknown palette."""
    if layer == "coverage":
        return Style(layer, None)
    if layer not in picture.layers:
        there = ", ".join(sorted({*picture.layers, "coverage"}))
        raise UnknownFrame(f"frame {picture.frame.name} has no layer {layer!r}, it has {there}")
    return Style(layer, palettes.palette("chance" if layer.startswith(CHANCE) else "rain", palette), smooth)


def answer(
    request: Request, opened: Opened, shelf: Shelf, picture: Picture, tile: Tile, style: Style, is_final: bool
) -> Response:
    """A drawn tile, or 304 when the client holds it; it is final, to be kept for ever, where its address names its
    version."""
    frame, told = picture.frame, picture.provenance
    key = (opened.location.url, picture.grid.fingerprint, frame.name, frame.version, tile, style)
    etag = entity_tag(key)
    about = {"ETag": etag, "Cache-Control": FOREVER if is_final else SHORTLY}
    if told is not None:
        about |= headers(fields(told, opened.clock()))
    if holds(request, etag):
        return Response(status_code=304, headers=about)
    body = shelf.tiles.get(key, lambda: drawn(shelf, picture, tile, style))
    return Response(body, media_type="image/png", headers=about)


def entity_tag(told: object) -> str:
    """An ETag for what is made by this version of the program from `told`."""
    return f'"{hashlib.sha256(repr((nowcast.__version__, told)).encode()).hexdigest()[:ETAG_DIGITS]}"'


def holds(request: Request, etag: str) -> bool:
    """Whether the client says that it holds what the tag names (RFC 9110, If-None-Match, weakly compared)."""
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in given.split(","))


def drawn(shelf: Shelf, picture: Picture, tile: Tile, style: Style) -> bytes:
    """A tile as PNG."""
    warp = shelf.warp(picture.grid, tile)
    if warp is None:
        return blank(tile.size, style.beyond)
    return _coverage(shelf, picture, warp, style) if style.palette is None else _values(shelf, picture, warp, style)


def _values(shelf: Shelf, picture: Picture, warp: Warp, style: Style) -> bytes:
    assert style.palette is not None
    stored = picture.layers[style.layer]
    window = shelf.window(stored, warp.rows, warp.cols)
    return png(tile_classes(window, warp, style.palette, stored.coding, style.smooth), style.palette.colours)


def _coverage(shelf: Shelf, picture: Picture, warp: Warp, style: Style) -> bytes:
    """Grey where no radar sees, and where rain is neither observed nor forecast for any other reason."""
    unseen = (warp.index < 0) & style.beyond
    for stored in (picture.layers[name] for name in ("coverage", "rain") if name in picture.layers):
        window = shelf.window(stored, warp.rows, warp.cols)
        unseen |= (warp.index >= 0) & ~has_value(window, warp, stored.coding)
    return png(unseen.astype(np.uint8), (UNSEEN_COLOUR,), UNSEEN_ALPHA)
