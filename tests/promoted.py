"""A region whose registry holds two models, the first of them champion; scans of a storm arrive one by one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models_at_hand import registered

from nowcast import registry
from nowcast.core.scan import Nowcast
from nowcast.core.timeline import Timeline
from nowcast.desk import Desk, desk
from nowcast.issue import issue_due
from nowcast.settings import Region, Settings
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import Archive, append, create_archive
from nowcast.store.repository import Location

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = START + timedelta(hours=2)
SCANS = list(Storm(START, size=64, cells=3).scans(9))
FIRST = 144
"""The slot of the first scan."""


class Home:
    """A region with its registry of two models; scans arrive one by one."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(store=str(folder / "store"), device="cpu")
        self.region = Region(name="here", cadence=5, leads=3, thresholds=(1.0,))
        self.location = self.settings.location("here")
        self.models: Location = self.settings.models("here")
        self.one, self.two = (registered(self.models, folder, seed) for seed in (1, 2))
        registry.promote(self.models, self.one, "the first", NOW)
        timeline = Timeline(START.replace(hour=0), timedelta(minutes=5))
        where = self.location.child("archive")
        self.archive: Archive = create_archive(where, SCANS[0].grid, timeline, "rain_rate", SCANS[0].zr)

    def desk(self) -> Desk:
        return desk(self.region, self.settings)

    def take(self, number: int) -> None:
        append(self.archive, [SCANS[number]], bytes([number + 1]) * 32, NOW)

    def play(self, at: Desk, numbers: range, before: Callable[[int], None] = lambda _: None) -> list[Nowcast]:
        """Take scans one by one and issue after each; `before` is called before each issue."""
        made = []
        for number in numbers:
            self.take(number)
            before(number)
            made += issue_due(at, NOW)
        return made
