"""Chances from one forecast: its surroundings, and an error of each value."""

from itertools import repeat

import numpy as np
import pytest
import torch

from nowcast.core.types import USUAL
from nowcast.models.exceedance import RATES
from nowcast.models.neighbourhood import margins, outlooks, radius_km


def uniform(rate: float) -> np.ndarray:
    return np.full((64, 64), rate, np.float32)


def test_the_radius_grows_from_2_km_by_15_km_per_hour() -> None:
    assert (radius_km(0.0), radius_km(60.0)) == (2.0, 17.0)


def test_a_dry_forecast_is_surely_dry() -> None:
    assert (torch.sigmoid(margins(uniform(0.0), 30.0, 1.0)) < 1e-6).all()


def test_the_same_rain_everywhere_is_known_within_its_error() -> None:
    """Of 12 mm/h: above 5 surely, above 30 surely not; members have its mean."""
    (outlook,) = [one for one, _ in zip(outlooks(repeat(uniform(12.0)), USUAL), range(1), strict=False)]
    assert outlook.chance(5.0).min() > 0.95
    assert outlook.chance(30.0).max() < 0.05
    drawn = outlook.members(torch.randn(50, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert drawn.mean() == pytest.approx(12.0, rel=0.03)
    assert outlook.quantile(0.5).mean() == pytest.approx(12.0, rel=0.12)


def test_half_rain_gives_half_a_chance_at_the_edge_and_less_certainty_with_lead() -> None:
    field = uniform(0.0)
    field[:, 32:] = 10.0
    early, late = (torch.sigmoid(margins(field, minutes, 1.0))[0, RATES.index(1.0), 32] for minutes in (5.0, 60.0))
    for chances in (early, late):
        assert chances[30:34].mean() == pytest.approx(0.5, abs=0.06)
    assert early[20] < 0.03 < 0.1 < late[20]
    assert late[44] < early[44]


def test_no_forecast_stays_none() -> None:
    field = uniform(1.0)
    field[:8] = np.nan
    (outlook,) = [one for one, _ in zip(outlooks(repeat(field), USUAL), range(1), strict=False)]
    for values in (outlook.chance(0.1), outlook.quantile(0.9), outlook.members(torch.zeros(2, 64, 64))[1]):
        assert np.isnan(values[:8]).all()
        assert np.isfinite(values[8:]).all()
