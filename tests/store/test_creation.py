"""A store is created once; a creation that a kill cut short can be done again."""

from pathlib import Path

import pytest
from fakes import NOW, archive_in, file_id, forecasts_in, scan

from nowcast.store import repository
from nowcast.store.archive import Placement, append, open_archive
from nowcast.store.forecasts import open_forecasts
from nowcast.store.repository import Location, StoreNotFound


@pytest.fixture
def cut_short(tmp_path: Path) -> Location:
    """What a kill after the repository was made and before its layout was committed leaves."""
    location = Location(str(tmp_path / "archive"))
    repository.create(location)
    return location


def test_reopening_gives_the_same_forecasts(tmp_path: Path) -> None:
    made = forecasts_in(tmp_path)
    found = open_forecasts(made.location)
    assert (found.grid, found.timeline) == (made.grid, made.timeline)
    assert (found.lead_times, found.thresholds) == (made.lead_times, made.thresholds)


def test_forecasts_without_thresholds_reopen_without(tmp_path: Path) -> None:
    assert open_forecasts(forecasts_in(tmp_path, thresholds=()).location).thresholds == ()


def test_forecasts_are_created_once(tmp_path: Path) -> None:
    forecasts_in(tmp_path)
    with pytest.raises(ValueError, match="already holds"):
        forecasts_in(tmp_path)


def test_a_store_without_layout_is_not_there(cut_short: Location) -> None:
    assert not repository.exists(cut_short)
    with pytest.raises(StoreNotFound, match="archive"):
        open_archive(cut_short)


def test_a_creation_that_was_cut_short_can_be_done_again(cut_short: Location) -> None:
    archive = archive_in(Path(cut_short.url).parent)
    assert append(archive, [scan(0)], file_id(0), NOW) == [Placement.STORED]
