"""How old the newest scan and nowcast of every region are, and whether that is fresh enough."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from nowcast.core.timeline import isoformat
from nowcast.serving.api.answers import json_answer, provenance_fields
from nowcast.serving.api.faults import problem
from nowcast.serving.api.shapes import ReadyAnswer, StatusAnswer
from nowcast.serving.api.stores import Opened, Served, Stores
from nowcast.skill import parse_window
from nowcast.store.query import NoForecast, newest_scan
from nowcast.store.repository import StoreNotFound

router = APIRouter(tags=["status"])

RegionQuery = Annotated[str | None, Query(description="only this region", max_length=100)]
Age = Annotated[str, Query(description="greatest age of the newest nowcast: 20min, 1h, 1d", max_length=20)]


@router.get("/status", response_model=StatusAnswer)
def status(served: Served, region: RegionQuery = None) -> Response:
    """The newest scan and nowcast of each region, and their ages."""
    return json_answer({"now": isoformat(served.clock()), "regions": _told(served, region)})


@router.get("/ready", response_model=ReadyAnswer)
def ready(served: Served, max_age: Age, region: RegionQuery = None) -> Response:
    """200 when the newest nowcast of every region is at most so old, otherwise 503 that says which is not."""
    longest = parse_window(max_age)
    told = _told(served, region)
    late = [late for name, one in told.items() if (late := _too_old(name, one, longest))]
    return problem(503, "; ".join(late)) if late else json_answer({"ready": True, "regions": told})


def _told(served: Stores, region: str | None) -> dict[str, dict[str, Any]]:
    return {name: _region(served, name) for name in (served.names if region is None else (region,))}


def _region(served: Stores, name: str) -> dict[str, Any]:
    try:
        opened = served.open(name)
        return {"nowcast": provenance_fields(opened, opened.nowcast()), **_scan(opened), "reason": ""}
    except (StoreNotFound, NoForecast) as error:
        return {"nowcast": None, "reason": str(error)}


def _scan(opened: Opened) -> dict[str, Any]:
    newest = newest_scan(opened.archive, opened.clock()) if opened.archive is not None else None
    age = None if newest is None else round((opened.clock() - newest).total_seconds())
    return {"newest_scan": None if newest is None else isoformat(newest), "scan_age_s": age}


def _too_old(name: str, told: dict[str, Any], longest: timedelta) -> str:
    """Why a region is not ready; empty when it is."""
    if told["nowcast"] is None:
        return f"{name}: {told['reason']}"
    age = timedelta(seconds=told["nowcast"]["age_s"])
    return f"{name}: the newest nowcast is {age} old, more than {longest}" if age > longest else ""
