"""Every refusal as an RFC 9457 problem that says what was wrong."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from icechunk import IcechunkError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from nowcast.core.redaction import redacted
from nowcast.edr.cells import Outside, TooMany
from nowcast.edr.times import NoSuchTime
from nowcast.serving.api.sequence import UnknownFrame
from nowcast.serving.api.stores import UnknownRegion
from nowcast.settings import secrets
from nowcast.skill import NothingScored
from nowcast.store.query import NoForecast
from nowcast.store.repository import NoSuchSnapshot, StoreNotFound

LONGEST_DETAIL = 500


class Problem(BaseModel):
    """RFC 9457: what went wrong, for people and programs."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class TooMuch(ValueError):
    """An answer would be larger than the service gives; the message names the limit."""


STATUS: dict[type[Exception], HTTPStatus] = {
    NoForecast: HTTPStatus.NOT_FOUND,
    StoreNotFound: HTTPStatus.NOT_FOUND,
    NothingScored: HTTPStatus.NOT_FOUND,
    UnknownRegion: HTTPStatus.NOT_FOUND,
    UnknownFrame: HTTPStatus.NOT_FOUND,
    NoSuchSnapshot: HTTPStatus.NOT_FOUND,
    Outside: HTTPStatus.NOT_FOUND,
    NoSuchTime: HTTPStatus.NOT_FOUND,
    TooMany: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TooMuch: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ValueError: HTTPStatus.BAD_REQUEST,
    IcechunkError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Exception -> status; the nearest class of an exception counts."""

REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"description": what, "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
    for code, what in {
        401: "The service asks for a token, and none or another was given",
        400: "The question cannot be answered: outside the grid, no such lead, an empty box",
        404: "No such region, nowcast, tile or key",
        413: "The answer would be larger than the service gives",
        422: "A parameter is missing or of the wrong kind",
        503: "The store cannot be read at the moment, or the data are too old",
    }.items()
}
"""What the OpenAPI document says of refusals."""


def problem(status: int, detail: str) -> Response:
    """One refusal."""
    said = redacted(detail, secrets())[:LONGEST_DETAIL]
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=said)
    return Response(orjson.dumps(body.model_dump()), status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Turn every expected exception into a problem."""
    for kind, status in STATUS.items():
        app.add_exception_handler(kind, _answer(status))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _answer(status: HTTPStatus) -> Callable[[Request, Exception], Response]:
    return lambda request, error: problem(status, str(error))


def _invalid(request: Request, error: Exception) -> Response:
    """Which parameters are wrong and why; their values are not repeated."""
    assert isinstance(error, RequestValidationError)
    found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, found)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer
