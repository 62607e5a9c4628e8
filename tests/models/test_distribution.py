"""A distribution written as margins: chances, quantiles and members agree with one another."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nowcast.models.distribution import RAREST, chance, drawn, quantile
from nowcast.models.exceedance import RATES, falling, field_from
from nowcast.models.transform import denormalise


def margins() -> Tensor:
    """One row of 3 pixels: margins fall by 1 per rate from 2, from 0 and from -20."""
    steps = -torch.arange(len(RATES), dtype=torch.float32)[None, :, None, None]
    return steps + torch.tensor([2.0, 0.0, -20.0])


def test_the_chance_at_a_rate_is_the_sigmoid_of_its_margin() -> None:
    for k, rate in enumerate(RATES):
        torch.testing.assert_close(chance(margins(), rate), torch.sigmoid(margins()[:, k]))


def test_between_rates_margins_are_linear_in_decibels() -> None:
    """Between 1 and 2 mm/h lies sqrt(2): halfway in dB, halfway in logits."""
    found = torch.logit(chance(margins(), math.sqrt(2.0)))
    torch.testing.assert_close(found[0, 0, :2], torch.tensor([-1.5, -3.5]), atol=1e-4, rtol=0)


def test_chances_fall_with_the_threshold_and_below_the_lowest_rate_they_stay() -> None:
    found = [float(chance(margins(), t)[0, 0, 0]) for t in (0.05, 0.1, 0.3, 3.0, 30.0, 200.0)]
    assert found[0] == found[1]
    assert sorted(found[1:], reverse=True) == found[1:]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_quantile_is_exceeded_with_the_rest_of_the_chance(share: float) -> None:
    rate = float(quantile(margins(), share)[0, 0, 0])
    assert float(chance(margins(), rate)[0, 0, 0]) == pytest.approx(1 - share, abs=1e-4)


def test_where_it_is_likely_dry_the_median_is_zero() -> None:
    assert quantile(margins(), 0.5)[0, 0].tolist()[2] == 0.0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_quantile_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=str(share)):
        quantile(margins(), share)


def test_members_reach_each_rate_as_often_as_the_chance_says() -> None:
    normal = torch.randn(20_000, 1, 3, generator=torch.Generator().manual_seed(3))
    members = drawn(margins(), normal)
    for k, rate in enumerate(RATES):
        share = (members >= rate * (1 - 1e-5)).float().mean(dim=0)
        torch.testing.assert_close(share, torch.sigmoid(margins()[0, k]), atol=0.012, rtol=0)


def test_a_member_is_the_quantile_of_its_normal() -> None:
    """Pixels of every kind, equal margins and the ends among them: what `field_from` gives pixel by pixel."""
    random = torch.Generator().manual_seed(7)
    offered = falling(6 * torch.randn(1, len(RATES), 40, 50, generator=random) + 3)
    offered[..., 0] = 20.0
    offered[..., 1] = -1e4
    normal = 2 * torch.randn(3, 40, 50, generator=random)
    odds = torch.logit(torch.special.ndtr(normal.double())).clamp(-RAREST, RAREST).float()
    expected = torch.cat([denormalise(field_from(offered + one))[0] for one in odds])
    members = drawn(offered, normal)
    assert 0.2 < float((members > 0).float().mean()) < 0.8
    torch.testing.assert_close(members, expected, rtol=1e-4, atol=1e-6)


def test_the_higher_the_normal_the_more_it_rains_and_equal_ones_agree() -> None:
    normal = torch.tensor([-1.0, 0.5, 0.5, 2.0])[:, None, None].expand(4, 1, 3)
    low, one, other, high = drawn(margins(), normal)
    assert torch.equal(one, other)
    assert (low <= one).all()
    assert bool((one[0, :2] < high[0, :2]).all())
    np.testing.assert_array_equal(high[0, 2:], 0.0)
