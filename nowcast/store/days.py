"""The store of scores: rows of sums in one Parquet file per UTC day of the valid time.

docs/verification.md describes the columns. A file is replaced as a whole, by one writer at a time.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import date, datetime
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from nowcast.core.crashpoints import reached
from nowcast.store import objects
from nowcast.store.repository import Location
from nowcast.store.rows import CASE, Row, table

log = structlog.get_logger()

FOLDER = "skill"
ORDER = [(name, "ascending") for name in ("valid_time", "init_time", "method")]

Pair = tuple[datetime, datetime]
"""Valid time and initial time."""


class Damaged(ValueError):
    """A day's file cannot be read; the message names it and says why."""


def add(location: Location, day: date, rows: Sequence[Row]) -> int:
    """Put rows into a day's file, but those of a scan and nowcast that have some there; how many came in.

    A file that cannot be read is put aside in skill/_damaged/ and begun anew. Raises Overtaken, having put nothing,
    when another writer was faster.
    """
    fresh: list[Row] = []

    def edited(held: bytes | None) -> bytes:
        there = None if held is None else _kept(location, day, held)
        known = set() if there is None else _pairs(there)
        fresh[:] = [one for one in rows if (one["valid_time"], one["init_time"]) not in known]
        if there is not None and held is not None and not fresh:
            return held
        tables = ([] if there is None else [there]) + ([table(fresh)] if fresh else [])
        content = _encoded(pa.concat_tables(tables, promote_options="default").sort_by(ORDER))
        reached("days.edited")
        return content

    if rows:
        objects.change(location, path(day), edited)
        reached("days.added")
    return len(fresh)


def scored(location: Location, day: date) -> set[Pair]:
    """The scans and nowcasts that a day's file has rows of; none, which is logged, when it cannot be read."""
    try:
        found = read(location, day, ["valid_time", "init_time"])
    except Damaged as error:
        log.error("skill file damaged", reason=str(error))
        return set()
    return set() if found is None else _pairs(found)


def read(location: Location, day: date, columns: list[str] | None = None) -> pa.Table | None:
    """The rows of a day, all columns or some, None when it has no file; Damaged when it cannot be read."""
    content = objects.read(location, path(day))
    return None if content is None else _decoded(location, day, content, columns)


def days(location: Location) -> list[date]:
    """Days that have a file, ascending."""
    name = re.compile(rf"{FOLDER}/(\d{{4}}-\d\d-\d\d)\.parquet")
    return [date.fromisoformat(m[1]) for found in objects.listed(location, FOLDER) if (m := name.fullmatch(found))]


def path(day: date) -> str:
    """A day's file below the region's location."""
    return f"{FOLDER}/{day.isoformat()}.parquet"


def _pairs(rows: pa.Table) -> set[Pair]:
    return set(zip(rows["valid_time"].to_pylist(), rows["init_time"].to_pylist(), strict=True))


def _kept(location: Location, day: date, held: bytes) -> pa.Table | None:
    """What a day's file holds; nothing, after a copy was put aside, when it cannot be read."""
    try:
        return _decoded(location, day, held)
    except Damaged as error:
        aside = f"{FOLDER}/_damaged/{day.isoformat()}-{hashlib.sha256(held).hexdigest()[:8]}.parquet"
        objects.write(location, aside, held)
        reached("days.aside.written")
        log.error("skill file begun anew", reason=str(error), aside=aside)
        return None


def _encoded(rows: pa.Table) -> bytes:
    sink = BytesIO()
    pq.write_table(rows, sink, compression="zstd")
    return sink.getvalue()


def _decoded(location: Location, day: date, content: bytes, columns: list[str] | None = None) -> pa.Table:
    try:
        rows = pq.read_table(pa.BufferReader(content), columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"{location.url}/{path(day)}: {str(error).splitlines()[0]}") from error
    if lacking := set(columns or CASE) - set(rows.column_names):
        raise Damaged(f"{location.url}/{path(day)} has no {sorted(lacking)}")
    return rows
