"""Synthetic storms: motion known to the pixel, the same storm from the same seed, a radar that sees a disc."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from nowcast.sources.synthetic import Storm

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("motion", "step", "shift"), [((2, 3), 1, (2, 3)), ((2, 3), 4, (8, 12)), ((-1, 5), 2, (-2, 10))]
)
def test_rain_without_cells_moves_by_whole_pixels(motion: tuple[int, int], step: int, shift: tuple[int, int]) -> None:
    storm = Storm(START, size=64, motion=motion, cells=0)
    moved = np.roll(storm.rain_rate(0), shift, axis=(0, 1))
    assert moved.max() > 0
    np.testing.assert_allclose(storm.rain_rate(step), moved, rtol=1e-4)


def test_half_pixels_add_up_to_whole_ones() -> None:
    """1.5 rows per scan make 3 rows in two scans."""
    storm = Storm(START, size=64, motion=(1.5, 0.0), cells=0)
    np.testing.assert_allclose(storm.rain_rate(2), np.roll(storm.rain_rate(0), 3, axis=0), rtol=1e-4)


def test_a_storm_that_stands_still_without_cells_never_changes() -> None:
    storm = Storm(START, size=64, motion=(0.0, 0.0), cells=0)
    np.testing.assert_array_equal(storm.rain_rate(7), storm.rain_rate(0))


def test_cells_add_rain_and_change_while_they_move() -> None:
    still = {"size": 64, "motion": (0.0, 0.0)}
    storm, background = Storm(START, cells=6, **still), Storm(START, cells=0, **still)
    assert (storm.rain_rate(0) >= background.rain_rate(0)).all()
    assert storm.rain_rate(0).sum() > background.rain_rate(0).sum()
    assert (storm.rain_rate(6) != storm.rain_rate(0)).any()


def test_the_same_seed_makes_the_same_storm_and_another_seed_another() -> None:
    one, same, other = (Storm(START, seed=seed, size=64).rain_rate(3) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_rain_is_dry_in_places_and_within_physical_limits() -> None:
    rate = Storm(START, size=128).rain_rate(0)
    assert 0.05 < (rate > 0).mean() < 0.6
    assert rate.min() == 0
    assert rate.max() <= 120
    assert rate.dtype == np.float32


def test_the_radar_sees_a_disc_and_nothing_beyond() -> None:
    """On 100 pixels the range is 55: the middle of every edge is 49.5 away, a corner 70."""
    storm = Storm(START, size=100)
    (scan,) = storm.scans(1)
    assert scan.coverage[[0, 50, 99, 50], [50, 0, 50, 99]].all()
    assert not scan.coverage[[0, 0, 99, 99], [0, 99, 0, 99]].any()
    np.testing.assert_array_equal(np.isnan(scan.values), ~scan.coverage)
    np.testing.assert_array_equal(scan.values[scan.coverage], storm.rain_rate(0)[scan.coverage])
    for turned in (scan.coverage.T, scan.coverage[::-1], scan.coverage[:, ::-1]):
        np.testing.assert_array_equal(turned, scan.coverage)


def test_scans_follow_each_other_at_the_cadence_on_one_grid() -> None:
    scans = list(Storm(START, size=64, cadence=timedelta(minutes=10)).scans(3))
    assert [scan.nominal_time for scan in scans] == [
        START,
        START + timedelta(minutes=10),
        START + timedelta(minutes=20),
    ]
    assert len({scan.scan_id for scan in scans}) == 3
    assert {scan.grid for scan in scans} == {scans[0].grid}


def test_the_grid_has_1_km_pixels_around_60_north_25_east() -> None:
    """64 pixels: the centre is the corner between rows and columns 31 and 32."""
    grid = Storm(START, size=64).grid
    assert grid.shape == (64, 64)
    assert grid.spacing_km == 1.0
    assert grid.lonlat(31.5, 31.5) == pytest.approx((25.0, 60.0), abs=1e-6)
