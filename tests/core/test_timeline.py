from datetime import UTC, datetime, timedelta, timezone

import pytest

from nowcast.core.timeline import OffCadence, Timeline, isoformat, parse_time, require_utc, utc

START = datetime(2016, 9, 28, 23, 50, tzinfo=UTC)
AXIS = Timeline(START, timedelta(minutes=5))


@pytest.mark.parametrize("slot", [0, 1, 2, 288])
def test_slot_undoes_time(slot: int) -> None:
    assert AXIS.slot(AXIS.time(slot)) == slot


def test_slots_cross_midnight() -> None:
    assert AXIS.time(2) == datetime(2016, 9, 29, tzinfo=UTC)
    assert AXIS.slot(datetime(2016, 9, 29, 0, 5, tzinfo=UTC)) == 3


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (START + timedelta(minutes=1), "not on the 0:05:00 raster"),
        (START + timedelta(seconds=1), "not on the"),
        (START - timedelta(minutes=5), "before the archive's start 2016-09-28T23:50:00Z"),
    ],
)
def test_times_off_the_axis_are_refused_by_name(time: datetime, reason: str) -> None:
    with pytest.raises(OffCadence, match=reason) as caught:
        AXIS.slot(time)
    assert isoformat(time) in str(caught.value)


def test_seconds_since_1970() -> None:
    axis = Timeline(datetime(1970, 1, 1, tzinfo=UTC), timedelta(minutes=1))
    assert axis.seconds(1, 4) == [60, 120, 180]


def test_refuses_cadence_below_a_second() -> None:
    with pytest.raises(ValueError, match="cadence"):
        Timeline(START, timedelta(0))


@pytest.mark.parametrize("time", [datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1)))])
def test_only_utc_passes(time: datetime) -> None:
    with pytest.raises(ValueError, match="is not UTC"):
        require_utc(time)
    with pytest.raises(ValueError, match="is not UTC"):
        Timeline(time, timedelta(minutes=5))


@pytest.mark.parametrize(
    "text", ["2016-09-28T23:50:00Z", "2016-09-28T23:50", "2016-09-29T01:50:00+02:00", "2016-09-28 23:50:00"]
)
def test_parse_time(text: str) -> None:
    assert parse_time(text) == START
    assert isoformat(parse_time(text)) == "2016-09-28T23:50:00Z"


def test_time_from_a_layout() -> None:
    assert utc("162722350", "%y%j%H%M") == START
