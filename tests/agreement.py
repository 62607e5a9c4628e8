"""How far live scores are from those of the offline evaluation of the same nowcasts."""

from collections.abc import Iterator, Mapping
from typing import Any

from nowcast.verify.scores import BY_LEAD, BY_THRESHOLD, COUNTED

SCORES = (*BY_THRESHOLD, *BY_LEAD, *COUNTED)


def largest_difference(live: Mapping[str, Any], offline: Mapping[str, Any]) -> float:
    """Over all scores, methods, thresholds and leads; both must be undefined in the same places, some defined."""
    found = [one for score in SCORES for one in _differences(live[score], offline[score])]
    assert found
    return max(found)


def _differences(one: Any, other: Any) -> Iterator[float]:
    if isinstance(one, Mapping):
        assert list(one) == list(other)
        for name, value in one.items():
            yield from _differences(value, other[name])
    else:
        assert (one is None) == (other is None)
        yield from () if one is None else (abs(one - other),)
