"""The application: one router per kind of question."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

import nowcast
from nowcast.monitor.exporter import exporter
from nowcast.serving.api import (
    edr,
    exports,
    faults,
    frames,
    history,
    legend,
    metrics,
    page,
    point,
    rainviewer,
    regions,
    status,
    tiles,
    zarr_http,
)
from nowcast.serving.api.answers import PREFIX, SHOWN
from nowcast.serving.api.deadline import Deadline
from nowcast.serving.api.fields import Shelf
from nowcast.serving.api.stores import Stores
from nowcast.serving.api.token import Token

ROUTERS = (regions.router, point.router, status.router, metrics.router, edr.router, zarr_http.router)
PICTURES = (frames.router, tiles.router, legend.router, rainviewer.router, page.router)
FILES = (history.router, exports.router)

DESCRIPTION = "Rain nowcasts from radar: points, maps, EDR collections, Zarr, skill. Read only; times are UTC."
SMALLEST_ZIPPED = 4000
LONGEST_ANSWER_S = 30.0
THREADS = 4
"""At work on answers at one time; more would only take turns with each other and with the event loop."""
ZIPPED_ALREADY = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/octet-stream",
    "application/x-netcdf",
    "application/netcdf",
    "image/tiff",
)


@asynccontextmanager
async def limited(app: FastAPI) -> AsyncIterator[None]:
    """While the service runs."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def create_app(stores: Stores, token: str | None = None) -> FastAPI:
    """The service over these stores; it writes nothing and needs neither Ray nor Prefect.

    With a token, all but `/ready` is for those who show it.
    """
    app = FastAPI(
        title="nowcast",
        version=nowcast.__version__,
        description=DESCRIPTION,
        responses=faults.REFUSALS,
        lifespan=limited,
        docs_url=None,
        redoc_url=None,
    )
    app.state.stores = stores
    app.state.snapshots = zarr_http.Snapshots()
    app.state.shelf = Shelf()
    app.state.figures = exporter(stores.settings, stores.names, stores.clock)
    if token is not None:
        app.add_middleware(Token, token=token)
    exposed = [PREFIX + name.replace("_", "-").title() for name in SHOWN]
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        allow_headers=["Authorization"],
        expose_headers=[*exposed, "ETag"],
    )
    app.add_middleware(
        GZipMiddleware, minimum_size=SMALLEST_ZIPPED, compresslevel=3, exclude_content_types=ZIPPED_ALREADY
    )
    app.add_middleware(Deadline, seconds=LONGEST_ANSWER_S)
    faults.install(app)
    for router in (*ROUTERS, *PICTURES, *FILES):
        app.include_router(router)
    app.mount("/static", page.files())
    return app
