"""OGC API Environmental Data Retrieval 1.1: a collection per region, an instance per initial time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import shapely
import xarray as xr
from fastapi import APIRouter, Depends, Path, Query, Response

from nowcast.core.grid import Grid
from nowcast.core.timeline import parse_time
from nowcast.edr import cells
from nowcast.edr.cells import SPELLINGS, Cells
from nowcast.edr.encodings import ENCODERS, Cut, Format
from nowcast.edr.parameters import chosen, values
from nowcast.edr.times import leads_at, valid_times
from nowcast.serving.api import edr_metadata
from nowcast.serving.api.answers import documented, headers, provenance_fields
from nowcast.serving.api.stores import InPath, Opened

MOST_VALUES: dict[Format, int] = {
    Format.COVERAGE_JSON: 4_000_000,
    Format.GEOJSON: 400_000,
    Format.CSV: 2_000_000,
    Format.NETCDF: 40_000_000,
}
"""Values in one answer, over all parameters and leads."""

MOST_VERTICES = 1000
LONGEST_TEXT = 40_000

InstancePath = Annotated[str, Path(description="initial time, ISO 8601", max_length=40)]
Coords = Annotated[str, Query(description="well-known text; longitude first", max_length=LONGEST_TEXT)]
Box = Annotated[str, Query(description="west,south,east,north", max_length=200, examples=["24,60,25,61"])]


@dataclass(frozen=True, eq=False)
class Asked:
    """The nowcast that a question is about."""

    opened: Opened
    nowcast: xr.Dataset


@dataclass(frozen=True)
class Wanted:
    """What every question may choose."""

    datetime: Annotated[
        str | None, Query(description="valid time, or start/end, .. for an open end", max_length=100)
    ] = None
    parameter_name: Annotated[
        str | None, Query(alias="parameter-name", description="comma-separated; all when absent", max_length=2000)
    ] = None
    crs: Annotated[str, Query(description="of coordinates and answer: CRS84 or native", max_length=100)] = "CRS84"
    f: Annotated[Format, Query(description="format")] = Format.COVERAGE_JSON

    @property
    def system(self) -> str:
        """The CRS by its usual name; ValueError for one that is not offered."""
        if self.crs not in SPELLINGS:
            raise ValueError(f"no crs {self.crs!r}, there are {', '.join(SPELLINGS)}")
        return SPELLINGS[self.crs]


def latest(region: InPath) -> Asked:
    """The latest nowcast of the collection."""
    return Asked(region, region.nowcast())


def instance(region: InPath, instance: InstancePath) -> Asked:
    """The nowcast of one initial time."""
    return Asked(region, region.nowcast(parse_time(instance)))


def queries(prefix: str, asked: Callable[..., Asked]) -> APIRouter:
    """The three queries of a collection or of an instance."""
    routes = APIRouter(prefix=prefix)
    One = Annotated[Asked, Depends(asked)]  # noqa: N806
    media_types = [media_type for media_type, _ in ENCODERS.values()]
    how_written: dict[str, Any] = {"response_class": Response, "responses": documented(*media_types)}
    How = Annotated[Wanted, Depends()]  # noqa: N806

    @routes.get("/position", **how_written)
    def position(one: One, how: How, coords: Coords) -> Response:
        """All leads at a POINT(longitude latitude)."""
        point = _geometry(coords, ("Point",))
        return _answer(one, how, lambda most: cells.position(_grid(one), point.x, point.y, how.system))

    @routes.get("/area", **how_written)
    def area(one: One, how: How, coords: Coords) -> Response:
        """All leads at the cells whose centres a POLYGON or MULTIPOLYGON holds; nothing is known outside of it."""
        polygon = _geometry(coords, ("Polygon", "MultiPolygon"))
        return _answer(one, how, lambda most: cells.area(_grid(one), polygon, how.system, most))

    @routes.get("/cube", **how_written)
    def cube(one: One, how: How, bbox: Box) -> Response:
        """All leads at the cells that a box touches."""
        west, south, east, north = _corners(bbox)
        return _answer(one, how, lambda most: cells.box(_grid(one), west, south, east, north, how.system, most))

    return routes


router = APIRouter(prefix="/edr", tags=["EDR"])
router.include_router(edr_metadata.router)
router.include_router(queries("/collections/{region}", latest))
router.include_router(queries("/collections/{region}/instances/{instance}", instance))


def _grid(one: Asked) -> Grid:
    return one.opened.forecasts.grid


def _answer(one: Asked, how: Wanted, cut: Callable[[int], Cells]) -> Response:
    nowcast = leads_at(one.nowcast, how.datetime)
    names = chosen(nowcast, how.parameter_name)
    found = cut(max(1, MOST_VALUES[how.f] // (len(names) * nowcast.sizes["lead_time"])))
    fields = {parameter.id: (parameter, values(nowcast, parameter, found)) for parameter in names}
    told = provenance_fields(one.opened, one.nowcast)
    media_type, encode = ENCODERS[how.f]
    body = encode(Cut(_grid(one), found, valid_times(nowcast), fields, told))
    return Response(body, media_type=media_type, headers=headers(told))


def _geometry(text: str, kinds: tuple[str, ...]) -> shapely.Geometry:
    """ValueError for text that is none of the kinds, is not valid, or has too many corners."""
    try:
        found = shapely.from_wkt(text)
    except shapely.errors.GEOSException as error:
        raise ValueError(f"coords {text[:80]!r} is no well-known text: {error}") from error
    if found is None or found.is_empty or found.geom_type not in kinds:
        raise ValueError(f"coords must be a {' or '.join(kinds)}, not {text[:80]!r}")
    corners = shapely.get_num_coordinates(found)
    if corners > MOST_VERTICES:
        raise cells.TooMany(f"coords has {corners} corners, more than {MOST_VERTICES}")
    if not shapely.is_valid(found) or not all(abs(edge) < 1e9 for edge in found.bounds):
        raise ValueError(f"coords is not valid: {shapely.is_valid_reason(found)}")
    return found


def _corners(text: str) -> list[float]:
    """Four finite numbers; ValueError for anything else. Of six, which name heights too, the heights are left out."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4 or not all(abs(number) < 1e9 for number in numbers):
        raise ValueError(f"bbox must be west,south,east,north, not {text!r}")
    return numbers
