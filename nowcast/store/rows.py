"""Sums as rows of a table, one per scan, nowcast and method, and added up again. Knows no score by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nowcast.verify.part import Part
from nowcast.verify.statistics import Sums

SERVED, PERSISTENCE, ADVECTION = METHODS = ("served", "persistence", "advection")
"""What is scored: the nowcast that was published, and the two that it must beat."""

MOMENT = pa.timestamp("ms", tz="UTC")
NUMBER = pa.float64()
CASE = {
    "valid_time": MOMENT,
    "init_time": MOMENT,
    "lead_minutes": pa.int32(),
    "method": pa.string(),
    "model": pa.string(),
    "rung": pa.string(),
}
"""What a row is about; the other columns are the fields of `Sums`."""

Row = Mapping[str, Any]


def row(case: Row, sums: Sums, lead: int) -> Row:
    """A row of the columns CASE and of the sums at index `lead`."""
    return {name: case[name] for name in CASE} | dict(_flat(sums, lead, ""))


def table(rows: Sequence[Row]) -> pa.Table:
    """Rows, at least one, as a table: a number per lead is a column of numbers, an array of them one of lists."""
    columns = [(name, CASE.get(name) or _type(value)) for name, value in rows[0].items()]
    return pa.Table.from_pylist(list(rows), pa.schema(columns))


def summed(rows: pa.Table, minutes: Sequence[int]) -> Sums:
    """Rows of one method added up lead by lead, `minutes` being the leads, all `alike`. ValueError without counts."""
    places = np.searchsorted(minutes, rows["lead_minutes"].to_numpy())
    sums = _part(Sums, rows, places, len(minutes), "")
    if not isinstance(sums, Sums):
        raise ValueError(f"rows of {rows.num_rows} scans hold no counts of events")
    return sums


def alike(rows: pa.Table) -> NDArray[np.bool_]:
    """Which rows sum up the same as the last one: the same thresholds and whatever else sums must agree in."""
    same = np.ones(len(rows), bool)
    for name in _fixed(Sums, ""):
        if len(rows) and name in rows.column_names:
            lists = rows[name].combine_chunks()
            lengths, newest = pc.fill_null(pc.list_value_length(lists), -1).to_numpy(), lists[-1].as_py()
            same &= lengths == (-1 if newest is None else len(newest))
            if newest:
                same[same] = (_numbers(lists.filter(pa.array(same))) == newest).all(axis=1)
    return same


def _flat(part: Part, lead: int, prefix: str) -> Iterator[tuple[str, Any]]:
    """Names and values of a Part's fields at one lead; those of an inner Part stand after its own name and a dot."""
    for field in fields(part):
        name, value = prefix + field.name, getattr(part, field.name)
        if isinstance(value, Part):
            yield from _flat(value, lead, f"{name}.")
        elif isinstance(value, np.ndarray):
            yield name, value[lead].tolist()
        elif value is not None:
            yield name, list(value)


def _type(value: Any) -> pa.DataType:
    """A number, or lists of them as deep as the value's."""
    return pa.list_(_type(value[0]) if value else NUMBER) if isinstance(value, list) else NUMBER


def _part(kind: type[Part], rows: pa.Table, places: NDArray[np.int64], leads: int, prefix: str) -> Part | None:
    """A Part from the columns behind its prefix; None when no row has any."""
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        column = prefix + name
        if (inner := _inner(hint)) is not None:
            values[name] = _part(inner, rows, places, leads, f"{column}.")
        elif column not in rows.column_names or rows[column].null_count == len(rows):
            return None
        elif get_origin(hint) is np.ndarray:
            values[name] = _added(rows[column].combine_chunks(), places, leads)
        else:
            values[name] = tuple(rows[column].drop_null()[-1].as_py())
    return kind(**values)


def _added(column: pa.Array, places: NDArray[np.int64], leads: int) -> NDArray[np.float64]:
    """(lead, ...): the values of all rows added up at their places; a row without any adds nothing."""
    there = column.is_valid()
    numbers = _numbers(column.filter(there))
    total = np.zeros((leads, *numbers.shape[1:]))
    np.add.at(total, places[there.to_numpy(zero_copy_only=False)], numbers)
    return total


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """(row, ...) from numbers, or from lists of them, or of lists, that are as long in every row."""
    shape = [len(column)]
    while pa.types.is_list(column.type):
        outer, column = len(column), column.flatten()
        shape.append(len(column) // max(outer, 1))
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64).reshape(shape)


def _fixed(kind: type[Part], prefix: str) -> Iterator[str]:
    """Columns that say what is summed."""
    for name, hint in _hints(kind).items():
        if (inner := _inner(hint)) is not None:
            yield from _fixed(inner, f"{prefix}{name}.")
        elif get_origin(hint) is not np.ndarray:
            yield prefix + name


def _hints(kind: type[Part]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _inner(hint: Any) -> type[Part] | None:
    """The Part that a field may hold."""
    choices = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return next((one for one in choices if isinstance(one, type) and issubclass(one, Part)), None)
