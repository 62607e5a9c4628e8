"""The map page: one static page with everything it needs, so that it works with no other host."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

import nowcast
from nowcast.serving.api.answers import documented

router = APIRouter(tags=["map"])

WEB = Path(__file__).parent.parent / "web"
BASEMAP = Path(nowcast.__file__).parent / "basemap.geojson"

ASK_AGAIN = "no-cache"
DAY = "public, max-age=86400"
FOR_EVER = "public, max-age=31536000, immutable"
"""How long browsers may keep what they got: a vendored file has its version in its path and never changes."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
"""What the page may load and run: nothing of any other host, no script or style written into it."""

GUARDS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@router.get("/", include_in_schema=False)
def page() -> FileResponse:
    """The map."""
    return FileResponse(WEB / "index.html", headers=GUARDS | {"Cache-Control": ASK_AGAIN})


@router.get("/docs", include_in_schema=False)
def documentation() -> FileResponse:
    """The API's documentation; its library writes styles into the page."""
    policy = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    return FileResponse(
        WEB / "api.html", headers=GUARDS | {"Content-Security-Policy": policy, "Cache-Control": ASK_AGAIN}
    )


@router.get("/basemap.geojson", response_class=Response, responses=documented("application/geo+json"))
def basemap() -> FileResponse:
    """Land and borders of the world at 1:50 million (Natural Earth, public domain), as GeoJSON."""
    return FileResponse(BASEMAP, media_type="application/geo+json", headers={"Cache-Control": DAY})


class Files(StaticFiles):
    """The page's files below `/static`; browsers ask again for ours and keep vendored ones."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        """With the headers that say how long the file may be kept."""
        answer = super().file_response(full_path, *args, **kwargs)
        vendored = (WEB / "vendor").resolve() in Path(full_path).resolve().parents
        answer.headers["Cache-Control"] = FOR_EVER if vendored else ASK_AGAIN
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def files() -> Files:
    """What is mounted at `/static`."""
    return Files(directory=WEB)
