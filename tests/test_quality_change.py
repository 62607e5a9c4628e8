"""What rain cannot do between two scans: change its unit, come from nowhere, be gone at once, stand along a line."""

from datetime import timedelta

import numpy as np
import pytest

from nowcast.core.types import FloatField
from nowcast.quality import ImplausibleScan
from nowcast.quality_change import check_change, far_from

FIVE = timedelta(minutes=5)


def dry(size: int = 200) -> FloatField:
    return np.zeros((size, size), np.float32)


def shower(rate: float, side: int, row: int = 100, column: int = 100) -> FloatField:
    """A square of rain, its centre at the place named."""
    field = dry()
    half = side // 2
    field[row - half : row - half + side, column - half : column - half + side] = rate
    return field


def refused(before: FloatField, after: FloatField, elapsed: timedelta = FIVE, spacing_km: float = 1.0) -> str:
    with pytest.raises(ImplausibleScan) as caught:
        check_change(before, after, elapsed, spacing_km)
    return str(caught.value)


@pytest.mark.parametrize("factor", [12.0, 3.1, 0.3, 0.15])
def test_another_unit_is_refused(factor: float) -> None:
    """2,500 pixels of 1 mm/h, all of which still rain."""
    assert (
        refused(shower(1, 50), shower(factor, 50)) == f"rain rates are {factor:.3g} times those before: another unit?"
    )


@pytest.mark.parametrize("factor", [2.9, 1.0, 0.35])
def test_rain_may_grow_and_weaken(factor: float) -> None:
    check_change(shower(1, 50), shower(factor, 50), FIVE, 1.0)


def test_a_few_pixels_tell_no_unit() -> None:
    """22 x 22 are 484 pixels, 500 are needed."""
    check_change(shower(1, 22), shower(12, 22), FIVE, 1.0)


def test_metres_for_millimetres_leave_no_rain() -> None:
    assert refused(shower(2, 50), shower(0.002, 50)) == "rain of 1 mm/h vanishes on 2500 km2 within 0:05:00"


def test_dry_at_once_is_refused_even_after_drizzle() -> None:
    assert refused(shower(0.2, 40), dry()) == "rain of 0.1 mm/h vanishes on 1600 km2 within 0:05:00"


def test_the_first_drizzle_after_dry_days_may_be_wide() -> None:
    check_change(dry(), shower(0.4, 100), FIVE, 1.0)


def test_drizzle_may_end_where_it_rains_on_elsewhere() -> None:
    before = shower(0.2, 40)
    before[0, 0] = 0.2
    after = dry()
    after[0, 0] = 0.2
    check_change(before, after, FIVE, 1.0)


@pytest.mark.parametrize(("rate", "side"), [(5.0, 18), (1.0, 32)])
def test_so_much_rain_does_not_come_from_nowhere(rate: float, side: int) -> None:
    """18 x 18 are 324 km2 of 5 mm/h, 32 x 32 are 1024 km2 of 1 mm/h."""
    assert f"rain of {rate:g} mm/h appears on {side**2} km2" in refused(dry(), shower(rate, side))


@pytest.mark.parametrize(("rate", "side"), [(60.0, 17), (4.9, 31)])
def test_a_hail_cell_or_a_shower_may(rate: float, side: int) -> None:
    check_change(dry(), shower(rate, side), FIVE, 1.0)


def test_pixels_count_by_their_area() -> None:
    """At half a kilometre 32 x 32 pixels are 256 km2."""
    check_change(dry(), shower(5.0, 32), FIVE, 0.5)
    assert "appears on 1296 km2" in refused(dry(), shower(5.0, 18), spacing_km=2.0)


def test_rain_that_moves_at_30_m_per_s_is_rain() -> None:
    """Nine kilometres in five minutes, and 27 in fifteen."""
    check_change(shower(5, 60, column=80), shower(5, 60, column=89), FIVE, 1.0)
    check_change(shower(5, 60, column=80), shower(5, 60, column=107), 3 * FIVE, 1.0)


def test_rain_may_come_in_from_what_was_not_observed() -> None:
    """A radar that comes back, and the edge of the view."""
    before = dry()
    before[:, :100] = np.nan
    after = dry()
    after[:, :100] = 8.0
    check_change(before, after, FIVE, 1.0)
    edge = dry()
    edge[:, :10] = 8.0
    check_change(dry(), edge, FIVE, 1.0)


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 130])
def test_a_ray_is_refused(degrees: float) -> None:
    """Three kilometres wide and 120 long, 2 mm/h: too little area for the other limits."""
    assert "along a line of " in refused(dry(), ray(degrees, 3.0))


def test_a_ray_is_seen_beside_a_little_new_rain() -> None:
    after = ray(45, 3.0)
    after[20:26, 150:156] = 2.0
    assert "along a line of " in refused(dry(), after)


def test_a_band_ten_kilometres_wide_is_no_ray() -> None:
    check_change(dry(), np.where(ray(45, 16.0) > 0, np.float32(0.9), np.float32(0)), FIVE, 1.0)


def ray(degrees: float, width: float) -> FloatField:
    """2 mm/h along a line of 120 km through the middle."""
    rows, columns = np.mgrid[-100:100, -100:100].astype(float)
    angle = np.radians(degrees)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    on = (np.abs(along) <= 60) & (np.abs(across) <= width / 2)
    return np.where(on, np.float32(2.0), np.float32(0.0))


def test_far_is_farther_than_reach_from_every_wet_or_unobserved_pixel() -> None:
    other, field = dry(60), np.ones((60, 60), np.float32)
    other[30, 30] = 1.0
    far = far_from(field, other, 4)
    rows, columns = np.nonzero(far)
    distance = np.maximum(abs(rows - 30), abs(columns - 30))
    assert distance.min() > 4
    assert min(rows.min(), columns.min()) >= 4
    assert far[10, 10]
    assert far.sum() > 60**2 / 2
