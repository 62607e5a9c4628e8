"""Accumulations, quantiles and crossings of members whose rates are written out; leads are 5 min apart unless said."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from fakes import GRID
from polygons import FIVE, INIT, catchment, outlook, rectangle

from nowcast.catchments.outlooks import (
    Crossing,
    Origin,
    accumulations,
    chance,
    crossing,
    first_reached,
    outlooks,
    quantiles,
)
from nowcast.catchments.polygons import weigh

NAN = float("nan")
LEADS = tuple(FIVE * k for k in (1, 2, 3, 4))


def rates(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


class TestAccumulations:
    def test_twelve_millimetres_an_hour_are_one_in_five_minutes(self) -> None:
        found = accumulations(rates([12, 12, 12, 12], [0, 24, 0, 12]), LEADS)
        assert found.tolist() == [[1, 2, 3, 4], [0, 2, 2, 3]]

    def test_a_window_moves_along(self) -> None:
        """Ten minutes are two leads; before the first, nothing is known to have fallen."""
        assert accumulations(rates([12, 24, 0, 12]), LEADS, 2 * FIVE).tolist() == [[1, 3, 2, 1]]

    def test_leads_may_be_of_different_length(self) -> None:
        """A rate holds from the lead before: 12 mm/h over 5, 10 and 15 minutes."""
        leads = (FIVE, 3 * FIVE, 6 * FIVE)
        assert accumulations(rates([12, 12, 12]), leads).tolist() == [[1, 3, 6]]
        assert accumulations(rates([12, 12, 12]), leads, 3 * FIVE).tolist() == [[1, 3, 3]]

    def test_a_lead_without_value_leaves_its_windows_open(self) -> None:
        np.testing.assert_array_equal(accumulations(rates([12, NAN, 12, 12]), LEADS), [[1, NAN, NAN, NAN]])
        np.testing.assert_array_equal(accumulations(rates([12, NAN, 12, 12]), LEADS, FIVE), [[1, NAN, 1, 1]])

    def test_a_window_between_two_leads_is_refused(self) -> None:
        with pytest.raises(ValueError, match="begins between two leads"):
            accumulations(rates([12, 12, 12, 12]), LEADS, timedelta(minutes=7))


class TestAcrossMembers:
    def test_quantiles_of_eleven(self) -> None:
        assert quantiles(np.arange(11, dtype=np.float32)) == (1, 5, 9)

    def test_chance_counts_those_at_the_threshold(self) -> None:
        assert chance(rates([0.3, 0.1, 0.3, 0.7])[0], 0.3) == 0.75

    def test_one_member_without_value_leaves_all_open(self) -> None:
        assert np.isnan(quantiles(rates([1, NAN])[0])).all()
        assert np.isnan(chance(rates([1, NAN])[0], 0.5))


class TestCrossing:
    def test_first_lead_at_or_above(self) -> None:
        found = first_reached(rates([0, 5, 0, 9], [5, 0, 0, 0], [0, 0, 0, 4.9]), 5, LEADS)
        assert found.tolist() == [10, 5, np.inf]

    def test_distribution_is_of_those_that_cross(self) -> None:
        """Ten of twenty members cross: five after 5 min, four after 10, one after 20."""
        rows = [[9, 0, 0, 0]] * 5 + [[0, 9, 0, 0]] * 4 + [[0, 0, 0, 9]] + [[0, 0, 0, 0]] * 10
        found = crossing(rates(*rows), 9, LEADS)
        assert found == Crossing(0.5, 0.5, (5, 5, 10))
        assert found.probability == 0.5

    def test_nobody_crosses(self) -> None:
        found = crossing(rates([1, 1, 1, 1]), 2, LEADS)
        assert (found.least, found.most, found.probability) == (0, 0, 0)
        assert np.isnan(found.minutes).all()

    def test_members_without_value_leave_the_chance_open(self) -> None:
        """Of four, one crosses before its values end, one does not, one is dry as long as it is known, one unknown."""
        found = crossing(rates([9, NAN, NAN, NAN], [0, 0, 0, 0], [0, 0, NAN, NAN], [NAN] * 4), 9, LEADS)
        assert (found.least, found.most) == (0.25, 0.75)
        assert np.isnan(found.probability)

    def test_of_a_running_accumulation(self) -> None:
        """12 mm/h reach 3 mm after 15 min."""
        assert crossing(accumulations(rates([12, 12, 12, 12]), LEADS), 3, LEADS).minutes == (15, 15, 15)


class TestOutlooks:
    def test_of_members_lead_by_lead(self) -> None:
        """Lead k rains k mm/h in member 0 and ten times as much in member 1."""
        weights = [weigh(catchment(rectangle(x, 0, x + 1000, 1000)), GRID) for x in (-2000, 0)]
        fields = (np.stack([np.full(GRID.shape, k * f, np.float32) for f in (1, 10)]) for k in (1, 2, 3))
        first, second = outlooks(weights, fields, Origin("here", INIT, LEADS[:3], "fake-1"))
        assert first.rain_rate.tolist() == [[1, 2, 3], [10, 20, 30]]
        assert second.rain_rate.tolist() == first.rain_rate.tolist()
        assert (first.coverage_share == 1).all()
        assert (first.members, first.catchment_id, first.name) == (2, "river", "The River")
        assert first.area_km2 == pytest.approx(1.0, rel=1e-2)

    def test_one_lead_is_held_at_a_time(self) -> None:
        """A field may be overwritten as soon as the next is asked for."""
        field = np.zeros((1, *GRID.shape), np.float32)

        def fields() -> Iterator[np.ndarray]:
            for k in (1, 2):
                field[:] = k
                yield field

        made = outlooks(
            [weigh(catchment(rectangle(0, 0, 1000, 1000)), GRID)], fields(), Origin("h", INIT, LEADS[:2], "m")
        )
        assert made[0].rain_rate.tolist() == [[1, 2]]

    def test_without_catchments_no_field_is_made(self) -> None:
        def fields() -> Iterator[np.ndarray]:
            raise AssertionError
            yield

        assert outlooks([], fields(), Origin("h", INIT, LEADS, "m")) == ()

    @pytest.mark.parametrize("count", [1, 3])
    def test_more_or_fewer_fields_than_leads_are_refused(self, count: int) -> None:
        weights = [weigh(catchment(rectangle(0, 0, 1000, 1000)), GRID)]
        fields = [np.zeros((1, *GRID.shape), np.float32)] * count
        with pytest.raises(ValueError, match=f"{count} fields for 2 leads"):
            outlooks(weights, fields, Origin("h", INIT, LEADS[:2], "m"))

    @pytest.mark.parametrize("leads", [(), (FIVE, FIVE), (timedelta(0), FIVE)])
    def test_leads_ascend_from_zero(self, leads: tuple[timedelta, ...]) -> None:
        with pytest.raises(ValueError, match="positive and ascending"):
            Origin("h", INIT, leads, "m")

    def test_shapes_must_fit(self) -> None:
        with pytest.raises(ValueError, match="rain_rate of river"):
            outlook(np.zeros((0, 2)))
