"""Which regions there are, and how good their nowcasts were."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from nowcast import skill as scored
from nowcast.core.timeline import isoformat, parse_time
from nowcast.serving.api.answers import headers, json_answer, provenance_fields
from nowcast.serving.api.shapes import RegionsAnswer
from nowcast.serving.api.stores import Opened, Served, Stores
from nowcast.store.repository import StoreNotFound

router = APIRouter(tags=["regions"])

LONGEST_WINDOW = scored.parse_window("366d")

RegionName = Annotated[str | None, Query(max_length=100, description="may be left out when there is but one")]
Window = Annotated[str, Query(max_length=20, description="24h, 30d, 90min; at most 366d")]
Until = Annotated[str | None, Query(max_length=40, description="ISO 8601, UTC; the newest scored time when absent")]


@router.get("/regions", response_model=RegionsAnswer)
def regions(served: Served) -> Response:
    """Every region that has nowcasts, where it lies and how often it is observed."""
    found = [_described(one) for one in (_opened(served, name) for name in served.names) if one is not None]
    return json_answer({"now": isoformat(served.clock()), "regions": found})


@router.get("/skill", response_model=dict[str, Any])
def skill(served: Served, region: RegionName = None, window: Window = "24h", until: Until = None) -> Response:
    """Live scores of a window's nowcasts beside persistence and advection, as `nowcast skill --json` prints them."""
    opened = served.only(region)
    length = scored.parse_window(window)
    if length > LONGEST_WINDOW:
        raise ValueError(f"window {window!r} is longer than {scored.in_words(LONGEST_WINDOW)}")
    end = parse_time(until) if until else None
    found = scored.skill(opened.location, length, end)
    told = provenance_fields(opened, opened.nowcast())
    return json_answer(told | scored.tables(found, opened.clock()), headers=headers(told))


def _opened(served: Stores, name: str) -> Opened | None:
    try:
        return served.open(name)
    except StoreNotFound:
        return None


def _described(opened: Opened) -> dict[str, Any]:
    grid = opened.forecasts.grid
    return {
        "region": opened.name,
        "title": opened.name,
        "bbox": grid.bbox,
        "cadence_s": opened.forecasts.dataset.attrs["nowcast:cadence_s"],
        "grid": grid.describe(),
    }
