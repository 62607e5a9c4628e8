"""A nowcast is visible whole or not at all, once, and the latest never goes back."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from fakes import GRID, NOW, START, TIMELINE, forecasts_in, nowcast

from nowcast.core.grid import GridMismatch
from nowcast.store import query
from nowcast.store.forecasts import create_forecasts, issued, open_forecasts, publish, read_rain_rate
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
