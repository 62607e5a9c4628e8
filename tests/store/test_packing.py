"""What lies in the arrays themselves, read without the code that wrote it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import GRID, NOW, START, TIMELINE, archive_in, file_id, forecasts_in, nowcast, scan

from nowcast.core.rain import MARSHALL_PALMER
from nowcast.core.scan import Scan
from nowcast.store import query, repository
from nowcast.store.archive import append, create_archive, read_frames
from nowcast.store.forecasts import publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location

SECONDS = int(START.timestamp())


def test_a_nowcast_is_stored_in_hundredths_with_fills_for_nan(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(0, rain_rate=1.5), NOW)
    group = repository.read(forecasts.repository)
    assert np.asarray(group["rain_rate"][0])[:, 1, 1].tolist() == [150, 300, 450]
    assert np.asarray(group["rain_rate"][0])[:, 0, 0].tolist() == [65535] * 3
    assert np.asarray(group["probability"][0])[0, :, 1, 1].tolist() == [25, 0]
    assert np.asarray(group["probability"][0])[0, :, 0, 0].tolist() == [255, 255]


def test_a_certain_chance_is_exactly_one(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path, thresholds=(1.0,))
    publish(forecasts, replace(nowcast(0), probability={1.0: np.ones((3, *GRID.shape), np.float32)}), NOW)
    assert (query.latest(Reader(forecasts.location)).probability == 1.0).all()


@pytest.mark.parametrize(("count", "kept"), [(2, 2), (16, 16), (20, 16)])
def test_the_newest_sixteen_inputs_are_kept(tmp_path: Path, count: int, kept: int) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, replace(nowcast(0), scan_ids=tuple(file_id(k) for k in range(count))), NOW)
    stored = query.latest(Reader(forecasts.location)).input_scan_id.values
    assert [row.tobytes() for row in stored if row.any()] == [file_id(k) for k in range(count - kept, count)]


def test_times_are_seconds_since_1970_in_skipped_slots_too(tmp_path: Path) -> None:
    archive, forecasts = archive_in(tmp_path), forecasts_in(tmp_path)
    append(archive, [scan(2)], file_id(0), NOW)
    publish(forecasts, nowcast(2), NOW)
    stored, made = repository.read(archive.repository), repository.read(forecasts.repository)
    assert list(stored["time"][:]) == list(made["init_time"][:]) == [SECONDS, SECONDS + 300, SECONDS + 600]
    assert stored["received_time"][2] == made["issued_time"][2] == NOW.timestamp()
    assert np.isnat(Reader(archive.location).dataset.received_time.values).tolist() == [True, True, False]


def test_rain_rates_survive_an_archive_of_reflectivity(tmp_path: Path) -> None:
    """0.01 dBZ is 0.14 % of a rain rate at b = 1.6."""
    archive = create_archive(Location(str(tmp_path / "dbz")), GRID, TIMELINE, "reflectivity", MARSHALL_PALMER)
    values = np.full(GRID.shape, 10.0, np.float32)
    values[0], values[1] = np.nan, 0.0
    append(archive, [Scan("f", "p", START, "rain_rate", values, np.isfinite(values), GRID)], file_id(0), NOW)
    found = read_frames(archive, 0, 0)
    assert np.isnan(found.rain_rate[0, 0]).all()
    assert (found.rain_rate[0, 1] == 0).all()
    np.testing.assert_allclose(found.rain_rate[0, 2:], 10.0, rtol=0.0014)
