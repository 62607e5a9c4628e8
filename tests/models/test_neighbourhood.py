"""Probabilities are shares of the surroundings; transforms come back."""

from datetime import timedelta

import numpy as np
import torch

from nowcast.models.neighbourhood import exceedance, radius_km
from nowcast.models.transform import denormalise, normalise

LEADS = (timedelta(minutes=5), timedelta(minutes=60))


def test_certain_rain_and_certain_drought() -> None:
    rain = np.full((2, 40, 40), 2.0, np.float32)
    chances = exceedance(rain, LEADS, (1.0, 5.0), 1.0)
    np.testing.assert_allclose(chances[1.0], 1.0, atol=1e-5)
    np.testing.assert_allclose(chances[5.0], 0.0, atol=1e-5)


def test_no_forecast_has_no_probability_and_does_not_count_as_dry() -> None:
    rain = np.full((1, 40, 40), 2.0, np.float32)
    rain[:, :, :20] = np.nan
    chance = exceedance(rain, LEADS[:1], (1.0,), 1.0)[1.0]
    assert np.isnan(chance[:, :, :20]).all()
    np.testing.assert_allclose(chance[:, :, 20:], 1.0, atol=1e-5)


def test_half_the_surroundings_is_half_a_chance_and_higher_thresholds_are_rarer() -> None:
    rain = np.zeros((2, 80, 80), np.float32)
    rain[:, :, 40:] = 3.0
    chances = exceedance(rain, LEADS, (1.0, 3.0, 3.1), 1.0)
    np.testing.assert_allclose(chances[1.0][:, 40, 39:41].mean(axis=1), 0.5, atol=0.05)
    assert (chances[3.0] >= chances[3.1]).all()
    assert chances[1.0][1, 40, 30] > chances[1.0][0, 40, 30]
    assert radius_km(LEADS[1]) == 17.0


def test_decibels_come_back_and_dry_is_exactly_dry() -> None:
    rain = torch.tensor([0.0, 0.01, 0.1, 1.0, 100.0, torch.nan])
    back = denormalise(normalise(rain))
    torch.testing.assert_close(back, torch.tensor([0.0, 0.0, 0.1, 1.0, 100.0, 0.0]), rtol=1e-4, atol=0)
    assert normalise(torch.tensor(10**2.5)).item() == 1.0
