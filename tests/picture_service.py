"""A service over a small region, asked without a network, and what its tiles show at a place."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from fakes import FIVE, GRID, START, archive_in, file_id, forecasts_in, nowcast, scan
from mercator_maps import on_map
from PIL import Image
from starlette.testclient import TestClient

from nowcast.core.grid import Grid
from nowcast.core.scan import Nowcast
from nowcast.core.types import FloatField
from nowcast.serving.api.app import create_app
from nowcast.serving.api.stores import Stores
from nowcast.settings import Settings
from nowcast.store.archive import append
from nowcast.store.forecasts import Forecasts, publish

INIT = START + 3 * FIVE
ZOOM = 11
"""At which a pixel of the grid is 26 pixels of a tile wide."""

SECONDS = int(INIT.timestamp())
CLEAR = 0
"""Alpha of a transparent pixel."""


@dataclass(frozen=True, eq=False)
class Service:
    """`here` in a store, and a client of it; `look` gives the colour at a pixel's centre."""

    client: TestClient
    forecasts: Forecasts

    def get(self, url: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        """An answer that must have a status."""
        answer = self.client.get(url, headers=headers)
        assert answer.status_code == status, answer.text
        return answer

    def look(self, layer: str, frame: str, row: int, col: int, query: str = "", grid: Grid = GRID) -> tuple[int, ...]:
        """RGBA of a layer at the centre of a pixel of the grid."""
        x, y, down, across = on_map(*grid.lonlat(row, col), z=ZOOM)
        image = Image.open(io.BytesIO(self.get(f"/tiles/here/{layer}/{frame}/{ZOOM}/{x}/{y}.png{query}").content))
        pixel = image.convert("RGBA").getpixel((across, down))
        assert isinstance(pixel, tuple)
        return pixel


def served(folder: Path, now: datetime = INIT + timedelta(minutes=1), has_archive: bool = True) -> Service:
    """Scans at 0, 5 and 15 min raining 1, 1 and 2 mm/h, none at 10 min; no nowcast yet."""
    region = folder / "here"
    if has_archive:
        archive = archive_in(region)
        for slot, rain_rate in ((0, 1.0), (1, 1.0), (3, 2.0)):
            append(archive, [scan(slot, rain_rate)], file_id(slot), START)
    forecasts = forecasts_in(region)
    settings = Settings(store=str(folder), regions=folder / "regions")
    app = create_app(Stores(settings, ("here",), lambda: now, patience_s=0.0))
    return Service(TestClient(app, raise_server_exceptions=False), forecasts)


def issue(service: Service, issued: Nowcast | None = None, now: datetime = INIT) -> None:
    """Publish a nowcast, from the scan at 15 min if not told."""
    assert publish(service.forecasts, issued or nowcast(3), now)


def one_wet_pixel(row: int, col: int, rain_rate: float, grid: Grid = GRID) -> FloatField:
    """Three leads that are dry but for a pixel."""
    fields = np.zeros((3, *grid.shape), np.float32)
    fields[:, row, col] = rain_rate
    return fields


def rgba(colour: str) -> tuple[int, ...]:
    """#rrggbb, opaque."""
    return (*bytes.fromhex(colour[1:]), 255)
