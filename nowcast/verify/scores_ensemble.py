"""Scores of ensembles as formulas over sums. Where a score is undefined it is NaN.

docs/evaluation.md has each formula with its source.
"""

import math

import numpy as np

from nowcast.verify.ensemble import Members
from nowcast.verify.part import Counts, ratio


def crps(members: Members) -> Counts:
    """Continuous ranked probability score [mm h-1], (lead,), of the distribution that gives each member 1 / m."""
    count = _count(members)
    return ratio(members.absolute_error - members.difference * (count - 1) / (2 * count), members.pixels)


def fair_crps(members: Members) -> Counts:
    """The CRPS [mm h-1], (lead,), that is expected of ever more members drawn as these were (Ferro 2014)."""
    return ratio(members.absolute_error - members.difference / 2, members.pixels)


def rank_histogram(members: Members) -> Counts:
    """Share of the observations above 0, 1, .. m members, (lead, m + 1); 1 / (m + 1) each is calibrated."""
    return ratio(members.ranks, np.broadcast_to(members.pixels[:, None], members.ranks.shape))


def mean_spread(members: Members) -> Counts:
    """Root of the mean variance of the members [mm h-1], (lead,)."""
    return np.sqrt(ratio(members.variance, members.pixels))


def root_mean_squared_error(members: Members) -> Counts:
    """Root of the mean squared error of the mean of the members [mm h-1], (lead,)."""
    return np.sqrt(ratio(members.squared_error, members.pixels))


def spread_skill(members: Members) -> Counts:
    """Spread over error of the mean, (lead,), times sqrt((m + 1) / m) (Fortin et al. 2014).

    1 is consistent; below it the members differ too little.
    """
    factor = math.sqrt(1 + 1 / _count(members))
    return factor * ratio(mean_spread(members), root_mean_squared_error(members))


def _count(members: Members) -> int:
    return int(members.ranks.shape[1]) - 1
