from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from radar import needs_radar, sample

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.core.types import FloatField, Quantity
from nowcast.quality import CLOCK_TOLERANCE, ImplausibleScan, check
from nowcast.sources import decode

TIME = datetime(2020, 1, 1, 12, tzinfo=UTC)
GRID = Grid("EPSG:3067", 0.0, 10_000.0, 1000.0, 1000.0, 10, 10)


def scan(values: FloatField, quantity: Quantity = "rain_rate") -> Scan:
    return Scan("test", "lowest", TIME, quantity, values, np.isfinite(values), GRID)


def full(value: float) -> FloatField:
    return np.full(GRID.shape, value, np.float32)


def test_a_scan_from_the_future_is_refused() -> None:
    with pytest.raises(ImplausibleScan, match="2020-01-01T12:00:00Z is in the future of 2020-01-01T11:57:59Z"):
        check(scan(full(1)), TIME - CLOCK_TOLERANCE - timedelta(seconds=1))


def test_a_clock_slightly_behind_is_tolerated() -> None:
    assert check(scan(full(1)), TIME - CLOCK_TOLERANCE).reasons == ()


@pytest.mark.parametrize(("value", "quantity"), [(0.0, "rain_rate"), (NO_ECHO, "reflectivity")])
def test_all_dry_is_fine(value: float, quantity: Quantity) -> None:
    dry = scan(full(value), quantity)
    checked = check(dry, TIME)
    assert checked.reasons == ()
    assert checked.scan is dry


def test_without_coverage_a_scan_passes_with_the_reason() -> None:
    checked = check(scan(full(np.nan)), TIME)
    assert checked.reasons == ("no pixel is covered",)


@pytest.mark.parametrize(
    ("usual", "spike", "quantity"),
    [(1.0, 501.0, "rain_rate"), (1.0, -0.1, "rain_rate"), (20.0, 80.5, "reflectivity"), (20.0, -34.0, "reflectivity")],
)
def test_a_spike_becomes_not_observed(usual: float, spike: float, quantity: Quantity) -> None:
    values = full(usual)
    values[3, 4] = spike
    original = scan(values, quantity)
    checked = check(original, TIME)
    assert checked.reasons == ("1 pixels beyond physical limits masked",)
    assert not checked.scan.coverage[3, 4]
    assert np.isnan(checked.scan.values[3, 4])
    assert checked.scan.coverage.sum() == 99
    assert (checked.scan.values[checked.scan.coverage] == usual).all()
    assert checked.scan.scan_id == original.scan_id


@pytest.mark.parametrize(
    ("spike", "around", "is_lonely"), [(20.0, 0.9, True), (20.0, 1.0, False), (19.9, 0.0, False), (400.0, 19.0, True)]
)
def test_a_strong_pixel_with_next_to_nothing_around_is_masked(spike: float, around: float, is_lonely: bool) -> None:
    """A twentieth of it in one of the eight pixels around makes it rain."""
    values = full(0)
    values[3, 4], values[2, 3] = spike, around
    checked = check(scan(values), TIME)
    assert checked.reasons == (("1 lonely pixels masked",) if is_lonely else ())
    assert checked.scan.coverage[3, 4] == (not is_lonely)


def test_a_strong_pixel_at_the_edge_of_what_is_covered_is_not_told() -> None:
    values = full(np.nan)
    values[0, 0] = 100.0
    assert check(scan(values), TIME).reasons == ()


@pytest.mark.parametrize(("value", "quantity"), [(500.0, "rain_rate"), (80.0, "reflectivity")])
def test_the_limit_itself_is_weather(value: float, quantity: Quantity) -> None:
    assert check(scan(full(value), quantity), TIME).reasons == ()


def test_too_many_spikes_refuse_the_scan() -> None:
    """2 of 100 covered pixels may be spikes, 3 may not; uncovered ones do not count."""
    values = full(1)
    values[0, :2] = 600
    assert check(scan(values), TIME).reasons
    values[0, 2] = 600
    with pytest.raises(ImplausibleScan, match="3 pixels beyond physical limits, 100 covered"):
        check(scan(values), TIME)
    values[0, 2] = 1
    values[5:] = np.nan
    with pytest.raises(ImplausibleScan, match="2 pixels beyond physical limits, 50 covered"):
        check(scan(values), TIME)


@needs_radar
def test_clutter_of_a_real_composite_is_masked() -> None:
    """OPERA, 24 August 2018: one pixel of 1205 mm/h, and five of 20 to 365 mm/h with nothing around them."""
    (raw,) = decode(sample("opera-2018"))
    checked = check(raw, raw.nominal_time)
    removed = raw.coverage & ~checked.scan.coverage
    assert np.nanmax(raw.values) > 1200
    assert np.nanmax(checked.scan.values) <= 500
    assert (raw.values[removed] > 20).all()
    assert checked.reasons == ("1 pixels beyond physical limits masked", "5 lonely pixels masked")
    assert removed.sum() == 6
