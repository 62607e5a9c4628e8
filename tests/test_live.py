"""An event replayed scan by scan: what live verification kept equals the offline evaluation of the same nowcasts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agreement import largest_difference
from radar import RADAR, needs_radar
from structlog.testing import capture_logs
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.replay import follow_locally
from nowcast.settings import Box, Region, Settings
from nowcast.skill import skill
from nowcast.sources.feeds import Replay, files_in
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store import days
from nowcast.store.forecasts import issued, open_forecasts

EVENTS = {
    "fmi": ("fmi-pgm/20160928", Box(south=60.5, west=24, north=61.5, east=26)),
    "knmi": ("knmi-rap/20100826", Box(south=52, west=5, north=52.8, east=6.2)),
}


def storm(folder: Path, scans: int, size: int = 64) -> list[Path]:
    """Scans of a synthetic storm as files, from 23:30, so that its nowcasts come true on two days."""
    for scan in Storm(datetime(2026, 6, 1, 23, 30, tzinfo=UTC), size=size, cells=3).scans(scans):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return files_in(folder, "*.h5")


def printed(settings: Settings, *words: str) -> dict:
    """The JSON of a command about region `here`."""
    result = CliRunner().invoke(app, [*words, "--region", "here", "--store", settings.store, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_storm_over_midnight_with_a_gap(tmp_path: Path) -> None:
    """Ten scans from 23:30, of which the fourth is missing: nine nowcasts, the first by persistence."""
    paths, settings = storm(tmp_path, 10), Settings(store=str(tmp_path / "store"), device="cpu")
    del paths[3]
    follow_locally(Region(name="here", leads=6), settings, Replay(paths), lambda *_: None, lambda: None)
    live, offline = printed(settings, "skill"), printed(settings, "verify")
    assert largest_difference(live, offline) <= 1e-6
    assert live["skill"]["csi_difference"]["persistence"]["0.1"]["10"] > 0
    assert (live["scans"]["observed"], live["scans"]["scored"]) == (9, 8)
    assert (live["nowcasts"], offline["issues"]) == (8, 9)
    assert [day.isoformat() for day in days.days(settings.location("here"))] == ["2026-06-01", "2026-06-02"]


@needs_radar
@pytest.mark.parametrize("event", list(EVENTS))
def test_a_real_event(event: str, tmp_path: Path) -> None:
    """Five scans of a part of it."""
    folder, box = EVENTS[event]
    settings = Settings(store=str(tmp_path / "store"), device="cpu")
    region = Region(name="here", leads=3, box=box)
    paths = files_in(RADAR / folder)[-5:]
    follow_locally(region, settings, Replay(paths), lambda *_: None, lambda: None)
    live, offline = printed(settings, "skill"), printed(settings, "verify")
    assert largest_difference(live, offline) <= 1e-6
    assert live["csi"]["served"]["0.1"]["5"] > 0
    assert live["scans"]["scored"] == 4


def test_scoring_that_fails_stops_no_nowcast_and_is_made_up_for(tmp_path: Path) -> None:
    """A file lies where the folder of scores should be, until the last scan."""
    paths, settings = storm(tmp_path, 5), Settings(store=str(tmp_path / "store"), device="cpu")
    region, where = Region(name="here", leads=2, model="advection"), settings.location("here")
    obstacle = Path(where.url) / "skill"
    obstacle.parent.mkdir(parents=True)
    obstacle.touch()
    with capture_logs() as logs:
        follow_locally(region, settings, Replay(paths[:4]), lambda *_: None, lambda: None)
    assert len(issued(open_forecasts(where.child("forecasts")))) == 4
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["scoring failed"] * 3
    obstacle.unlink()
    follow_locally(region, settings, Replay(paths[4:]), lambda *_: None, lambda: None)
    assert skill(where, timedelta(hours=1)).together["served"].cases.tolist() == [4.0, 3.0]
