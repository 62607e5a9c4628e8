import numpy as np
import pytest

from nowcast.core.rain import FMI, HKO, MARSHALL_PALMER, METEOSWISS, NO_ECHO, ZR, from_db, to_db
from nowcast.core.types import FloatField


def field(*values: float) -> FloatField:
    return np.array([values], np.float32)


@pytest.mark.parametrize(
    ("zr", "rain_rate", "dbz"),
    [
        (MARSHALL_PALMER, 1.0, 23.0103),  # 10 log10 200
        (MARSHALL_PALMER, 10.0, 39.0103),  # + 16 dB per decade
        (FMI, 1.0, 23.4830),
        (HKO, 1.0, 17.6738),
        (METEOSWISS, 100.0, 54.9969),  # 10 log10 316 + 30
    ],
)
def test_zr_both_ways(zr: ZR, rain_rate: float, dbz: float) -> None:
    assert zr.reflectivity(field(rain_rate))[0, 0] == pytest.approx(dbz, abs=1e-3)
    assert zr.rain_rate(field(dbz))[0, 0] == pytest.approx(rain_rate, rel=1e-4)


def test_no_echo_is_exactly_dry_and_back() -> None:
    assert MARSHALL_PALMER.rain_rate(field(NO_ECHO, NO_ECHO - 1)).tolist() == [[0.0, 0.0]]
    assert MARSHALL_PALMER.reflectivity(field(0.0, 1e-9)).tolist() == [[NO_ECHO, NO_ECHO]]


def test_missing_stays_missing() -> None:
    missing = field(np.nan)
    for converted in (
        MARSHALL_PALMER.rain_rate(missing),
        MARSHALL_PALMER.reflectivity(missing),
        to_db(missing),
        from_db(missing),
    ):
        assert np.isnan(converted).all()


def test_conversions_keep_float32_and_shape() -> None:
    values = np.ones((2, 3), np.float32)
    for convert in (MARSHALL_PALMER.rain_rate, MARSHALL_PALMER.reflectivity, to_db, from_db):
        assert convert(values).dtype == np.float32
        assert convert(values).shape == (2, 3)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.6), (200.0, -1.0)])
def test_refuses_coefficients_that_are_not_positive(a: float, b: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        ZR(a, b)


def test_db_is_flat_below_its_floor_and_comes_back_as_dry() -> None:
    decibels = to_db(field(0.0, 0.05, 0.1, 1.0, 100.0))
    np.testing.assert_allclose(decibels, field(-10, -10, -10, 0, 20), atol=1e-5)
    np.testing.assert_allclose(from_db(decibels), field(0, 0, 0, 1, 100), rtol=1e-5)


def test_db_with_another_floor() -> None:
    assert from_db(to_db(field(0.5, 2.0), floor=1.0), floor=1.0)[0].tolist() == pytest.approx([0.0, 2.0])
