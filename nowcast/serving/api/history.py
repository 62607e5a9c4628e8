"""The commits of a region's forecasts, each with the URL where it can be read as plain Zarr."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from nowcast.core.timeline import isoformat
from nowcast.serving.api.answers import json_answer
from nowcast.serving.api.stores import InPath
from nowcast.store.history import history as commits_of

router = APIRouter(tags=["history"])

MOST = 1000

Most = Annotated[int, Query(description="commits to list, newest first", ge=1, le=MOST)]


@router.get("/regions/{region}/history")
def history(region: InPath, most: Most = 50) -> Response:
    """Every commit of the forecasts: when it was made, what it did, and where it can be read, unchanged for good."""
    commits = [
        {
            "snapshot": commit.snapshot,
            "time": isoformat(commit.time),
            "message": commit.message,
            "zarr": f"/zarr/{region.name}/forecasts/{commit.snapshot}",
        }
        for commit in commits_of(region.forecasts, most)
    ]
    return json_answer({"region": region.name, "commits": commits})
