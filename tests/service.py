"""The HTTP service over small stores, in this process or on a port of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from fakes import FIVE, GRID, NOW, START, archive_in, file_id, forecasts_in, nowcast, scan
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nowcast.serving.api.app import create_app
from nowcast.serving.api.stores import Stores
from nowcast.settings import Settings
from nowcast.store.archive import append
from nowcast.store.forecasts import publish

CLOCK = START + 2 * FIVE + FIVE / 5
"""A minute after the newest initial time."""


def stores_in(folder: Path) -> None:
    """Region `here`: scans of 1, 2, 3 mm/h in slots 0 .. 2, but none in slot 1; nowcasts in slots 0 and 2 of 1 and 3
    mm/h, growing by as much each lead."""
    archive, forecasts = archive_in(folder / "here"), forecasts_in(folder / "here")
    for slot in (0, 2):
        append(archive, [scan(slot, rain_rate=slot + 1.0)], file_id(slot), NOW)
        publish(forecasts, nowcast(slot, rain_rate=slot + 1.0), START + slot * FIVE + FIVE / 5)


def application(folder: Path, names: tuple[str, ...] = ("here",), clock: datetime = CLOCK) -> FastAPI:
    """The service over the stores in a folder, at a fixed time."""
    settings = Settings(store=str(folder), regions=folder / "regions")
    return create_app(Stores(settings, names, lambda: clock, patience_s=0.0))


def client(folder: Path, names: tuple[str, ...] = ("here",), clock: datetime = CLOCK) -> TestClient:
    """Asks it without a network; what it raises is raised."""
    return TestClient(application(folder, names, clock))


def place(row: float, col: float) -> dict[str, float]:
    """Query parameters of a pixel's centre."""
    lon, lat = GRID.lonlat(row, col)
    return {"lat": lat, "lon": lon}


@contextmanager
def server(app: FastAPI, **options: Any) -> Iterator[str]:
    """The URL of a real server on a free port of this machine."""
    running = uvicorn.Server(
        uvicorn.Config(app, **({"host": "127.0.0.1", "port": 0, "log_level": "warning"} | options))
    )
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(10)
