"""What does not fit is refused by a named error, whatever the refused thing is called."""

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import NOW, archive_in, file_id, forecasts_in, nowcast, scan

from nowcast.store.archive import Placement, append, gaps, read_slots, time_of_file
from nowcast.store.forecasts import issued, publish
from nowcast.store.quarantine import refusals, refuse
from nowcast.store.template import STATUS_EMPTY, STATUS_MISSING, STATUS_OBSERVED


def test_a_refused_json_file_is_not_taken_for_a_record(tmp_path: Path) -> None:
    bad, folder = tmp_path / "listing.json", tmp_path / "quarantine"
    bad.write_text('{"scans": []}')
    refuse(folder, bad, file_id(0), "no known radar format", NOW)
    assert [(refusal.file, refusal.reason) for refusal in refusals(folder)] == [
        ("listing.json", "no known radar format")
    ]


def test_a_folder_without_refusals_has_none(tmp_path: Path) -> None:
    assert refusals(tmp_path / "nothing here") == []


def test_a_nowcast_without_a_threshold_of_the_store_is_refused(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path, thresholds=(1.0, 5.0))
    lacking = nowcast(0)
    lacking = replace(lacking, probability={1.0: lacking.probability[1.0]})
    with pytest.raises(ValueError, match=r"5\.0"):
        publish(forecasts, lacking, NOW)
    assert issued(forecasts) == {}


def test_a_file_of_known_and_new_scans_adds_the_new_ones(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    append(archive, [scan(1)], file_id(1), NOW)
    placements = append(archive, [scan(0), scan(1), scan(1, rain_rate=7.0), scan(3)], file_id(2), NOW)
    assert placements == [Placement.LATE, Placement.DUPLICATE, Placement.CONFLICT, Placement.STORED]
    assert [time_of_file(archive, file_id(k)) for k in (1, 2)] == [scan(1).nominal_time, scan(0).nominal_time]


def test_status_tells_missing_observed_and_uncovered_apart(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    blind = scan(2).masked(scan(2).coverage)
    append(archive, [scan(0), blind, scan(3)], file_id(0), NOW)
    expected = [STATUS_OBSERVED, STATUS_MISSING, STATUS_EMPTY, STATUS_OBSERVED]
    assert read_slots(archive).status.tolist() == expected
    assert read_slots(archive).latest == 3
    assert gaps(archive) == [archive.timeline.time(1)]
    assert append(archive, [scan(2, rain_rate=4.0)], file_id(1), NOW) == [Placement.CONFLICT]
