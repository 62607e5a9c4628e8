"""Sums of scored nowcasts as rows of one file per day: what goes in comes out, once, whole, and adds up."""

import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import FIVE, START
from structlog.testing import capture_logs

from nowcast.core.types import BoolField, FloatField
from nowcast.store import days
from nowcast.store.repository import Location
from nowcast.store.rows import METHODS, Row, alike, row, summed, table
from nowcast.verify.part import Part
from nowcast.verify.statistics import Sums, compare_at, zero

DAY = date(2026, 6, 1)
THRESHOLDS = (0.5, 2.0)
EVERYWHERE = np.ones((4, 5), bool)
NUMBER = "double"
LIST = "list<element: double>"
NESTED = f"list<element: {LIST}>"
GOLDEN = {
    "valid_time": "timestamp[ms, tz=UTC]",
    "init_time": "timestamp[ms, tz=UTC]",
    "lead_minutes": "int32",
    "method": "string",
    "model": "string",
    "rung": "string",
    "thresholds": LIST,
    **dict.fromkeys(("hits", "misses", "false_alarms"), LIST),
    **dict.fromkeys(("cases", "pixels", "error", "absolute_error", "squared_error", "forecast", "observed"), NUMBER),
    **dict.fromkeys(("forecast_squared", "observed_squared", "product"), NUMBER),
    "chances.thresholds": LIST,
    **dict.fromkeys(("chances.squared_error", "chances.probability_squared"), LIST),
    **dict.fromkeys(("chances.bin_pixels", "chances.bin_probability", "chances.bin_events"), NESTED),
    "chances.crps": NUMBER,
}
"""Columns and their types as they come out of a file."""


def field(seed: int) -> FloatField:
    """Drizzle with showers, (y, x) or with a leading threshold."""
    return np.random.default_rng(seed).gamma(0.5, 2.0, (4, 5)).astype(np.float32)


def sums_of(seed: int, lead: int, mask: BoolField = EVERYWHERE, spatial: bool = False) -> Sums:
    """Of a made-up forecast and its chances at one lead of three."""
    chances = np.random.default_rng(seed).random((2, 4, 5)).astype(np.float32)
    made = compare_at({"a": field(seed)}, field(seed + 1), mask, lead, 3, THRESHOLDS, spatial, {"a": chances})
    return made["a"]


def rows_of(number: int, lead: int = 0, model: str = "m-1", day: date = DAY) -> list[Row]:
    """A row per method of the nowcast that is valid `number` slots into the day."""
    valid = START + (day - DAY) + number * FIVE
    case = {"valid_time": valid, "init_time": valid - (lead + 1) * FIVE, "lead_minutes": 5 * (lead + 1)}
    case |= {"model": model, "rung": ""}
    return [row(case | {"method": method}, sums_of(number, lead), lead) for method in METHODS]


def same(one: Part, other: Part) -> bool:
    """Whether two sums agree to rounding in every array, and in what they are over."""
    assert type(one) is type(other)
    for name, mine in vars(one).items():
        theirs = getattr(other, name)
        if isinstance(mine, Part):
            assert same(mine, theirs)
        elif isinstance(mine, np.ndarray):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)
        else:
            assert mine == theirs
    return True


@pytest.fixture
def here(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "here"))


def held(here: Location, day: date = DAY) -> pa.Table:
    found = days.read(here, day)
    assert found is not None
    return found


def test_a_file_has_a_column_per_field_of_the_sums(here: Location) -> None:
    days.add(here, DAY, rows_of(6))
    found = pq.read_table(Path(here.url) / "skill" / "2026-06-01.parquet")
    assert {name: str(kind) for name, kind in zip(found.schema.names, found.schema.types, strict=True)} == GOLDEN


@pytest.mark.parametrize("spatial", [False, True])
def test_rows_add_up_to_the_sums_they_were_made_of(spatial: bool) -> None:
    """Two cases at 5 minutes, none at 10, one at 15; parts within the sums come along, those without are None."""
    parts = [(1, 0), (2, 0), (3, 2)]
    made = [sums_of(seed, lead, spatial=spatial) for seed, lead in parts]
    case = {"valid_time": START, "init_time": START, "method": "served", "model": "m", "rung": ""}
    rows = [row(case | {"lead_minutes": 5 * (lead + 1)}, one, lead) for one, (_, lead) in zip(made, parts, strict=True)]
    assert same(summed(table(rows), (5, 10, 15)), made[0] + made[1] + made[2])


def test_sums_without_thresholds_or_chances_come_back_without() -> None:
    nothing = row(rows_of(6)[0], zero(1, ()), 0)
    found = summed(table([nothing, nothing]), (5,))
    assert (found.thresholds, found.chances, found.spatial) == ((), None, None)
    assert found.hits.shape == (1, 0)


def test_rows_from_before_there_were_chances_add_up_with_those_after() -> None:
    """Counts are of both, chances of the one that has them."""
    case = rows_of(6)[0]
    one, other = sums_of(1, 0), sums_of(2, 0)
    old = row(case, zero(3, THRESHOLDS) + Sums(*list(vars(one).values())[:14]), 0)
    rows = pa.concat_tables([table([old]), table([row(case, other, 0)])], promote_options="default")
    found = summed(rows, (5, 10, 15))
    np.testing.assert_allclose(found.hits, one.hits + other.hits)
    assert found.chances is not None
    assert other.chances is not None
    assert same(found.chances, other.chances)


def test_rows_over_other_thresholds_than_the_last_are_told_apart() -> None:
    case = rows_of(6)[0]
    kinds = [zero(1, thresholds) for thresholds in ((1.0,), (0.5, 2.0), (0.5, 3.0), (0.5, 2.0))]
    assert alike(table([row(case, kind, 0) for kind in kinds])).tolist() == [False, True, False, True]


def test_adding_again_changes_no_byte_and_what_was_there_first_stands(here: Location) -> None:
    assert days.add(here, DAY, rows_of(6)) == 3
    before = (Path(here.url) / days.path(DAY)).read_bytes()
    assert days.add(here, DAY, rows_of(6, model="m-2")) == 0
    assert (Path(here.url) / days.path(DAY)).read_bytes() == before


def test_rows_lie_in_order_whatever_the_order_they_came_in(here: Location) -> None:
    for number in (7, 9, 8):
        days.add(here, DAY, rows_of(number))
    found = held(here)
    assert found["valid_time"].to_pylist()[::3] == [START + number * FIVE for number in (7, 8, 9)]
    assert found["method"].to_pylist()[:3] == sorted(METHODS)


def test_days_lists_whole_days_alone(here: Location) -> None:
    assert days.days(here) == []
    for day in (DAY, DAY - timedelta(days=1)):
        days.add(here, day, rows_of(6, day=day))
    (Path(here.url) / "skill" / "notes.txt").touch()
    assert days.days(here) == [DAY - timedelta(days=1), DAY]
    assert days.read(here, DAY - timedelta(days=2)) is None


def spoil(here: Location, kind: str) -> bytes:
    """Damage the day's file; what is there now."""
    path = Path(here.url) / days.path(DAY)
    content = path.read_bytes()
    spoiled = {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "garbage": b"<html>" * 99,
        "body": content[:4] + bytes(len(content) // 2 - 4) + content[len(content) // 2 :],
    }
    path.write_bytes(spoiled[kind])
    return spoiled[kind]


@pytest.mark.parametrize("kind", ["truncated", "empty", "garbage", "body"])
def test_a_file_that_cannot_be_read_is_named_put_aside_and_begun_anew(here: Location, kind: str) -> None:
    days.add(here, DAY, rows_of(6))
    spoiled = spoil(here, kind)
    with pytest.raises(days.Damaged, match=r"skill/2026-06-01\.parquet"):
        days.read(here, DAY)
    with capture_logs() as logs:
        assert days.scored(here, DAY) == set() or kind == "body"
        assert days.add(here, DAY, rows_of(7)) == 3
    assert {line["log_level"] for line in logs} == {"error"}
    (aside,) = (Path(here.url) / "skill" / "_damaged").iterdir()
    assert aside.read_bytes() == spoiled
    assert held(here)["valid_time"].to_pylist() == [START + 7 * FIVE] * 3
    assert days.days(here) == [DAY]


WRITER = """
import sys
from test_days import DAY, rows_of
from nowcast.store import days
from nowcast.store.repository import Location
for number in range(6, 288):
    days.add(Location(sys.argv[1]), DAY, rows_of(number))
"""


def test_a_killed_writer_leaves_whole_scans_and_the_next_one_goes_on(here: Location) -> None:
    folders = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    child = subprocess.Popen([sys.executable, "-c", WRITER, here.url], env={**os.environ, "PYTHONPATH": folders})
    while not (Path(here.url) / days.path(DAY)).exists():
        assert child.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    before = len(held(here))
    assert before % 3 == 0
    assert days.add(here, DAY, rows_of(287)) == 3
    assert len(held(here)) == before + 3
