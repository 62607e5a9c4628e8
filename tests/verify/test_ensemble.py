"""Scores of ensembles by hand."""

from dataclasses import replace

import numpy as np
import pytest

from nowcast.verify import ensemble
from nowcast.verify import scores_ensemble as scores
from nowcast.verify.chances import compare_chances
from nowcast.verify.ensemble import Members, compare_members, no_members, shares
from nowcast.verify.scores_chances import brier
from nowcast.verify.statistics import zero


def compared(members: list[list[float]], observed: list[float]) -> Members:
    """Sums of members, each a row of pixels."""
    fields = np.array(members, np.float32)[:, None]
    return compare_members(fields, np.array([observed], np.float32), np.ones((1, len(observed)), bool), 0, 1)


def test_crps_by_hand() -> None:
    """Members 0 and 2, observed 1: both err by 1; the mean difference of all four pairs is 1, of distinct ones 2."""
    sums = compared([[0.0], [2.0]], [1.0])
    assert scores.crps(sums)[0] == 1 - 1 / 2
    assert scores.fair_crps(sums)[0] == 1 - 2 / 2


def test_crps_of_equal_members_is_their_absolute_error() -> None:
    sums = compared([[3.0, 0.0]] * 4, [1.0, 0.0])
    assert (scores.crps(sums)[0], scores.fair_crps(sums)[0]) == (1.0, 1.0)


def test_spread_and_skill_by_hand() -> None:
    """Members 1 and 3 beside 3 and 3: variances 2 and 0; means 2 and 3, observed 0 and 3: squared errors 4 and 0."""
    sums = compared([[1.0, 3.0], [3.0, 3.0]], [0.0, 3.0])
    assert scores.mean_spread(sums)[0] == 1.0
    assert scores.root_mean_squared_error(sums)[0] == pytest.approx(2**0.5)
    assert scores.spread_skill(sums)[0] == pytest.approx((3 / 2 * 1 / 2) ** 0.5)


def test_ranks_by_hand() -> None:
    """Of three members the observation is above none, one, and all."""
    sums = compared([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]], [0.0, 1.5, 9.0])
    assert sums.ranks[0].tolist() == [1.0, 1.0, 0.0, 1.0]


def test_ties_are_shared_evenly_by_the_ranks_that_they_span() -> None:
    """Dry with two dry members of three: ranks 0, 1, 2. Equal to the greatest of three: ranks 2 and 3."""
    sums = compared([[0.0, 0.0], [0.0, 1.0], [2.0, 2.0]], [0.0, 2.0])
    assert sums.ranks[0] == pytest.approx([1 / 3, 1 / 3, 1 / 3 + 1 / 2, 1 / 2])
    assert scores.rank_histogram(sums)[0].sum() == pytest.approx(1.0)


def test_an_ensemble_dry_where_it_was_dry_has_a_flat_rank_histogram() -> None:
    sums = compared([[0.0] * 5] * 4, [0.0] * 5)
    assert scores.rank_histogram(sums)[0] == pytest.approx([1 / 5] * 5)
    assert np.isnan(scores.spread_skill(sums)[0])


def test_an_ensemble_that_the_observation_could_belong_to_is_consistent() -> None:
    """50 000 draws: shares of ranks scatter by 0.2 %, the ratio by a few percent."""
    fields = np.random.default_rng(5).gamma(1.0, 2.0, (9, 250, 200)).astype(np.float32)
    sums = compare_members(fields[1:], fields[0], np.ones((250, 200), bool), 0, 1)
    assert scores.spread_skill(sums)[0] == pytest.approx(1.0, abs=0.03)
    assert scores.rank_histogram(sums)[0] == pytest.approx([1 / 9] * 9, abs=0.006)
    assert scores.fair_crps(sums)[0] == pytest.approx(1.0, abs=0.03), "half the mean difference of two draws, 2"


def test_blocks_of_pixels_add_up_to_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(6)
    fields, mask = random.gamma(0.3, 2.0, (6, 30, 20)).astype(np.float32), random.random((30, 20)) < 0.7
    whole = compare_members(fields[1:], fields[0], mask, 0, 1)
    monkeypatch.setattr(ensemble, "BLOCK", 70)
    parts = compare_members(fields[1:], fields[0], mask, 0, 1)
    for name in ("pixels", "absolute_error", "difference", "variance", "squared_error", "ranks"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)


def test_masked_pixels_and_other_leads_do_not_count() -> None:
    members, observed = np.array([[[0.0, np.nan]], [[2.0, 1.0]]], np.float32), np.array([[1.0, np.nan]], np.float32)
    sums = compare_members(members, observed, np.array([[True, False]]), 1, 2)
    assert sums.pixels.tolist() == [0.0, 1.0]
    assert scores.crps(sums)[1] == 1 / 2
    assert np.isnan(scores.crps(sums)[0])


def test_shares_of_members_are_chances() -> None:
    """At 1 mm/h two of four members, then one; a pixel that one member does not know is unknown."""
    members = np.array([[[1.0, 0.0, 2.0]], [[2.0, 0.0, np.nan]], [[0.0, 0.0, 2.0]], [[0.5, 1.5, 2.0]]], np.float32)
    chances = shares(members, (1.0, 2.0))
    np.testing.assert_array_equal(chances, [[[2 / 4, 1 / 4, np.nan]], [[1 / 4, 0.0, np.nan]]])
    known = np.isfinite(chances[0])
    sums = compare_chances(chances, np.array([[3.0, 0.0, 0.0]], np.float32), known, 0, 1, (1.0, 2.0))
    assert brier(sums)[0].tolist() == [(1 / 4 + 1 / 16) / 2, (9 / 16 + 0) / 2]


def test_one_member_is_no_ensemble() -> None:
    with pytest.raises(ValueError, match="not 1"):
        compared([[1.0]], [1.0])


def test_sums_carry_members_and_add_those_of_one_size() -> None:
    one = replace(zero(1, (1.0,)), members=compared([[0.0], [2.0]], [1.0]))
    total = (one + one).members
    assert total is not None
    assert total.pixels[0] == 2.0
    for other in (None, no_members(1, 3)):
        with pytest.raises(ValueError, match="sums over"):
            one + replace(one, members=other)
