"""The same numbers as pysteps.verification, on synthetic storms and on real scans."""

import numpy as np
import pytest
from frames import ensemble, events, pair

from nowcast.verify import scores, scores_chances, scores_ensemble
from nowcast.verify.chances import BINS, compare_chances
from nowcast.verify.ensemble import compare_members, shares
from nowcast.verify.spatial import MARGIN, SCALES, rapsd
from nowcast.verify.statistics import compare, compare_all

pytest.importorskip("pysteps")
from pysteps.utils.spectral import rapsd as their_rapsd
from pysteps.verification.detcatscores import det_cat_fct
from pysteps.verification.detcontscores import det_cont_fct
from pysteps.verification.ensscores import (
    ensemble_skill,
    ensemble_spread,
    rankhist_accum,
    rankhist_compute,
    rankhist_init,
)
from pysteps.verification.probscores import CRPS, reldiag_accum, reldiag_compute, reldiag_init
from pysteps.verification.spatialscores import fss

THRESHOLDS = (0.1, 1.0, 5.0)

NUDGE = 0.00123
"""mm h-1 by which an observation is moved so that it equals no member: radar counts rain in steps."""


@events
def test_scores_of_pixels(event: str) -> None:
    forecast, observed = pair(event)
    everywhere = np.ones(observed.shape, bool)
    sums = compare_all({"m": forecast[None]}, observed[None], everywhere[None], THRESHOLDS)["m"]
    ours = {"CSI": scores.csi, "POD": scores.pod, "FAR": scores.far, "HSS": scores.hss, "BIAS": scores.frequency_bias}
    for k, threshold in enumerate(THRESHOLDS):
        theirs = det_cat_fct(forecast, observed, threshold, list(ours))
        for name, formula in ours.items():
            assert formula(sums)[0, k] == pytest.approx(float(theirs[name]), abs=1e-6, nan_ok=True), name
    theirs = det_cont_fct(forecast.astype(float), observed.astype(float), ["ME", "MAE", "MSE", "RMSE", "corr_p"])
    lines = (scores.mean_error, scores.mean_absolute_error, scores.mean_squared_error, scores.root_mean_squared_error)
    for name, line in zip(("ME", "MAE", "MSE", "RMSE", "corr_p"), (*lines, scores.correlation), strict=True):
        assert line(sums)[0] == pytest.approx(float(theirs[name]), abs=1e-6), name


@events
def test_fractions_skill_score(event: str) -> None:
    """pysteps takes what lies beyond the edge for dry; a dry margin as wide as the window makes it the same."""
    forecast, observed = (np.pad(field, MARGIN) for field in pair(event))
    everywhere = np.ones(observed.shape, bool)
    sums = compare_all({"m": forecast[None]}, observed[None], everywhere[None], THRESHOLDS, spatial=True)["m"]
    for k, threshold in enumerate(THRESHOLDS):
        for s, scale in enumerate(SCALES):
            theirs = fss(forecast, observed, threshold, scale)
            assert scores.fss(sums)[0, k, s] == pytest.approx(float(theirs), abs=1e-6, nan_ok=True), (threshold, scale)


@events
def test_power_spectra(event: str) -> None:
    """On square fields; on others pysteps counts cycles per side, not per pixel."""
    _, observed = pair(event)
    theirs = their_rapsd(observed.astype(np.float64), fft_method=np.fft)
    np.testing.assert_allclose(rapsd(observed)[1:], theirs[1:], rtol=1e-6)


@events
def test_crps_and_ranks_of_an_ensemble(event: str) -> None:
    """Where no member equals the observation: if one does, pysteps draws the rank and counts too small a CRPS."""
    members, observed = ensemble(event)
    observed = observed.astype(np.float64) + NUDGE
    assert not (members == observed).any()
    sums = compare_members(members, observed, np.ones(observed.shape, bool), 0, 1)
    assert scores_ensemble.crps(sums)[0] == pytest.approx(CRPS(members.astype(np.float64), observed), abs=1e-6)
    histogram = rankhist_init(len(members))
    rankhist_accum(histogram, members, observed)
    np.testing.assert_allclose(scores_ensemble.rank_histogram(sums)[0], rankhist_compute(histogram), atol=1e-6)


@events
def test_skill_and_spread_of_members(event: str) -> None:
    """pysteps' skill is the mean score of a member, its spread the mean score of a member against another."""
    members, observed = ensemble(event)
    everywhere = np.ones(observed.shape, bool)
    sums = compare_members(members, observed, everywhere, 0, 1)
    exact, target = members.astype(np.float64), observed.astype(np.float64)
    assert sums.absolute_error / sums.pixels == pytest.approx(ensemble_skill(exact, target, "MAE"), abs=1e-6)
    assert sums.difference / sums.pixels == pytest.approx(ensemble_spread(exact, "MAE"), abs=1e-6)
    for k, threshold in enumerate(THRESHOLDS):
        csi = [scores.csi(compare(member, observed, everywhere, 0, 1, THRESHOLDS))[0, k] for member in members]
        assert np.mean(csi) == pytest.approx(ensemble_skill(members, observed, "CSI", thr=threshold), abs=1e-6)


@events
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_reliability_diagram(event: str) -> None:
    """Of seven members, whose shares lie on no end of a bin: pysteps' bins hold their upper end, ours the lower."""
    members, observed = ensemble(event)
    chances = shares(members, THRESHOLDS)
    sums = compare_chances(chances, observed, np.ones(observed.shape, bool), 0, 1, THRESHOLDS)
    curve = scores_chances.reliability_curve(sums)
    for k, threshold in enumerate(THRESHOLDS):
        diagram = reldiag_init(threshold, n_bins=BINS, min_count=0)
        reldiag_accum(diagram, chances[k].astype(np.float64), observed)
        probability, frequency = reldiag_compute(diagram)
        np.testing.assert_allclose(curve.probability[0, k], probability, atol=1e-6)
        np.testing.assert_allclose(curve.frequency[0, k], frequency, atol=1e-6)
        np.testing.assert_array_equal(sums.bin_pixels[0, k], diagram["sample_size"])
