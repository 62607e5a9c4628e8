"""Any split of the cases, merged in any order, gives the same sums and scores."""

from collections.abc import Iterable
from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nowcast.verify import scores, scores_chances, scores_ensemble
from nowcast.verify.chances import compare_chances, no_chances
from nowcast.verify.ensemble import compare_members, no_members, shares
from nowcast.verify.part import Part
from nowcast.verify.statistics import Assessment, Sums, compare_at, merged, zero

LEADS, MEMBERS, THRESHOLDS = 2, 4, (0.1, 1.0)
CASES = 6

Case = tuple[np.ndarray, np.ndarray, np.ndarray, int]
"""Members (m, y, x), observation (y, x), coverage (y, x), lead."""

OF_SUMS = (*scores.BY_THRESHOLD.values(), *scores.BY_LEAD.values(), scores.fss, scores.pooled_csi, scores.rapsd_ratio)
OF_CHANCES = (
    scores_chances.brier,
    scores_chances.brier_skill_score,
    scores_chances.reliability,
    scores_chances.resolution,
    scores_chances.uncertainty,
    scores_chances.expected_calibration_error,
    scores_chances.sharpness,
    scores_chances.crps,
    scores_chances.reliability_curve,
)
OF_MEMBERS = (
    scores_ensemble.crps,
    scores_ensemble.fair_crps,
    scores_ensemble.rank_histogram,
    scores_ensemble.spread_skill,
    scores_ensemble.mean_spread,
    scores_ensemble.root_mean_squared_error,
)


def case(random: np.random.Generator) -> Case:
    """An ensemble, of which a third is dry, and what came; rain in steps, so that members equal it now and then."""
    rain = np.round(random.gamma(0.5, 2.0, (MEMBERS + 1, 24, 30)), 1).astype(np.float32)
    return rain[1:], rain[0], random.random((24, 30)) < 0.8, int(random.integers(LEADS))


def summed(one: Case, spatial: bool = True) -> Assessment:
    """All sums of one case; the first member is the forecast of rain rates."""
    members, observed, mask, lead = one
    sums = compare_at({"m": members[0]}, observed, mask, lead, LEADS, THRESHOLDS, spatial)["m"]
    chances = compare_chances(shares(members, THRESHOLDS), observed, mask, lead, LEADS, THRESHOLDS)
    return {"m": replace(sums, chances=chances, members=compare_members(members, observed, mask, lead, LEADS))}


def nothing() -> Sums:
    empty = {"chances": no_chances(LEADS, THRESHOLDS), "members": no_members(LEADS, MEMBERS)}
    return replace(zero(LEADS, THRESHOLDS, spatial=True), **empty)


def added(parts: Iterable[Assessment]) -> Assessment:
    total: Assessment = {}
    for part in parts:
        total = merged(total, part)
    return total


def assert_same_sums(one: Part, other: Part) -> None:
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, Part):
            assert_same_sums(mine, theirs)
        elif mine is not None:
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10, err_msg=field.name)


def assert_same_scores(one: Sums, other: Sums) -> None:
    for formulas, name in ((OF_SUMS, None), (OF_CHANCES, "chances"), (OF_MEMBERS, "members")):
        mine, theirs = (getattr(sums, name) if name else sums for sums in (one, other))
        for formula in formulas:
            np.testing.assert_allclose(formula(mine), formula(theirs), rtol=1e-9, atol=1e-9, err_msg=str(formula))


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**31), st.permutations(range(CASES)), st.lists(st.integers(0, 2), min_size=CASES, max_size=CASES)
)
def test_any_split_in_any_order_gives_the_same_sums_and_scores(seed: int, order: list[int], group: list[int]) -> None:
    """Each case goes to one of three groups, taken in any order; a group without a case adds nothing."""
    random = np.random.default_rng(seed)
    cases = [summed(case(random)) for _ in range(CASES)]
    whole = added(cases)["m"]
    groups = (added(cases[k] for k in order if group[k] == one) for one in (2, 0, 1))
    parts = added(groups)["m"]
    assert_same_sums(whole, parts)
    assert_same_sums(whole, nothing() + parts)
    assert_same_scores(whole, parts)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_two_fields_side_by_side_give_the_sums_of_both(seed: int, columns: int) -> None:
    """All but those of neighbourhoods and of spectra, which see the border between the two."""
    members, observed, mask, lead = case(np.random.default_rng(seed))
    halves = [np.s_[..., :columns], np.s_[..., columns:]]
    parts = [summed((members[half], observed[half], mask[half], lead), spatial=False)["m"] for half in halves]
    total = parts[0] + parts[1]
    whole = replace(summed((members, observed, mask, lead), spatial=False)["m"], cases=total.cases)
    assert_same_sums(whole, total)
