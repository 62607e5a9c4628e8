from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Frames, Nowcast, Scan

TIME = datetime(2020, 1, 1, 12, tzinfo=UTC)
GRID = Grid("EPSG:3067", 0.0, 2000.0, 1000.0, 1000.0, 2, 3)
STEP = timedelta(minutes=5)


def scan(**changes: Any) -> Scan:
    values = np.array([[NO_ECHO, 23.0103, np.nan], [39.0103, NO_ECHO, np.nan]], np.float32)
    fields: dict[str, Any] = {
        "source": "test",
        "product": "lowest",
        "nominal_time": TIME,
        "quantity": "reflectivity",
        "values": values,
        "coverage": np.isfinite(values),
        "grid": GRID,
    }
    return Scan(**(fields | changes))


def nowcast(**changes: Any) -> Nowcast:
    fields: dict[str, Any] = {
        "init_time": TIME,
        "lead_times": (STEP, 2 * STEP),
        "rain_rate": np.zeros((2, 2, 3), np.float32),
        "grid": GRID,
        "model": "test",
        "scan_ids": (b"a",),
    }
    return Nowcast(**(fields | changes))


def test_rain_rate_follows_the_scans_own_zr() -> None:
    expected = [[0.0, 1.0, np.nan], [10.0, 0.0, np.nan]]
    np.testing.assert_allclose(scan().rain_rate, expected, rtol=1e-4)
    rain = scan(quantity="rain_rate", values=np.ones((2, 3), np.float32), coverage=np.ones((2, 3), bool))
    assert rain.rain_rate is rain.values


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"nominal_time": datetime(2020, 1, 1)}, "not UTC"),
        ({"values": np.zeros((2, 2), np.float32)}, "values is"),
        ({"values": np.zeros((2, 3))}, "values is float64"),
        ({"coverage": np.ones((2, 3), np.uint8)}, "coverage is uint8"),
        ({"coverage": np.ones((2, 3), bool)}, "NaN elsewhere"),
        ({"values": np.zeros((2, 3), np.float32)}, "NaN elsewhere"),
        ({"values": np.full((2, 3), np.inf, np.float32), "coverage": np.ones((2, 3), bool)}, "finite"),
    ],
)
def test_scan_refuses_what_does_not_fit(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        scan(**changes)


def test_scan_id_is_of_content_not_of_object() -> None:
    assert scan().scan_id == scan().scan_id
    assert len(scan().scan_id) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "other"},
        {"product": "highest"},
        {"nominal_time": TIME + STEP},
        {"values": np.where(scan().values == NO_ECHO, np.float32(1), scan().values)},
    ],
)
def test_scan_id_tells_different_scans_apart(changes: dict[str, Any]) -> None:
    assert scan(**changes).scan_id != scan().scan_id


def test_masked_pixels_are_not_observed_and_the_identity_stays() -> None:
    whole = scan()
    masked = whole.masked(whole.values > 30)
    assert not masked.coverage[1, 0]
    assert np.isnan(masked.values[1, 0])
    assert masked.coverage.sum() == whole.coverage.sum() - 1
    assert masked.scan_id == whole.scan_id
    assert whole.coverage[1, 0], "the original is left alone"


def test_crop_moves_the_grid_and_keeps_the_identity() -> None:
    part = scan().crop(slice(1, 2), slice(0, 2))
    assert part.grid.bounds == (0.0, 0.0, 2000.0, 1000.0)
    assert part.values[0, 0] == scan().values[1, 0]
    assert part.scan_id == scan().scan_id


def test_frames_count_must_agree() -> None:
    field = np.zeros((2, 2, 3), np.float32)
    covered = np.ones((2, 2, 3), bool)
    assert len(Frames((TIME, TIME + STEP), field, covered, (b"a", b""))) == 2
    for times, ids in (((TIME,), (b"a",)), ((TIME, TIME + STEP), (b"a",))):
        with pytest.raises(ValueError, match="scan ids"):
            Frames(times, field, covered, ids)
    with pytest.raises(ValueError, match="coverage"):
        Frames((TIME, TIME + STEP), field, covered[:, :1], (b"a", b"b"))


def test_nowcast_may_hold_missing_values() -> None:
    hole = np.full((2, 2, 3), np.nan, np.float32)
    assert np.isnan(nowcast(rain_rate=hole, probability={1.0: hole}).rain_rate).all()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"init_time": datetime(2020, 1, 1)}, "not UTC"),
        ({"lead_times": (STEP,)}, "leads and grid need"),
        ({"grid": replace(GRID, width=4)}, "leads and grid need"),
        ({"scan_ids": ()}, "name the scans"),
        ({"rain_rate": np.full((2, 2, 3), -0.1, np.float32)}, "negative"),
        ({"rain_rate": np.full((2, 2, 3), np.inf, np.float32)}, "infinite"),
        ({"probability": {1.0: np.zeros((1, 2, 3), np.float32)}}, "probability at 1.0"),
    ],
)
def test_nowcast_refuses_what_does_not_fit(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        nowcast(**changes)
