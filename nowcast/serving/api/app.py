"""The application: one router per kind of question."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

import nowcast
from nowcast.serving.api import edr, faults, frames, legend, page, point, rainviewer, regions, status, tiles, zarr_http
from nowcast.serving.api.answers import PREFIX, SHOWN
from nowcast.serving.api.fields import Shelf
from nowcast.serving.api.stores import Stores

ROUTERS = (regions.router, point.router, status.router, edr.router, zarr_http.router)
PICTURES = (frames.router, tiles.router, legend.router, rainviewer.router, page.router)

SMALLEST_ZIPPED = 2000


def create_app(stores: Stores) -> FastAPI:
    """The service over these stores; it writes nothing and needs neither Ray nor Prefect."""
    app = FastAPI(title="nowcast", version=nowcast.__version__, description=__doc__, responses=faults.REFUSALS)
    app.state.stores = stores
    app.state.snapshots = zarr_http.Snapshots()
    app.state.shelf = Shelf()
    exposed = [PREFIX + name.replace("_", "-").title() for name in SHOWN]
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "HEAD"], expose_headers=[*exposed, "ETag"]
    )
    app.add_middleware(GZipMiddleware, minimum_size=SMALLEST_ZIPPED, compresslevel=3)
    faults.install(app)
    for router in (*ROUTERS, *PICTURES):
        app.include_router(router)
    app.mount("/static", page.files())
    return app
