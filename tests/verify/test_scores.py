"""Scores by hand, and beside pysteps."""

import numpy as np
import pytest

from nowcast.verify.scores import (
    correlation,
    csi,
    csi_table,
    far,
    frequency_bias,
    hss,
    mean_absolute_error,
    mean_error,
    mean_squared_error,
    pod,
    root_mean_squared_error,
)
from nowcast.verify.statistics import compare, compare_all, zero

FORECAST = np.array([[2.0, 2.0, 0.0], [0.0, 0.0, 2.0]], np.float32)
OBSERVED = np.array([[2.0, 0.0, 2.0], [0.0, 0.0, 4.0]], np.float32)
"""At 1 mm/h: two hits, one miss, one false alarm, two correct dry pixels."""

EVERYWHERE = np.ones((2, 3), bool)


def test_scores_by_hand() -> None:
    sums = compare(FORECAST, OBSERVED, EVERYWHERE, 0, 1, (1.0,))
    assert csi(sums)[0, 0] == 2 / 4
    assert pod(sums)[0, 0] == 2 / 3
    assert far(sums)[0, 0] == 1 / 3
    assert frequency_bias(sums)[0, 0] == 1.0
    assert mean_error(sums)[0] == pytest.approx((2 - 2 - 2) / 6)
    assert mean_absolute_error(sums)[0] == pytest.approx((2 + 2 + 2) / 6)
    assert mean_squared_error(sums)[0] == pytest.approx((4 + 4 + 4) / 6)
    assert root_mean_squared_error(sums)[0] == pytest.approx(2**0.5)
    assert hss(sums)[0, 0] == pytest.approx(2 * (2 * 2 - 1 * 1) / (3 * 3 + 3 * 3))


def test_correlation_by_hand() -> None:
    """Means 1 and 2; deviations -1 0 1 and -1 -1 2: covariance 3, variances 2 and 6 (all times three)."""
    forecast, observed = np.array([[0.0, 1.0, 2.0]], np.float32), np.array([[1.0, 1.0, 4.0]], np.float32)
    sums = compare(forecast, observed, np.ones((1, 3), bool), 0, 1, (1.0,))
    assert correlation(sums)[0] == pytest.approx(3 / 12**0.5)


def test_hss_is_0_for_a_forecast_that_knows_nothing_and_1_for_a_perfect_one() -> None:
    wet, half = np.array([[2.0, 2.0, 0.0, 0.0]], np.float32), np.array([[2.0, 0.0, 2.0, 0.0]], np.float32)
    everywhere = np.ones((1, 4), bool)
    assert hss(compare(half, wet, everywhere, 0, 1, (1.0,)))[0, 0] == 0.0
    assert hss(compare(wet, wet, everywhere, 0, 1, (1.0,)))[0, 0] == 1.0


@pytest.mark.parametrize("rain_rate", [0.0, 0.1, 2.7])
def test_correlation_with_a_constant_and_hss_without_contrast_are_undefined(rain_rate: float) -> None:
    constant = np.full((50, 60), rain_rate, np.float32)
    varied = np.random.default_rng(1).gamma(0.3, 2.0, (50, 60)).astype(np.float32)
    for forecast, observed in ((constant, varied), (varied, constant)):
        assert np.isnan(correlation(compare(forecast, observed, np.ones((50, 60), bool), 0, 1, (1.0,)))[0])
    assert np.isnan(hss(compare(constant, constant, np.ones((50, 60), bool), 0, 1, (1.0,)))[0, 0])


def test_bias_and_pod_without_observed_events_are_undefined_and_far_is_1() -> None:
    sums = compare(FORECAST, np.zeros_like(OBSERVED), EVERYWHERE, 0, 1, (1.0,))
    assert np.isnan(frequency_bias(sums)[0, 0])
    assert np.isnan(pod(sums)[0, 0])
    assert (far(sums)[0, 0], csi(sums)[0, 0]) == (1.0, 0.0)


def test_a_lead_that_nothing_was_observed_at_is_no_case() -> None:
    fields, coverage = np.stack([FORECAST, FORECAST]), np.stack([EVERYWHERE, ~EVERYWHERE])
    sums = compare_all({"a": fields}, np.stack([OBSERVED, OBSERVED * np.nan]), coverage, (1.0,))["a"]
    assert (sums.cases.tolist(), sums.pixels.tolist()) == ([1.0, 0.0], [6.0, 0.0])


def test_a_value_at_the_threshold_is_an_event() -> None:
    sums = compare(FORECAST, OBSERVED, EVERYWHERE, 0, 1, (2.0,))
    assert sums.hits[0, 0] == 2


def test_masked_pixels_do_not_count() -> None:
    mask = EVERYWHERE.copy()
    mask[1, 2] = False
    sums = compare(FORECAST, np.where(mask, OBSERVED, np.nan).astype(np.float32), mask, 0, 1, (1.0,))
    assert (sums.hits[0, 0], sums.pixels[0]) == (1, 5)


def test_without_events_a_score_is_undefined_and_null_in_tables() -> None:
    nothing = zero(2, (1.0,))
    assert np.isnan(csi(nothing)).all()
    assert csi_table({"m": nothing}, (5, 10)) == {"m": {"1": {"5": None, "10": None}}}


def test_all_methods_are_judged_on_the_same_pixels() -> None:
    holed = FORECAST.copy()
    holed[0, 0] = np.nan
    sums = compare_all({"a": FORECAST[None], "b": holed[None]}, OBSERVED[None], EVERYWHERE[None], (1.0,))
    assert sums["a"].pixels[0] == sums["b"].pixels[0] == 5
    assert sums["a"].hits[0, 0] == 1


def test_sums_over_other_thresholds_do_not_add() -> None:
    with pytest.raises(ValueError, match="sums over"):
        zero(1, (1.0,)) + zero(1, (2.0,))


def test_the_same_numbers_as_pysteps() -> None:
    detcatscores = pytest.importorskip("pysteps.verification.detcatscores")
    random = np.random.default_rng(3)
    forecast, observed = (random.gamma(0.3, 2.0, (50, 60)).astype(np.float32) for _ in range(2))
    sums = compare(forecast, observed, np.ones((50, 60), bool), 0, 1, (1.0,))
    theirs = detcatscores.det_cat_fct(forecast, observed, 1.0, ["CSI", "POD", "FAR", "BIAS", "HSS"])
    for name, formula in (("CSI", csi), ("POD", pod), ("FAR", far), ("BIAS", frequency_bias), ("HSS", hss)):
        assert formula(sums)[0, 0] == pytest.approx(theirs[name], abs=1e-6)
