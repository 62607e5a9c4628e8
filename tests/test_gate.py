"""Verdicts on contingency tables that can be counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from nowcast.gate import Rules, judge
from nowcast.verify.statistics import Assessment, Sums, zero

RULES = Rules(fewest_events=100, fewest_starts=3)


def sums(hits: float, misses: float, false_alarms: float, heavy: tuple[float, float, float] = (0, 0, 0)) -> Sums:
    """One lead; counts at 1 and 5 mm/h."""
    tables = [np.array([pair], np.float64) for pair in zip((hits, misses, false_alarms), heavy, strict=True)]
    return replace(zero(1, (1.0, 5.0)), hits=tables[0], misses=tables[1], false_alarms=tables[2])


def start(challenger: Sums, champion: Sums, persistence: Sums | None = None) -> Assessment:
    return {"challenger": challenger, "champion": champion, "persistence": persistence or sums(20, 30, 30)}


GOOD, FAIR = sums(40, 10, 10), sums(30, 20, 20)
"""CSI 40/60 and 30/70."""


def test_better_than_champion_and_baselines_is_promoted_with_the_figures() -> None:
    verdict = judge([start(GOOD, FAIR)] * 4, RULES)
    assert verdict.promote
    assert verdict.reasons == ("mean CSI 0.6667 exceeds the champion's 0.4286, in 100% of resampled starts",)
    assert verdict.figures["judged"] == ["1"]
    assert verdict.figures["events"] == {"1": 200, "5": 0}
    assert verdict.figures["mean_csi"] == {"challenger": 0.6667, "champion": 0.4286, "persistence": 0.25}
    assert verdict.figures["frequency_bias"]["challenger"]["1"] == 1.0


def test_worse_than_the_champion_is_refused() -> None:
    verdict = judge([start(FAIR, GOOD)] * 4, RULES)
    assert not verdict.promote
    assert "mean CSI 0.4286 does not exceed that of champion, 0.6667" in verdict.reasons
    assert "ahead of the champion in 0% of resampled starts, 90% is needed" in verdict.reasons


def test_as_good_as_the_champion_is_refused() -> None:
    assert not judge([start(GOOD, GOOD)] * 4, RULES).promote


def test_better_than_the_champion_but_not_than_a_baseline_is_refused() -> None:
    verdict = judge([start(FAIR, sums(20, 30, 30), GOOD)] * 4, RULES)
    assert verdict.reasons == ("mean CSI 0.4286 does not exceed that of persistence, 0.6667",)


def test_too_little_rain_judges_nobody() -> None:
    """99 event pixels, or any number of them from two starts."""
    few = start(sums(33, 0, 0), sums(1, 32, 0))
    (reason,) = judge([few] * 3, RULES).reasons
    found = "99 pixels from 3 starts at 1 mm/h, 0 pixels from 0 starts at 5 mm/h"
    assert reason == f"too little rain to judge: {found}; 100 from 3 are needed"
    assert judge([start(sums(900, 0, 0), sums(1, 899, 0))] * 2, RULES).reasons[0].startswith("too little rain")
    assert judge([], RULES).reasons[0].startswith("too little rain")


@pytest.mark.parametrize(("false_alarms", "bias"), [(100, "3.00"), (51, "2.02")])
def test_rain_too_often_is_refused(false_alarms: float, bias: str) -> None:
    """50 observed; 50 hits and the false alarms forecast."""
    verdict = judge([start(sums(50, 0, false_alarms), sums(5, 45, 50))] * 4, RULES)
    assert verdict.reasons == (f"frequency bias at 1 mm/h is {bias}, outside 0.5 .. 2",)


def test_rain_too_seldom_is_refused() -> None:
    verdict = judge([start(sums(24, 26, 0), sums(10, 40, 40))] * 4, RULES)
    assert verdict.reasons == ("frequency bias at 1 mm/h is 0.48, outside 0.5 .. 2",)


def test_a_gain_in_light_rain_does_not_pay_for_a_loss_in_heavy_rain() -> None:
    """Mean CSI rises from (0.4286 + 0.5) / 2 to (0.6667 + 0.4) / 2; at 5 mm/h it falls by 0.1."""
    challenger, champion = sums(40, 10, 10, (20, 20, 10)), sums(30, 20, 20, (25, 15, 10))
    verdict = judge([start(challenger, champion)] * 4, RULES)
    assert verdict.reasons == ("CSI at 5 mm/h is 0.4000, the champion's 0.5000",)


def test_a_single_start_does_not_promote() -> None:
    """Ahead in one start of five by much, behind in four by little: ahead on the whole, and not reliably so."""
    verdict = judge([start(sums(50, 0, 0), sums(25, 25, 25)), *[start(sums(29, 21, 21), FAIR)] * 4], RULES)
    assert len(verdict.reasons) == 1
    assert "of resampled starts, 90% is needed" in verdict.reasons[0]
