"""Which pictures there are of a region: the observed frames before a nowcast and its leads, in time order."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from nowcast.core.timeline import isoformat, parse_time
from nowcast.provenance import fields
from nowcast.serving.api.answers import headers, json_answer
from nowcast.serving.api.fields import Kept
from nowcast.serving.api.sequence import Frame, chance_layer, issue, observed
from nowcast.serving.api.stores import InPath
from nowcast.tiles.palettes import PALETTES

router = APIRouter(tags=["tiles"])

LONGEST_PAST_MIN = 720

TILES = "/tiles/{region}/{layer}/{frame}/{z}/{x}/{y}.png?palette={palette}&v={version}"
LEGEND = "/legend/{kind}.json?palette={palette}"

Past = Annotated[int, Query(ge=0, le=LONGEST_PAST_MIN, description="minutes of observed frames before the nowcast")]
InitTime = Annotated[str | None, Query(max_length=40, description="ISO 8601, UTC; the latest when absent")]


@router.get("/regions/{region}/frames")
def frames(region: InPath, shelf: Kept, past: Past = 60, init_time: InitTime = None) -> Response:
    """The frames and layers to draw with /tiles; a frame of kind `missing` has no usable scan and no tiles."""
    found = issue(region, shelf, parse_time(init_time) if init_time else None)
    init, now = found.provenance.init_time, region.clock()
    before = observed(region, init - timedelta(minutes=past), init)
    told = fields(found.provenance, now)
    answer = told | {
        "now": isoformat(now),
        "cadence_s": region.forecasts.dataset.attrs["nowcast:cadence_s"],
        "bbox": found.grid.bbox,
        "layers": _layers(found.thresholds, is_observed=bool(before)),
        "palettes": {kind: list(named) for kind, named in PALETTES.items()},
        "frames": [_told(frame) for frame in (*before, *found.frames)],
        "tiles": TILES,
        "legend": LEGEND,
    }
    return json_answer(answer, headers={"Cache-Control": "no-cache", **headers(told)})


def _layers(thresholds: tuple[float, ...], is_observed: bool) -> list[dict[str, Any]]:
    rain = {"id": "rain", "kind": "rain", "title": "Rain rate", "units": "mm/h", "observed": is_observed}
    chances = [
        {
            "id": chance_layer(threshold),
            "kind": "chance",
            "title": f"Chance of rain >= {threshold:g} mm/h",
            "units": "1",
            "observed": False,
        }
        for threshold in thresholds
    ]
    unseen = {"id": "coverage", "kind": "coverage", "title": "Not seen by radar", "observed": is_observed}
    return [rain, *chances, unseen]


def _told(frame: Frame) -> dict[str, Any]:
    told: dict[str, Any] = {"frame": frame.name, "kind": frame.kind, "time": isoformat(frame.time)}
    if frame.lead_min is not None:
        told["lead_min"] = frame.lead_min
    return told | ({"version": frame.version} if frame.version else {})
