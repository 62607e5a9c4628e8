"""Sums that add up over any set of cases."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
"""Numbers or sums, the first axis being the lead."""


@dataclass(frozen=True, eq=False)
class Part:
    """Arrays and further parts, which add up field by field; any other field says what is summed and must be equal.

    A new score takes a subclass with the sums it needs, a field of that class in `Sums`, and a formula in `scores`.
    """

    def __add__(self, other: Self) -> Self:
        names = [field.name for field in fields(self)]
        return replace(self, **{name: _added(getattr(self, name), getattr(other, name)) for name in names})


def at_lead(values: Any, lead: int, leads: int) -> Counts:
    """Values of one lead, shape (...), as (lead, ...) with zeros at all others."""
    placed = np.zeros((leads, *np.shape(values)))
    placed[lead] = values
    return placed


def inner(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Sum of products of two arrays of one shape; not by BLAS, whose threads wait for each other on a busy machine."""
    return float(np.einsum("i,i->", one.ravel(), other.ravel()))


def ratio(part: Counts, whole: Counts) -> Counts:
    """Part over whole, NaN where the whole is 0."""
    undefined = whole == 0
    found: Counts = part / np.where(undefined, 1.0, whole)
    found[undefined] = float("nan")
    return found


def _added(one: Any, other: Any) -> Any:
    if _kind(one) != _kind(other):
        raise ValueError(f"sums over {_kind(one)} and {_kind(other)} do not add up")
    return one + other if isinstance(one, np.ndarray | Part) else one


def _kind(value: Any) -> Any:
    """What must be the same for two values to add up."""
    if isinstance(value, np.ndarray):
        return value.shape
    return type(value).__name__ if isinstance(value, Part) else value
