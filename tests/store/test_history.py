"""Every commit of a store can be asked as if it were the newest, and nothing is read before it is needed."""

from datetime import datetime, timedelta
from pathlib import Path

import icechunk
import numpy as np
import pytest
import xarray as xr
from fakes import FIVE, GRID, NOW, START, TIMELINE, forecasts_in, nowcast

import nowcast as verbs
from nowcast.core.grid import Grid
from nowcast.store import query
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.history import as_of, history
from nowcast.store.query import NoForecast, Reader
from nowcast.store.repository import Location

WIDE = Grid(GRID.crs, 0.0, 0.0, 1000.0, 1000.0, 10, 600)
"""Three tiles side by side: columns 0 .. 255, 256 .. 511, 512 .. 599."""


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Nowcasts of slots 0, 1 and 2: 1, 2 and 3 mm/h at the first lead."""
    forecasts = forecasts_in(tmp_path)
    for slot in range(3):
        publish(forecasts, nowcast(slot, rain_rate=slot + 1.0), NOW)
    return Reader(forecasts.location)


def first_lead(found: xr.Dataset) -> float:
    return float(found.rain_rate[0, 1, 1])


def test_history_is_newest_first_and_begins_with_the_layout(reader: Reader) -> None:
    found = verbs.history(reader)
    assert [commit.message for commit in found][-1] == "layout"
    assert len(found) == 4
    assert all(START.isoformat()[:10] in commit.message for commit in found[:3])
    assert [commit.time for commit in found] == sorted((commit.time for commit in found), reverse=True)
    assert found[0].snapshot == reader.dataset.attrs["nowcast:snapshot"]
    assert verbs.history(reader, most=2) == found[:2]


def test_every_commit_is_as_it_was(reader: Reader) -> None:
    commits = history(reader)
    rain = [first_lead(query.latest(as_of(reader, commit.snapshot))) for commit in commits[:3]]
    assert rain == [3.0, 2.0, 1.0]
    with pytest.raises(NoForecast, match="holds no nowcast yet"):
        query.latest(as_of(reader, commits[3].snapshot))


def test_a_pinned_reader_answers_every_question_and_never_moves(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(0, rain_rate=1.0), NOW)
    reader = Reader(forecasts.location)
    pinned = as_of(reader, history(reader)[0].snapshot)
    publish(forecasts, nowcast(1, rain_rate=7.0), NOW)
    lon, lat = GRID.lonlat(2, 3)
    assert first_lead(query.latest(reader)) == 7.0
    assert first_lead(query.latest(pinned)) == 1.0
    assert query.point(pinned, lat, lon).rain_rate.values.tolist() == [1.0, 2.0, 3.0]
    assert query.map_at(pinned, 2 * FIVE).rain_rate.values[1, 1] == 2.0
    assert query.box(pinned, lat - 1e-4, lon - 1e-4, lat + 1e-4, lon + 1e-4).rain_rate.shape == (3, 1, 1)
    with pytest.raises(NoForecast):
        query.nowcast_at(pinned, START + FIVE)
    assert len(history(pinned)) == len(history(reader)) - 1


def test_a_time_finds_the_newest_commit_at_or_before_it(reader: Reader) -> None:
    third, second, first, layout = history(reader)
    assert as_of(reader, second.time).pinned == second.snapshot
    assert as_of(reader, third.time - timedelta(microseconds=1)).pinned == second.snapshot
    assert as_of(reader, third.time + timedelta(days=1)).pinned == third.snapshot
    assert as_of(reader, first.time.replace(tzinfo=None)).pinned == first.snapshot
    before = layout.time - timedelta(seconds=1)
    with pytest.raises(ValueError, match=f"no commit at or before {before:%Y-%m-%dT%H:%M:%SZ}"):
        as_of(reader, before)
    with pytest.raises(ValueError, match="at or before 0*1-01-01"):
        as_of(reader, datetime.min)


@pytest.mark.parametrize("snapshot", ["", "main", "ZZZZZZZZZZZZZZZZZZZZ", "../etc"])
def test_an_unknown_snapshot_is_named(reader: Reader, snapshot: str) -> None:
    with pytest.raises(ValueError, match=f"has no commit '{snapshot}'"):
        as_of(reader, snapshot)


def test_the_empty_repository_before_the_layout_is_no_commit(reader: Reader) -> None:
    oldest = list(reader.repository.ancestry(branch="main"))[-1]
    with pytest.raises(ValueError, match="has no commit"):
        as_of(reader, oldest.id)


def test_less_than_no_commit_is_refused(reader: Reader) -> None:
    assert history(reader, 0) == []
    with pytest.raises(ValueError, match="-1"):
        history(reader, -1)


def test_a_point_reads_one_tile_and_opening_reads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forecasts = create_forecasts(Location(str(tmp_path / "forecasts")), WIDE, TIMELINE, 3, (1.0, 5.0))
    publish(forecasts, nowcast(0, grid=WIDE), NOW)
    read: list[str] = []
    get = icechunk.IcechunkStore.get

    async def listen(store: icechunk.IcechunkStore, key: str, *more: object, **options: object) -> object:
        read.append(key)
        return await get(store, key, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(icechunk.IcechunkStore, "get", listen)

    def fields() -> list[str]:
        """Chunks of fields that were read since the last call."""
        found = sorted(key for key in read if "/c/" in key and key.startswith(("rain_rate", "probability", "radar_")))
        read.clear()
        return found

    reader = Reader(forecasts.location)
    lon, lat = WIDE.lonlat(4, 300)
    found = query.point(reader, lat, lon)
    assert fields() == []
    np.testing.assert_allclose(found.rain_rate, [1.0, 2.0, 3.0])
    assert fields() == ["rain_rate/c/0/0/0/1"]
    found.probability.load()
    assert fields() == ["probability/c/0/0/0/0/1"]
    query.latest(reader).rain_rate.load()
    assert fields() == [f"rain_rate/c/0/0/0/{tile}" for tile in range(3)]
