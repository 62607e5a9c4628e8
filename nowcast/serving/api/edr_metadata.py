"""What EDR clients read first: landing page, conformance, collections and instances."""

from datetime import datetime
from typing import Any

import xarray as xr
from edr_pydantic.capabilities import ConformanceModel, LandingPageModel
from edr_pydantic.collections import Collection, Collections, Instance, Instances
from edr_pydantic.data_queries import DataQueries, EDRQuery
from edr_pydantic.extent import Extent, Spatial, Temporal
from edr_pydantic.link import EDRQueryLink, Link
from edr_pydantic.observed_property import ObservedProperty
from edr_pydantic.parameter import Parameter, Parameters
from edr_pydantic.unit import Symbol, Unit
from edr_pydantic.variables import CubeVariables, Variables
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from nowcast.core.timeline import isoformat, name_of, parse_time
from nowcast.edr.cells import CRS84, NATIVE
from nowcast.edr.encodings import Format
from nowcast.edr.parameters import parameters
from nowcast.edr.times import valid_times
from nowcast.serving.api.stores import InPath, Opened, Served
from nowcast.store.query import NoForecast, init_times
from nowcast.store.repository import StoreNotFound

router = APIRouter()

CLASSES = ("core", "collections", "json", "geojson", "edr-geojson", "covjson", "oas30")
QUERIES = ("position", "area", "cube")
MOST_INSTANCES = 288
"""Newest first."""


@router.get("/", response_model=LandingPageModel)
def landing(request: Request) -> Response:
    """Where everything is."""
    base = _base(request)
    links = [
        Link(href=f"{base}/", rel="self", type="application/json"),
        Link(href=f"{base}/conformance", rel="conformance", type="application/json"),
        Link(href=f"{base}/collections", rel="data", type="application/json"),
        Link(href=str(request.base_url) + "openapi.json", rel="service-desc", type="application/vnd.oai.openapi+json"),
        Link(href=str(request.base_url) + "docs", rel="service-doc", type="text/html"),
    ]
    return _written(LandingPageModel(title="nowcast", description="Precipitation nowcasts from radar", links=links))


@router.get("/conformance", response_model=ConformanceModel)
def conformance() -> Response:
    """The requirement classes of OGC 19-086r6 that hold."""
    return _written(
        ConformanceModel(conformsTo=[f"http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/{name}" for name in CLASSES])
    )


@router.get("/collections", response_model=Collections)
def collections(request: Request, served: Served) -> Response:
    """A collection for each region that has a nowcast."""
    found = []
    for name in served.names:
        try:
            found.append(_collection(request, served.open(name)))
        except (NoForecast, StoreNotFound):
            continue
    links = [Link(href=f"{_base(request)}/collections", rel="self", type="application/json")]
    return _written(Collections(links=links, collections=found))


@router.get("/collections/{region}", response_model=Collection)
def collection(request: Request, region: InPath) -> Response:
    """The latest nowcast of a region."""
    return _written(_collection(request, region))


@router.get("/collections/{region}/instances", response_model=Instances)
def instances(request: Request, region: InPath) -> Response:
    """Nowcasts by initial time, the newest first."""
    base = f"{_base(request)}/collections/{region.name}/instances"
    newest = init_times(region.forecasts, region.clock())[: -MOST_INSTANCES - 1 : -1]
    shared = region.nowcast()
    found = [Instance(**_fields(f"{base}/{name_of(t)}", name_of(t), region, shared, t)) for t in newest]
    return _written(Instances(links=[Link(href=base, rel="self", type="application/json")], instances=found))


@router.get("/collections/{region}/instances/{instance}", response_model=Instance)
def one_instance(request: Request, region: InPath, instance: str) -> Response:
    """The nowcast of one initial time."""
    moment = parse_time(instance)
    url = f"{_base(request)}/collections/{region.name}/instances/{name_of(moment)}"
    return _written(Instance(**_fields(url, name_of(moment), region, region.nowcast(moment), moment)))


def _collection(request: Request, opened: Opened) -> Collection:
    url, nowcast = f"{_base(request)}/collections/{opened.name}", opened.nowcast()
    fields = _fields(url, opened.name, opened, nowcast, opened.provenance(nowcast).init_time)
    instances = EDRQuery(link=_query_link(f"{url}/instances", "instances"))
    fields["data_queries"] = fields["data_queries"].model_copy(update={"instances": instances})
    return Collection(**fields)


def _fields(url: str, name: str, opened: Opened, nowcast: xr.Dataset, init_time: datetime) -> dict[str, Any]:
    """What a collection and an instance have alike; `nowcast` may be another one of the same region."""
    shift = init_time - opened.provenance(nowcast).init_time
    times = [time + shift for time in valid_times(nowcast)]
    extent = Extent(
        spatial=Spatial(bbox=[list(opened.forecasts.grid.bbox)], crs=CRS84),
        temporal=Temporal(
            interval=[[times[0], times[-1]]],
            values=[isoformat(time) for time in times],
            trs='TIMECRS["DateTime",TDATUM["Gregorian Calendar"],CS[TemporalDateTime,1],AXIS["Time (T)",future]]',
        ),
    )
    queries = {query: EDRQuery(link=_query_link(f"{url}/{query}", query)) for query in QUERIES}
    return {
        "id": name,
        "title": f"Rain nowcast {opened.name} from {isoformat(init_time)}",
        "links": [
            Link(href=url, rel="self", type="application/json"),
            Link(href=url, rel="data", type="application/json"),
        ],
        "extent": extent,
        "data_queries": DataQueries(**queries),
        "crs": ["CRS84", NATIVE],
        "output_formats": [str(one) for one in Format],
        "parameter_names": Parameters({p.id: _parameter(p.id, p.label, p.unit) for p in parameters(nowcast).values()}),
    }


def _parameter(name: str, label: str, unit: str) -> Parameter:
    symbol = Symbol(value=unit, type="http://www.opengis.net/def/uom/UCUM/")
    return Parameter(id=name, label=label, unit=Unit(symbol=symbol), observedProperty=ObservedProperty(label=label))


def _query_link(url: str, query: str) -> EDRQueryLink:
    formats = {"output_formats": [str(one) for one in Format], "default_output_format": str(Format.COVERAGE_JSON)}
    systems = {"crs_details": [{"crs": name} for name in ("CRS84", NATIVE)]}
    known: dict[str, Any] = {"query_type": query, **formats, **systems}
    variables = CubeVariables(**known, height_units=[]) if query == "cube" else Variables(**known)
    return EDRQueryLink(href=url, rel="data", variables=variables)


def _base(request: Request) -> str:
    return f"{request.base_url}edr"


def _written(model: BaseModel) -> Response:
    return Response(model.model_dump_json(exclude_none=True, by_alias=True), media_type="application/json")
