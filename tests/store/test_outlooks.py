"""Outlooks are kept once per nowcast and model, in a folder or a bucket, and are a table for any reader of Parquet."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest
from bucket import new_bucket, s3_server
from polygons import INIT, outlook

from nowcast.catchments.outlooks import CatchmentOutlook
from nowcast.store import objects
from nowcast.store.outlooks import newest_outlooks, outlooks_at, publish_outlooks
from nowcast.store.repository import Location

NAN = float("nan")
RATES = [[1, 2, NAN], [0, 4, 8]]
LATER = INIT + timedelta(days=1)


@pytest.fixture
def where(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "catchments"))


def by(model: str, found: CatchmentOutlook) -> CatchmentOutlook:
    return replace(found, origin=replace(found.origin, model=model))


def assert_same(found: CatchmentOutlook, wanted: CatchmentOutlook) -> None:
    assert (found.catchment_id, found.name, found.area_km2) == (wanted.catchment_id, wanted.name, wanted.area_km2)
    assert found.origin == wanted.origin
    np.testing.assert_array_equal(found.rain_rate, wanted.rain_rate)
    np.testing.assert_array_equal(found.coverage_share, wanted.coverage_share)


def test_what_was_kept_comes_back(where: Location) -> None:
    both = [outlook(RATES, share=0.9), outlook(RATES[::-1], catchment_id="lake")]
    assert publish_outlooks(where, both, LATER)
    for found, wanted in zip(newest_outlooks(where), both, strict=True):
        assert_same(found, wanted)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    with s3_server() as url:
        yield Location("s3://radar/here/catchments", new_bucket(url, "radar", monkeypatch))


def test_in_a_bucket(bucket: Location) -> None:
    assert newest_outlooks(bucket) == ()
    for minutes in (0, 24 * 60):
        assert publish_outlooks(bucket, [outlook(RATES, minutes)], LATER)
    assert not publish_outlooks(bucket, [outlook(RATES)], LATER)
    assert objects.folders(bucket) == ["2026-06-01", "2026-06-02"]
    assert_same(newest_outlooks(bucket)[0], outlook(RATES, 24 * 60))


def test_the_first_stays(where: Location) -> None:
    assert publish_outlooks(where, [outlook(RATES)], LATER)
    assert not publish_outlooks(where, [outlook([[9, 9, 9]])], LATER)
    assert_same(newest_outlooks(where)[0], outlook(RATES))


def test_of_two_models_the_one_that_came_last_is_newest(where: Location) -> None:
    for k, model in enumerate(("b", "a", "c")):
        publish_outlooks(where, [by(model, outlook(RATES))], LATER - timedelta(minutes=k if model != "a" else -1))
    assert newest_outlooks(where)[0].origin.model == "a"
    assert outlooks_at(where, INIT, "c")[0].origin.model == "c"
    assert outlooks_at(where, INIT, "d") == ()


def test_newest_is_by_initial_time(where: Location) -> None:
    for minutes in (5, 24 * 60 + 10, 24 * 60 + 5, 0):
        publish_outlooks(where, [outlook(RATES, minutes)], LATER)
    assert newest_outlooks(where)[0].origin.init_time == LATER + timedelta(minutes=10)


@pytest.mark.parametrize("model", ["../../x", "a/b", "a b", "ä_1"])
def test_a_models_name_leads_nowhere_else(where: Location, tmp_path: Path, model: str) -> None:
    publish_outlooks(where, [by(model, outlook(RATES))], LATER)
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert kept.parent == tmp_path / "catchments" / "2026-06-01"
    assert newest_outlooks(where)[0].origin.model == model
    assert outlooks_at(where, INIT, model)[0].origin.model == model


def test_the_folder_is_one_table(where: Location) -> None:
    """Two nowcasts of two catchments, members and three leads."""
    for minutes in (0, 5):
        publish_outlooks(where, [outlook(RATES, minutes), outlook(RATES, minutes, catchment_id="lake")], LATER)
    table = pyarrow.dataset.dataset(where.url).to_table()
    assert table.num_rows == 24
    lake = table.filter((pyarrow.dataset.field("catchment") == "lake") & (pyarrow.dataset.field("lead_time_s") == 600))
    assert lake["rain_rate"].to_pylist() == [2, 4, 2, 4]


def test_outlooks_of_several_nowcasts_are_refused(where: Location) -> None:
    with pytest.raises(ValueError, match="one nowcast at a time"):
        publish_outlooks(where, [outlook(RATES), outlook(RATES, 5)], LATER)


def test_a_damaged_file_is_said_with_its_place(where: Location) -> None:
    objects.write(where, "2026-06-01/120000_m.parquet", b"PAR")
    with pytest.raises(ValueError, match=r"catchments/2026-06-01/120000_m\.parquet"):
        newest_outlooks(where)
