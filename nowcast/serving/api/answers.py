"""How answers are written: JSON with NaN as null, and headers that say where a nowcast comes from."""

from typing import Any

import orjson
from fastapi import Response

from nowcast.provenance import fields
from nowcast.serving.api.stores import Opened

PREFIX = "Nowcast-"
SHOWN = ("region", "init_time", "age_s", "input_age_s", "model", "rung", "stale_after", "is_stale")
"""Fields of the provenance that stand in headers as well: Nowcast-Init-Time, Nowcast-Input-Age-S, ..."""


def documented(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of an endpoint that answers with other media than JSON."""
    return {200: {"content": {media_type: {} for media_type in media_types}}}


def json_answer(content: Any, media_type: str = "application/json", headers: dict[str, str] | None = None) -> Response:
    """Numpy arrays as lists, NaN as null."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(body, media_type=media_type, headers=headers)


def provenance_fields(opened: Opened, nowcast: Any) -> dict[str, Any]:
    """What every JSON answer about a nowcast carries."""
    return fields(opened.provenance(nowcast), opened.clock())


def provenance_headers(opened: Opened, nowcast: Any) -> dict[str, str]:
    """The same for every answer, whatever its format."""
    return headers(provenance_fields(opened, nowcast))


def headers(told: dict[str, Any]) -> dict[str, str]:
    """Provenance fields as header lines."""
    return {PREFIX + name.replace("_", "-").title(): _plain(told[name]) for name in SHOWN}


def _plain(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("ascii", "replace").decode()
