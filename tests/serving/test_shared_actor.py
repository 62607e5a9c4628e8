"""Regions that name the same actor live in one process, and forecast what each would alone."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import ray

from nowcast.core.timeline import Timeline
from nowcast.desk import desk
from nowcast.issue import issue_due
from nowcast.serving.actor import region_actor, stop
from nowcast.serving.cluster import connect, disconnect
from nowcast.settings import Region, Settings
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import append, create_archive
from nowcast.store.forecasts import open_forecasts, read_rain_rate

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
STORMS = {name: Storm(START, seed, size=48, cells=3) for name, seed in (("north", 1), ("south", 2))}


def archived(region: Region, settings: Settings, storm: Storm) -> None:
    """Three scans."""
    where = settings.location(region.name).child("archive")
    scans = list(storm.scans(3))
    archive = create_archive(where, storm.grid, Timeline(START, storm.cadence), "rain_rate", scans[0].zr)
    for k, scan in enumerate(scans):
        append(archive, [scan], bytes([k + 1]) * 32, START)


def test_two_regions_take_turns_in_one_process(tmp_path: Path) -> None:
    shared, alone = (Settings(store=str(tmp_path / name), device="cpu") for name in ("shared", "alone"))
    regions = {name: Region(name=name, leads=2, actor="both") for name in STORMS}
    for name, storm in STORMS.items():
        for settings in (shared, alone):
            archived(regions[name], settings, storm)
    connect(shared)
    try:
        actors = {name: region_actor(region, shared) for name, region in regions.items()}
        made = {name: ray.get(actor.issue.remote(regions[name])) for name, actor in actors.items()}
        told = {name: ray.get(actor.status.remote(regions[name])) for name, actor in actors.items()}
        lost = Region(name="lost", actor="both", model=str(tmp_path / "lost.safetensors"))
        with pytest.raises(ValueError, match="model cannot be loaded"):
            ray.get(region_actor(lost, shared).issue.remote(lost))
        assert ray.get(actors["south"].status.remote(regions["south"])) == told["south"], (
            "its neighbour's loss is its own"
        )
    finally:
        stop(regions["north"])
        disconnect()
    times = [f"2026-06-01T12:{minute:02}:00Z" for minute in (0, 5, 10)]
    assert made == {"north": times, "south": times}
    assert told["north"]["pid"] == told["south"]["pid"]
    for name, region in regions.items():
        issue_due(desk(region, alone), datetime.now(UTC))
        both = (open_forecasts(settings.location(name).child("forecasts")) for settings in (shared, alone))
        np.testing.assert_allclose(*(read_rain_rate(store, 2) for store in both), atol=0.02)
