"""The same numbers as pysteps.verification, on synthetic storms and on real scans."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from radar import RADAR, needs_radar

from nowcast.core.scan import Scan
from nowcast.sources import decode
from nowcast.sources.synthetic import Storm
from nowcast.verify import scores
from nowcast.verify.spatial import MARGIN, SCALES, rapsd
from nowcast.verify.statistics import compare_all

pytest.importorskip("pysteps")
from pysteps.utils.spectral import rapsd as their_rapsd
from pysteps.verification.detcatscores import det_cat_fct
from pysteps.verification.detcontscores import det_cont_fct
from pysteps.verification.spatialscores import fss

THRESHOLDS = (0.1, 1.0, 5.0)


def synthetic() -> list[Scan]:
    return list(Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=128, cells=6).scans(4))


def real(folder: str) -> list[Scan]:
    files: list[Path] = sorted((RADAR / folder).iterdir())[:4]
    return [scan for path in files for scan in decode(path)]


def pair(scans: list[Scan]) -> tuple[np.ndarray, np.ndarray]:
    """The first scan as forecast of the fourth, the wettest 200 x 200 pixels or fewer; dry where not covered."""
    first, last = (np.nan_to_num(scans[k].rain_rate) for k in (0, 3))
    side = min(200, *first.shape)
    corners = [(r, c) for r in range(0, first.shape[0] - side + 1, 50) for c in range(0, first.shape[1] - side + 1, 50)]
    r, c = max(corners, key=lambda corner: (last[corner[0] :, corner[1] :][:side, :side] >= 1).sum())
    return first[r : r + side, c : c + side], last[r : r + side, c : c + side]


EVENTS = {
    "synthetic": synthetic,
    "fmi": lambda: real("fmi-pgm/20160928"),
    "knmi": lambda: real("knmi-rap/20100826"),
}
events = pytest.mark.parametrize(
    "event", ["synthetic", pytest.param("fmi", marks=needs_radar), pytest.param("knmi", marks=needs_radar)]
)


@events
def test_scores_of_pixels(event: str) -> None:
    forecast, observed = pair(EVENTS[event]())
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
    forecast, observed = (np.pad(field, MARGIN) for field in pair(EVENTS[event]()))
    everywhere = np.ones(observed.shape, bool)
    sums = compare_all({"m": forecast[None]}, observed[None], everywhere[None], THRESHOLDS, spatial=True)["m"]
    for k, threshold in enumerate(THRESHOLDS):
        for s, scale in enumerate(SCALES):
            theirs = fss(forecast, observed, threshold, scale)
            assert scores.fss(sums)[0, k, s] == pytest.approx(float(theirs), abs=1e-6, nan_ok=True), (threshold, scale)


@events
def test_power_spectra(event: str) -> None:
    """On square fields; on others pysteps counts cycles per side, not per pixel."""
    _, observed = pair(EVENTS[event]())
    theirs = their_rapsd(observed.astype(np.float64), fft_method=np.fft)
    np.testing.assert_allclose(rapsd(observed)[1:], theirs[1:], rtol=1e-6)
