"""`nowcast catchments`, `nowcast alerts` and `nowcast receiver`, on a region of 16 x 16 km where it rains 12 mm/h."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
import shapely
from fakes import FIVE, scan
from polygons import drawn, rectangle
from receiver import receiving
from typer.testing import CliRunner, Result

from nowcast.alerts.judging import update_alerts
from nowcast.catchments.outlooks import Origin, outlooks
from nowcast.cli import app
from nowcast.core.grid import Grid
from nowcast.settings import Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.watch import watch

GRID = Grid("+proj=laea +lat_0=50 +lon_0=5 +R=6371000 +units=m +no_defs", -8000.0, 8000.0, 1000.0, 1000.0, 16, 16)
Command = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two scans and a YAML with a catchment and a rule."""
    for name in ("scans", "regions"):
        (tmp_path / name).mkdir()
    for slot in range(2):
        write(scan(slot, 12.0, GRID), tmp_path / "scans" / f"t_20260601000{5 * slot}.h5")
    outline = shapely.to_geojson(drawn([rectangle(-2000, -2000, 2000, 2000)], GRID))
    (tmp_path / "regions" / "river.geojson").write_text(outline)
    return tmp_path


@pytest.fixture
def command(home: Path) -> Command:
    """Runs `nowcast` in that home, on a wide terminal."""
    environment = {"NOWCAST_STORE": str(home / "store"), "NOWCAST_REGIONS": str(home / "regions"), "COLUMNS": "200"}
    runner = CliRunner(env=environment)
    return lambda *words: runner.invoke(app, [*map(str, words), "--region", "here"], catch_exceptions=False)


def configure(home: Path, url: str = "http://127.0.0.1:9/") -> None:
    rule = f"{{name: flood, threshold: 1, probability: 0.5, webhook: '{url}'}}"
    yaml = f"model: persistence\nleads: 3\ncatchments: river.geojson\nalerts: [{rule}]\n"
    (home / "regions" / "here.yaml").write_text(yaml)


def raise_alert(home: Path) -> str:
    """As the issuing process would; the message's id."""
    settings = Settings(store=str(home / "store"), regions=home / "regions")
    region, now = settings.region("here"), datetime.now(UTC).replace(microsecond=0)
    fields = [np.full((1, *GRID.shape), 12, np.float32)] * 3
    leads = tuple(FIVE * k for k in (1, 2, 3))
    made = outlooks(watch(region, settings, GRID).weights, fields, Origin("here", now, leads, "fake"))
    where = settings.location("here").child("alerts")
    return update_alerts(where, region.alerts, made, now + timedelta(seconds=1)).outbox[0].message_id


def test_catchments_of_the_newest_nowcast(home: Path, command: Command) -> None:
    """Persistence: 12 mm/h for 15 min are 3 mm, more or less. What was not kept is made of the forecast alone."""
    configure(home)
    for words in (("ingest", home / "scans"), ("issue",)):
        assert command(*words).exit_code == 0
    (kept,) = json.loads(command("catchments", "--json").stdout)
    assert (kept["members"], np.shape(kept["rain_rate_mm_h"])) == (24, (24, 3))
    assert np.mean(kept["rain_rate_mm_h"]) == pytest.approx(12, rel=0.2)
    shutil.rmtree(home / "store" / "here" / "catchments")
    (found,) = json.loads(command("catchments", "--json").stdout)
    assert (found["catchment"], found["members"], found["rain_rate_mm_h"]) == ("river", 1, [[12, 12, 12]])
    assert found["area_km2"] == pytest.approx(16, rel=1e-2)
    text = command("catchments").stdout
    assert "one member" in text
    assert [cell.strip() for cell in text.splitlines()[-2].strip("│").split("│")][2:] == ["15"] + ["3.00"] * 4 + [
        "100%"
    ]


def test_alerts_wait_and_can_be_retried(home: Path, command: Command) -> None:
    with receiving() as receiver:
        configure(home, receiver.url)
        message_id = raise_alert(home)
        waiting = command("alerts").stdout
        assert "flood/river" in waiting
        assert "waiting: river: area mean of 1 mm from" in waiting
        found = json.loads(command("alerts", "--retry", "--json").stdout)
        assert receiver.ids == [message_id]
    assert (found["outbox"], [one["message_id"] for one in found["delivered"]]) == ([], [message_id])


def test_nothing_to_show(home: Path, command: Command) -> None:
    configure(home)
    assert command("alerts").stdout == "nothing\n"
    assert command("catchments").exit_code == 2


def test_a_region_without_catchments(command: Command) -> None:
    result = command("catchments")
    assert result.exit_code == 2
    assert "here.yaml names no catchments" in result.stderr


def test_receiver_prints_what_it_gets() -> None:
    """In a process of its own, on a free port, as a user runs it."""
    words = [sys.executable, "-u", "-m", "nowcast", "receiver", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        for _ in range(2):
            assert httpx.post(url, json={"kind": "onset"}, headers={"Idempotency-Key": "a1"}).status_code == 204
        lines = [running.stdout.readline().strip() for _ in range(2)]
        running.kill()
    assert lines == ['new a1 {"kind":"onset"}', 'again a1 {"kind":"onset"}']
