"""The same numbers as the `scores` library (Leeuwenburg et al. 2024), on synthetic storms and on real scans."""

import numpy as np
import pytest
import xarray as xr
from frames import ensemble, events, pair
from scores.categorical import ThresholdEventOperator
from scores.continuous import mae, mean_error, mse, rmse
from scores.continuous.correlation import pearsonr
from scores.probability import (
    brier_score,
    brier_score_for_ensemble,
    crps_cdf,
    crps_for_ensemble,
    rank_histogram,
)
from scores.spatial import fss_2d_single_field

from nowcast.verify import scores, scores_chances, scores_ensemble
from nowcast.verify.chances import TAIL, compare_chances
from nowcast.verify.ensemble import compare_members, shares
from nowcast.verify.spatial import MARGIN, SCALES
from nowcast.verify.statistics import compare, compare_all

THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)


def seen(shape: tuple[int, int]) -> np.ndarray:
    """All but the south-west corner, as if that lay beyond the radar's range."""
    mask = np.ones(shape, bool)
    mask[shape[0] // 2 :, : shape[1] // 4] = False
    return mask


def theirs(field: np.ndarray, mask: np.ndarray) -> xr.DataArray:
    """Fields (..., y, x) as the library takes them: NaN where they do not count."""
    axes = ("member", "y", "x")[-field.ndim :]
    return xr.DataArray(np.where(mask, field, np.nan).astype(np.float64), dims=axes)


@events
def test_contingency_scores(event: str) -> None:
    forecast, observed = pair(event)
    mask = seen(observed.shape)
    sums = compare(forecast, observed, mask, 0, 1, THRESHOLDS)
    for k, threshold in enumerate(THRESHOLDS):
        operator = ThresholdEventOperator(default_event_threshold=threshold)
        table = operator.make_contingency_manager(theirs(forecast, mask), theirs(observed, mask)).transform()
        expected = {
            scores.csi: table.critical_success_index(),
            scores.pod: table.probability_of_detection(),
            scores.far: table.false_alarm_ratio(),
            scores.frequency_bias: table.frequency_bias(),
            scores.hss: table.heidke_skill_score(),
        }
        for formula, value in expected.items():
            assert formula(sums)[0, k] == pytest.approx(float(value), abs=1e-6, nan_ok=True), formula


@events
def test_errors_of_rain_rates(event: str) -> None:
    forecast, observed = pair(event)
    mask = seen(observed.shape)
    sums = compare(forecast, observed, mask, 0, 1, THRESHOLDS)
    expected = {
        scores.mean_error: mean_error,
        scores.mean_absolute_error: mae,
        scores.mean_squared_error: mse,
        scores.root_mean_squared_error: rmse,
        scores.correlation: pearsonr,
    }
    for formula, other in expected.items():
        assert formula(sums)[0] == pytest.approx(float(other(theirs(forecast, mask), theirs(observed, mask))), abs=1e-6)


@events
def test_fractions_skill_score(event: str) -> None:
    """The library knows no mask: with zero padding what lies beyond the edge is dry, as a wide dry margin is here."""
    forecast, observed = (np.pad(field, MARGIN) for field in pair(event))
    everywhere = np.ones(observed.shape, bool)
    sums = compare_all({"m": forecast[None]}, observed[None], everywhere[None], THRESHOLDS, spatial=True)["m"]
    for k, threshold in enumerate(THRESHOLDS[:-1]):
        for s, scale in enumerate(SCALES):
            kind = {"window_size": (scale, scale), "zero_padding": True, "threshold_operator": np.greater_equal}
            value = fss_2d_single_field(forecast, observed, event_threshold=threshold, **kind)
            assert scores.fss(sums)[0, k, s] == pytest.approx(float(value), abs=1e-6), (threshold, scale)


@events
def test_crps_and_ranks_of_an_ensemble(event: str) -> None:
    """With all its ties: the library, too, shares an observation evenly by the ranks that it may take."""
    members, observed = ensemble(event)
    mask = seen(observed.shape)
    assert (members[:, mask] == observed[mask]).any()
    sums = compare_members(members, observed, mask, 0, 1)
    given = theirs(members, mask), theirs(observed, mask), "member"
    assert scores_ensemble.crps(sums)[0] == pytest.approx(float(crps_for_ensemble(*given, method="ecdf")), abs=1e-6)
    assert scores_ensemble.fair_crps(sums)[0] == pytest.approx(
        float(crps_for_ensemble(*given, method="fair")), abs=1e-6
    )
    with pytest.warns(UserWarning, match="NaN"):
        histogram = rank_histogram(*given)
    np.testing.assert_allclose(scores_ensemble.rank_histogram(sums)[0], histogram, atol=1e-6)


@events
def test_error_and_spread_of_the_mean(event: str) -> None:
    members, observed = ensemble(event)
    mask = seen(observed.shape)
    sums = compare_members(members, observed, mask, 0, 1)
    many, one = theirs(members, mask), theirs(observed, mask)
    assert scores_ensemble.root_mean_squared_error(sums)[0] == pytest.approx(float(rmse(many.mean("member"), one)))
    assert scores_ensemble.mean_spread(sums)[0] == pytest.approx(float(many.var("member", ddof=1).mean() ** 0.5))


@events
def test_brier_score(event: str) -> None:
    """Of the shares of members; without the library's correction for the number of members."""
    members, observed = ensemble(event)
    mask = seen(observed.shape)
    chances = shares(members, THRESHOLDS)
    ours = scores_chances.brier(compare_chances(chances, observed, mask, 0, 1, THRESHOLDS))[0]
    given = theirs(members, mask), theirs(observed, mask), "member", list(THRESHOLDS)
    np.testing.assert_allclose(ours, brier_score_for_ensemble(*given, fair_correction=False), atol=1e-6)
    for k, threshold in enumerate(THRESHOLDS):
        value = brier_score(theirs(chances[k], mask), theirs(observed >= threshold, mask))
        assert ours[k] == pytest.approx(float(value), abs=1e-6)


@events
@pytest.mark.filterwarnings("ignore:numba is not available")
def test_crps_of_chances(event: str) -> None:
    """The library takes the distribution as its values at given rates, with straight lines between them."""
    members, observed = (field[..., 100:130, 60:90] for field in ensemble(event))
    mask = seen(observed.shape)
    chances = shares(members, THRESHOLDS)
    sums = compare_chances(chances, observed, mask, 0, 1, THRESHOLDS)
    below = 1.0 - chances[[0, *range(len(THRESHOLDS))]].astype(np.float64)
    ends = np.ones((2, *observed.shape))
    rates = [0.0, *THRESHOLDS, TAIL * THRESHOLDS[-1], 500.0]
    forecast = xr.DataArray(np.concatenate([below, ends]), dims=("rate", "y", "x"), coords={"rate": rates})
    found = crps_cdf(forecast, theirs(observed, mask), threshold_dim="rate")
    assert scores_chances.crps(sums)[0] == pytest.approx(float(found.total), abs=1e-6)
