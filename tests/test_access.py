"""The public verbs: a region's stores by name."""

from pathlib import Path

import pytest
from fakes import GRID, NOW, START, TIMELINE, nowcast

import nowcast as public
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.repository import Location, StoreNotFound


def test_a_region_is_opened_by_name_and_asked_from_the_package(tmp_path: Path) -> None:
    where = Location(str(tmp_path / "here" / "forecasts"))
    publish(create_forecasts(where, GRID, TIMELINE, 3, (1.0, 5.0)), nowcast(2), NOW)
    forecasts = public.open_forecasts("here", str(tmp_path))
    lon, lat = GRID.lonlat(1, 1)
    assert public.latest(forecasts).rain_rate.shape == (3, 4, 6)
    assert public.point(forecasts, lat, lon, START + 2 * TIMELINE.cadence).rain_rate.values.tolist() == [1.0, 2.0, 3.0]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match="here/archive"):
        public.open_archive("here", str(tmp_path))
    with pytest.raises(ValueError, match="should match pattern"):
        public.open_archive("../here", str(tmp_path))
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        getattr(public, "fly")  # noqa: B009
    assert "latest" in dir(public)
    assert public.__version__
