"""Outlooks of catchments, kept: one Parquet object per nowcast and model, whole or not at all.

They lie at `<day>/<hhmmss>_<model>.parquet`, so a folder is a table that any reader of Parquet data sets takes as one:
a row for each catchment, member and lead. Nothing there ever changes.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nowcast.catchments.outlooks import CatchmentOutlook, Origin
from nowcast.core.crashpoints import reached
from nowcast.core.timeline import isoformat, parse_time
from nowcast.store import objects
from nowcast.store.repository import Location

SCHEMA = pa.schema(
    {
        "region": pa.string(),
        "init_time": pa.timestamp("s", tz="UTC"),
        "model": pa.string(),
        "catchment": pa.string(),
        "member": pa.int16(),
        "lead_time_s": pa.int32(),
        "rain_rate": pa.float32(),
        "coverage_share": pa.float32(),
    }
)
ABOUT = b"nowcast"


def publish_outlooks(location: Location, outlooks: Sequence[CatchmentOutlook], now: datetime) -> bool:
    """Keep the outlooks of one nowcast; False, changing nothing, when those of its init_time and model are there.

    ValueError when there are none or they are of several nowcasts.
    """
    if not outlooks or any(one.origin != outlooks[0].origin for one in outlooks):
        raise ValueError("outlooks are kept for one nowcast at a time")
    origin = outlooks[0].origin
    path = _path(origin.init_time, origin.model)
    if objects.read(location, path) is not None:
        return False
    about = {"issued": isoformat(now), "origin": _origin_json(origin), "catchments": _catchments_json(outlooks)}
    table = pa.concat_tables([_table(one) for one in outlooks])
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(about)}), sink, compression="zstd")
    objects.write(location, path, sink.getvalue().to_pybytes())
    reached("outlooks.kept")
    return True


def newest_outlooks(location: Location) -> tuple[CatchmentOutlook, ...]:
    """Those with the newest initial time, by the model that came last; empty when there are none."""
    for day in reversed(objects.folders(location)):
        if paths := objects.listed(location, day):
            newest = paths[-1].partition("_")[0]
            tables = [_read(location, path) for path in paths if path.startswith(newest)]
            return _outlooks(max(tables, key=lambda table: str(_about(table)["issued"])))
    return ()


def outlooks_at(location: Location, init_time: datetime, model: str) -> tuple[CatchmentOutlook, ...]:
    """Those of one nowcast; empty when there are none."""
    path = _path(init_time, model)
    return () if objects.read(location, path) is None else _outlooks(_read(location, path))


def _path(init_time: datetime, model: str) -> str:
    return f"{init_time.astimezone(UTC):%Y-%m-%d/%H%M%S}_{quote(model, safe='')}.parquet"


def _table(outlook: CatchmentOutlook) -> Any:
    members, leads = outlook.rain_rate.shape
    seconds = [int(lead.total_seconds()) for lead in outlook.origin.lead_times]
    rows, origin = members * leads, outlook.origin
    columns = {
        "region": [origin.region] * rows,
        "init_time": [origin.init_time] * rows,
        "model": [origin.model] * rows,
        "catchment": [outlook.catchment_id] * rows,
        "member": np.repeat(np.arange(members), leads),
        "lead_time_s": np.tile(seconds, members),
        "rain_rate": outlook.rain_rate.ravel(),
        "coverage_share": outlook.coverage_share.ravel(),
    }
    return pa.table(columns, schema=SCHEMA)


def _origin_json(origin: Origin) -> dict[str, Any]:
    return {
        "region": origin.region,
        "init_time": isoformat(origin.init_time),
        "lead_times_s": [lead.total_seconds() for lead in origin.lead_times],
        "model": origin.model,
        "rung": origin.rung,
        "input_age_s": origin.input_age.total_seconds(),
    }


def _catchments_json(outlooks: Sequence[CatchmentOutlook]) -> dict[str, Any]:
    return {one.catchment_id: {"name": one.name, "area_km2": one.area_km2} for one in outlooks}


def _read(location: Location, path: str) -> Any:
    content = objects.read(location, path)
    assert content is not None
    try:
        return pq.read_table(pa.BufferReader(content))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{location.url}/{path}: {error}") from error


def _about(table: Any) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(table.schema.metadata[ABOUT])
    return about


def _outlooks(table: Any) -> tuple[CatchmentOutlook, ...]:
    about = _about(table)
    kept = about["origin"]
    lead_times = tuple(timedelta(seconds=s) for s in kept["lead_times_s"])
    age = timedelta(seconds=kept["input_age_s"])
    origin = Origin(kept["region"], parse_time(kept["init_time"]), lead_times, kept["model"], kept["rung"], age)
    made = []
    for catchment_id, one in about["catchments"].items():
        rows = table.filter(pa.compute.equal(table["catchment"], catchment_id))
        rate, share = (rows[name].to_numpy().reshape(-1, len(lead_times)) for name in ("rain_rate", "coverage_share"))
        made.append(CatchmentOutlook(catchment_id, one["name"], one["area_km2"], origin, rate, share))
    return tuple(made)
