"""A nowcast is visible whole or not at all, once, and the latest never goes back."""

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import GRID, NOW, START, TIMELINE, forecasts_in, nowcast

from nowcast.core.grid import GridMismatch
from nowcast.core.scan import Nowcast
from nowcast.store import query, repository
from nowcast.store.forecasts import (
    create_forecasts,
    issued,
    open_forecasts,
    open_to_publish,
    publish,
    read_rain_rate,
    records,
    withhold,
)
from nowcast.store.query import Reader
from nowcast.store.repository import Location, snapshot_id


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    assert publish(forecasts, nowcast(3), NOW)
    before = snapshot_id(forecasts.repository)
    assert not publish(forecasts, nowcast(3), NOW)
    assert snapshot_id(forecasts.repository) == before
    assert issued(forecasts) == {3: "fake-1"}


def test_another_model_replaces_the_nowcast(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(3), NOW)
    assert publish(forecasts, nowcast(3, rain_rate=9.0, model="fake-2"), NOW)
    assert issued(forecasts) == {3: "fake-2"}
    assert read_rain_rate(forecasts, 3)[0, 1, 1] == 9.0


def test_a_nowcast_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    with pytest.raises(ValueError, match="leads"):
        publish(forecasts, nowcast(0, leads=2), NOW)
    with pytest.raises(GridMismatch, match="shape"):
        publish(forecasts, nowcast(0, grid=GRID.crop(slice(0, 3), slice(0, 6))), NOW)
    assert issued(forecasts) == {}


def test_rain_rates_come_back_to_half_a_hundredth(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(0, rain_rate=0.123), NOW)
    fields = read_rain_rate(forecasts, 0)
    np.testing.assert_allclose(fields[:, 1, 1], [0.12, 0.25, 0.37], atol=1e-6)
    assert np.isnan(fields[:, 0, 0]).all()
    publish(forecasts, nowcast(1, rain_rate=1000.0), NOW)
    assert read_rain_rate(forecasts, 1)[0, 1, 1] == pytest.approx(655.34)


def test_provenance_and_probability_can_be_read(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(2), NOW)
    found = query.latest(Reader(forecasts.location))
    assert found.probability.sel(threshold=1.0).values[0, 1, 1] == pytest.approx(0.25)
    assert found.probability.sel(threshold=5.0).values[0, 1, 1] == 0.0
    assert np.isnan(found.probability.values[0, :, 0, 0]).all()
    assert str(found.model.values) == "fake-1"
    assert found.input_scan_id.values[0].tobytes() == nowcast(2).scan_ids[0]
    assert not found.input_scan_id.values[1:].any()
    assert int(found.input_age) == 90


SHARES = (0.1, 0.9)


def with_quantiles(slot: int, shares: tuple[float, ...] = SHARES) -> Nowcast:
    """Quantiles at 0.1 and 0.9 are those parts of the rain rate."""
    plain = nowcast(slot)
    return replace(plain, quantile={share: share * plain.rain_rate for share in shares})


def test_quantiles_are_kept_and_can_be_read(tmp_path: Path) -> None:
    location = Location(str(tmp_path / "forecasts"))
    create_forecasts(location, GRID, TIMELINE, 3, (1.0, 5.0), SHARES)
    assert open_forecasts(location).quantiles == SHARES
    publish(open_to_publish(location), with_quantiles(2), NOW)
    found = query.latest(Reader(location)).rain_rate_quantile
    for share in SHARES:
        np.testing.assert_allclose(found.sel(quantile=share)[:, 1, 1], share * np.array([1.0, 2.0, 3.0]), atol=1e-6)
    assert np.isnan(found[:, :, 0, 0]).all()


def test_a_store_of_quantiles_refuses_a_nowcast_without_and_a_store_without_ignores_them(tmp_path: Path) -> None:
    keeping = create_forecasts(Location(str(tmp_path / "keeping")), GRID, TIMELINE, 3, (1.0, 5.0), SHARES)
    with pytest.raises(ValueError, match=r"no quantile at \[0\.9\]"):
        publish(keeping, with_quantiles(2, (0.1, 0.5)), NOW)
    assert issued(keeping) == {}
    plain = forecasts_in(tmp_path)
    assert publish(plain, with_quantiles(2), NOW)
    assert open_forecasts(plain.location).quantiles == ()
    assert "rain_rate_quantile" not in query.latest(Reader(plain.location))


def test_the_latest_never_goes_back(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    reader = Reader(forecasts.location)
    for slot, newest in ((5, 5), (2, 5), (6, 6)):
        publish(forecasts, nowcast(slot), NOW)
        moment = np.datetime64(TIMELINE.time(newest).replace(tzinfo=None))
        assert query.latest(reader).init_time.values == moment


def test_a_reader_keeps_what_it_was_given(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(0), NOW)
    reader = Reader(forecasts.location)
    before = reader.dataset
    assert reader.dataset is before
    publish(forecasts, nowcast(0, rain_rate=9.0, model="fake-2"), NOW)
    assert before.rain_rate.values[0, 0, 1, 1] == 1.0
    assert reader.dataset.rain_rate.values[0, 0, 1, 1] == 9.0


def test_a_kill_in_the_middle_of_a_publication_leaves_the_last_whole_one(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(0), NOW)
    script = f"""
        import os, signal
        import nowcast.store.forecasts as store
        from nowcast.store.repository import Location
        from fakes import NOW, nowcast
        written = store._write
        def die_after_the_fields(*arguments):
            written(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        store._write = die_after_the_fields
        store.publish(store.open_forecasts(Location({forecasts.location.url!r})), nowcast(1), NOW)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == -signal.SIGKILL
    after = open_forecasts(forecasts.location)
    assert issued(after) == {0: "fake-1"}
    assert publish(after, nowcast(1), NOW)
    assert read_rain_rate(after, 1)[2, 1, 1] == 3.0


def test_leads_must_be_whole_minutes(tmp_path: Path) -> None:
    odd = type(TIMELINE)(START, TIMELINE.cadence * 0.5)
    with pytest.raises(ValueError, match="whole minutes"):
        create_forecasts(Location(str(tmp_path / "odd")), GRID, odd, 1)


def on(rung: str, slot: int = 3, reason: str = "", model: str = "fake-1") -> Nowcast:
    return replace(nowcast(slot, model=model), rung=rung, reason=reason)


def test_a_better_rung_replaces_a_worse_and_never_the_other_way_round(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    for rung, is_published in (
        ("persistence", True),
        ("persistence", False),
        ("previous", True),
        ("advection", False),
        ("champion", True),
        ("previous", False),
    ):
        assert publish(forecasts, on(rung, reason=f"why {rung}", model=f"{rung}-1"), NOW) == is_published
    assert records(forecasts) == {3: ("champion-1", "champion", "why champion")}


def test_a_withheld_nowcast_has_a_reason_and_gives_way_to_any(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, on("champion", 2), NOW)
    assert withhold(forecasts, TIMELINE.time(3), "no rung held", NOW)
    before = snapshot_id(forecasts.repository)
    assert not withhold(forecasts, TIMELINE.time(3), "no rung held", NOW)
    assert not withhold(forecasts, TIMELINE.time(2), "no rung held", NOW)
    assert snapshot_id(forecasts.repository) == before
    assert issued(forecasts) == {2: "fake-1"}
    assert records(forecasts)[3] == ("", "none", "no rung held")
    reader = Reader(forecasts.location)
    assert query.latest(reader).init_time.values == np.datetime64(TIMELINE.time(2).replace(tzinfo=None))
    with pytest.raises(query.NoForecast, match="the nowcast of 2026-06-01T00:15:00Z was withheld: no rung held"):
        query.nowcast_at(reader, TIMELINE.time(3))
    assert publish(forecasts, on("persistence"), NOW)
    assert issued(forecasts) == {2: "fake-1", 3: "fake-1"}


def test_rung_reason_and_radar_coverage_can_be_read(tmp_path: Path) -> None:
    forecasts = forecasts_in(tmp_path)
    flags = np.full(GRID.shape, 2, np.uint8)
    flags[0, :2] = 0, 1
    publish(forecasts, replace(on("previous", reason="champion x: late"), radar_coverage=flags), NOW)
    found = query.latest(Reader(forecasts.location))
    assert (str(found.rung.values), str(found.reason.values)) == ("previous", "champion x: late")
    np.testing.assert_array_equal(found.radar_coverage, flags)


def test_a_nowcast_on_no_rung_is_refused() -> None:
    with pytest.raises(ValueError, match="rung 'none' is none of champion, previous, advection, persistence"):
        on("none")
    with pytest.raises(ValueError, match="radar_coverage is"):
        replace(nowcast(0), radar_coverage=np.zeros((1, 1), np.uint8))


def test_a_store_of_an_earlier_version_is_read_and_taken_on(tmp_path: Path) -> None:
    """Without rung, reason and radar_coverage, and with one nowcast."""
    forecasts = forecasts_in(tmp_path)
    publish(forecasts, nowcast(0), NOW)
    with repository.transaction(forecasts.location, forecasts.repository, "back to the layout before") as group:
        for name in ("rung", "reason", "radar_coverage"):
            del group[name]
    old = query.latest(Reader(forecasts.location))
    assert (str(old.rung.values), str(old.reason.values), int(old.radar_coverage)) == ("", "", 255)
    assert records(open_forecasts(forecasts.location)) == {0: ("fake-1", "", "")}

    taken_on = open_to_publish(forecasts.location)
    assert not publish(taken_on, nowcast(0), NOW)
    assert not publish(taken_on, on("advection", 0), NOW)
    assert publish(taken_on, on("previous", 1, "late"), NOW)
    assert records(taken_on) == {0: ("fake-1", "", ""), 1: ("fake-1", "previous", "late")}
    assert read_rain_rate(taken_on, 0)[0, 1, 1] == 1.0
    assert (query.nowcast_at(Reader(forecasts.location), START).radar_coverage == 255).all()
    before = snapshot_id(taken_on.repository)
    open_to_publish(forecasts.location)
    assert snapshot_id(taken_on.repository) == before
