"""Scores of probabilities by hand."""

from dataclasses import replace

import numpy as np
import pytest

from nowcast.verify import scores_chances as scores
from nowcast.verify.chances import BINS, TAIL, Chances, compare_chances, crps_of_exceedance, no_chances
from nowcast.verify.statistics import zero

CHANCE = np.array([[0.0, 0.25], [0.25, 1.0]], np.float32)
OBSERVED = np.array([[0.0, 0.0], [1.0, 2.0]], np.float32)
"""At 1 mm/h: nothing and 0, nothing and 1/4, an event and 1/4, an event and 1."""

EVERYWHERE = np.ones((2, 2), bool)


def compared(chance: np.ndarray = CHANCE, mask: np.ndarray = EVERYWHERE) -> Chances:
    return compare_chances(chance[None], OBSERVED, mask, 0, 1, (1.0,))


def test_brier_score_by_hand() -> None:
    """Squared errors 0, 1/16, 9/16, 0; half the pixels are events."""
    assert scores.brier(compared())[0, 0] == (1 / 16 + 9 / 16) / 4
    assert scores.uncertainty(compared())[0, 0] == 1 / 4
    assert scores.brier_skill_score(compared())[0, 0] == 1 - (10 / 64) / (1 / 4)


def test_reliability_minus_resolution_plus_uncertainty_is_the_brier_score() -> None:
    """Two of four pixels have a chance of 1/4 and a frequency of 1/2; the others are sure and right."""
    chances = compared()
    assert scores.reliability(chances)[0, 0] == 2 / 4 * (1 / 4) ** 2
    assert scores.resolution(chances)[0, 0] == 2 / 4 * (1 / 2) ** 2
    parts = scores.reliability(chances) - scores.resolution(chances) + scores.uncertainty(chances)
    assert parts[0, 0] == scores.brier(chances)[0, 0]
    assert scores.expected_calibration_error(chances)[0, 0] == 2 / 4 * 1 / 4


def test_sharpness_is_the_variance_of_the_chances() -> None:
    assert scores.sharpness(compared())[0, 0] == np.var([0, 1 / 4, 1 / 4, 1])
    assert scores.sharpness(compared(np.full((2, 2), 0.3, np.float32)))[0, 0] == pytest.approx(0.0, abs=1e-12)


def test_reliability_curve_by_hand() -> None:
    probability, frequency, share = (values[0, 0] for values in scores.reliability_curve(compared()))
    filled = [0, 2, BINS - 1]
    assert share[filled].tolist() == [1 / 4, 2 / 4, 1 / 4]
    assert probability[filled].tolist() == [0.0, 1 / 4, 1.0]
    assert frequency[filled].tolist() == [0.0, 1 / 2, 1.0]
    assert np.isnan(np.delete(frequency, filled)).all()


def test_a_bin_holds_its_lower_end_and_the_last_one_holds_1() -> None:
    tenths = (np.arange(BINS + 1) / BINS).astype(np.float32)[None]
    chances = compare_chances(tenths[None], np.zeros_like(tenths), np.ones(tenths.shape, bool), 0, 1, (1.0,))
    assert chances.bin_pixels[0, 0].tolist() == [1.0] * (BINS - 1) + [2.0]


def test_masked_pixels_do_not_count() -> None:
    mask = np.array([[True, True], [True, False]])
    chances = compared(np.where(mask, CHANCE, np.nan).astype(np.float32), mask)
    assert (chances.pixels[0, 0], chances.events[0, 0]) == (3.0, 1.0)
    assert scores.brier(chances)[0, 0] == (1 / 16 + 9 / 16) / 3


def test_other_leads_stay_empty_and_undefined() -> None:
    chances = compare_chances(CHANCE[None], OBSERVED, EVERYWHERE, 1, 3, (1.0,))
    assert chances.pixels.tolist() == [[0.0], [4.0], [0.0]]
    for formula in (scores.brier, scores.brier_skill_score, scores.reliability, scores.resolution, scores.crps):
        assert np.isnan(formula(chances)).ravel().tolist() == [True, False, True], formula


def test_skill_without_an_event_is_undefined() -> None:
    chances = compare_chances(CHANCE[None], OBSERVED * 0, EVERYWHERE, 0, 1, (1.0,))
    assert np.isnan(scores.brier_skill_score(chances)[0, 0])


@pytest.mark.parametrize(
    ("observed", "expected"),
    [(0.0, 1 / 4 + 1 / 24), (1.25, 1 / 4 + 19 / 192 + 1 / 192), (2.0, 1 / 4 + 7 / 24 + 1 / 2)],
)
def test_crps_by_hand(observed: float, expected: float) -> None:
    """A chance of 1/2 to reach 1 mm/h: F is 1/2 up to 1 and then rises to 1 at 1.5."""
    found = crps_of_exceedance(np.array([[0.5]]), (1.0,), np.array([observed]))
    assert found[0] == pytest.approx(expected, abs=1e-12)
    assert TAIL == 1.5


def test_crps_of_a_sure_dry_forecast_is_the_observed_rain() -> None:
    assert crps_of_exceedance(np.zeros((2, 3)), (1.0, 2.0), np.array([0.0, 1.5, 7.0])).tolist() == [0.0, 1.5, 7.0]


def test_crps_is_the_integral_of_the_squared_difference_of_distributions() -> None:
    random = np.random.default_rng(4)
    rates, x = (0.1, 0.5, 2.0), np.linspace(0, 6, 600_001)
    exceedance, observed = np.sort(random.random((3, 20)), axis=0)[::-1], random.random(20) * 5
    found = crps_of_exceedance(exceedance, rates, observed)
    for k, rain in enumerate(observed):
        p = exceedance[:, k]
        below = np.interp(x, [0, *rates, TAIL * rates[-1]], [1 - p[0], *(1 - p), 1])
        assert found[k] == pytest.approx(np.trapezoid((below - (x >= rain)) ** 2, x), abs=2e-5)


def test_crps_adds_up_over_pixels() -> None:
    chances = compared()
    expected = crps_of_exceedance(CHANCE[None], (1.0,), OBSERVED).mean()
    assert scores.crps(chances)[0] == pytest.approx(expected)


@pytest.mark.parametrize("rates", [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
def test_rates_that_do_not_ascend_are_refused(rates: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        crps_of_exceedance(np.zeros((2, 1)), rates, np.zeros(1))


def test_sums_carry_chances_and_add_them() -> None:
    one = replace(zero(1, (5.0,)), chances=compared())
    total = (one + one).chances
    assert total is not None
    assert total.pixels[0, 0] == 8.0
    with pytest.raises(ValueError, match="sums over"):
        one + zero(1, (5.0,))
    with pytest.raises(ValueError, match="sums over"):
        compared() + no_chances(1, (2.0,))
