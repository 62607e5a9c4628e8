"""A stretch of a replay that a fault is put into: scans before it, the one it hits, and those after."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nowcast.core.rain import WET
from nowcast.core.scan import Nowcast, Scan
from nowcast.desk import desk
from nowcast.ingest import Ingested, ingest, intake
from nowcast.issue import issue_due
from nowcast.settings import Box, Region, Settings
from nowcast.sources import decode
from nowcast.sources.inflow import Inflow
from nowcast.store.archive import Archive, open_archive

BEFORE, AFTER = 3, 2
"""Scans of a stretch before and after the one that is hit."""

LATENCY = timedelta(seconds=90)
"""From a scan's nominal time to its arrival, where nothing is wrong."""

SIDE, MARGIN = 160, 8
"""Pixels of the part of the grid that is kept, at least, and km; a written scan reaches so many pixels beyond it."""

RAINING = 0.25
"""Share of that part with rain that is looked for: there must be rain to lose and a dry place to put some."""


class Poll(NamedTuple):
    """What a feed gives at a moment: files, or an error."""

    given: list[Path] | OSError
    now: datetime


class Play(NamedTuple):
    """What became of a feed's files, the nowcasts that were published, and the archive they are from."""

    taken: list[Ingested]
    made: list[Nowcast]
    archive: Archive
    failed: list[str]


@dataclass
class Scripted:
    """A feed that gives what a list says."""

    polls: list[Poll]
    place: int = -1

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return self.place >= len(self.polls) - 1

    def poll(self) -> list[Path]:
        """The next of the list."""
        self.place += 1
        given = self.polls[self.place].given
        if isinstance(given, OSError):
            raise given
        return given


@dataclass
class Case:
    """`files` are BEFORE scans, the one that is hit, and AFTER, in a folder of their own; `work` is empty at first."""

    event: str
    number: int
    files: list[Path]
    work: Path
    model: str = "advection"
    references: dict[tuple[int, ...], dict[datetime, Nowcast]] = field(default_factory=dict)

    @cached_property
    def scans(self) -> list[Scan]:
        """The one scan of each file, on its whole grid."""
        return [decode(path)[0] for path in self.files]

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """The part of the grid that is kept."""
        return _window(self.scans[BEFORE])

    @cached_property
    def region(self) -> Region:
        """The region of that part."""
        grid = self.scans[BEFORE].grid.crop(*self.window)
        inner = grid.crop(slice(2, grid.height - 2), slice(2, grid.width - 2))
        west, south, east, north = inner.bbox
        names = {"name": "here", "model": self.model, "leads": 3, "thresholds": (), "quantiles": ()}
        return Region(box=Box(south=south, west=west, north=north, east=east), cadence=self.cadence, **names)

    @cached_property
    def kept(self) -> tuple[slice, slice]:
        """What the region keeps of the grid, which lies askew to its box."""
        box = self.region.box
        assert box is not None
        return self.scans[BEFORE].grid.window(box.south, box.west, box.north, box.east)

    @cached_property
    def cadence(self) -> timedelta:
        """Time between scans."""
        return self.scans[1].nominal_time - self.scans[0].nominal_time

    @cached_property
    def written(self) -> tuple[slice, slice]:
        """What is kept, and a margin, as scans that are written anew hold."""
        rows, cols = (
            slice(max(0, part.start - MARGIN), min(side, part.stop + MARGIN))
            for part, side in zip(self.kept, self.scans[BEFORE].grid.shape, strict=True)
        )
        return rows, cols

    @cached_property
    def target(self) -> Scan:
        """The scan that is hit, cut to what is written."""
        return self.scans[BEFORE].crop(*self.written)

    @cached_property
    def before(self) -> Scan:
        """The scan before it, cut alike."""
        return self.scans[BEFORE - 1].crop(*self.written)

    def whole(self, scan: Scan) -> Scan:
        """A scan like `target` with what lies around it; any other as it is."""
        if scan.grid != self.target.grid:
            return scan
        around = self.scans[BEFORE]
        values = (around.rain_rate if scan.quantity == "rain_rate" else around.values).copy()
        values[self.written] = scan.values
        return replace(scan, values=values, coverage=np.isfinite(values), grid=around.grid, identity=b"")

    def time(self, index: int) -> datetime:
        """Nominal time of a scan, 0 being the one that is hit."""
        return self.scans[BEFORE].nominal_time + index * self.cadence

    def usual(self, *indices: int) -> list[Poll]:
        """Polls that give these scans, each when it should come."""
        return [Poll([self.files[BEFORE + k]], self.time(k) + LATENCY) for k in indices]

    def reference(self, indices: tuple[int, ...]) -> dict[datetime, Nowcast]:
        """The nowcasts that these scans lead to when each comes when it should, by initial time."""
        if indices not in self.references:
            played = self.play(f"reference-{'-'.join(map(str, indices))}", self.usual(*indices))
            assert not played.failed
            self.references[indices] = {one.init_time: one for one in played.made}
        return self.references[indices]

    def play(self, name: str, polls: list[Poll]) -> Play:
        """Follow a feed from a copy of the stores that the scans before led to."""
        store = self.work / name
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(self._base, store)
        return _followed(self.region, Settings(store=str(store), device="cpu"), polls)

    @cached_property
    def _base(self) -> Path:
        store = self.work / "base"
        played = _followed(self.region, Settings(store=str(store), device="cpu"), self.usual(*range(-BEFORE, 0)))
        assert not played.failed
        return store


def stretches(event: str, paths: list[Path], most: int, work: Path, model: str = "advection") -> Iterator[Case]:
    """At most so many cases evenly over an event. Their files are links in a folder each."""
    last = len(paths) - 1 - AFTER
    for number, at in enumerate(dict.fromkeys(np.linspace(BEFORE, last, most).round().astype(int).tolist())):
        folder = work / f"{event.replace('/', '-')}-{number}"
        (folder / "feed").mkdir(parents=True, exist_ok=True)
        files = []
        for path in paths[at - BEFORE : at + AFTER + 1]:
            files.append(folder / "feed" / path.name)
            if not files[-1].exists():
                files[-1].symlink_to(path.absolute())
        yield Case(event, number, files, folder, model)


def _followed(region: Region, settings: Settings, polls: list[Poll]) -> Play:
    """Take in and issue as `nowcast.replay.follow_locally` does, by the clock of the polls."""
    where, at, feed = intake(region, settings), desk(region, settings), Scripted(polls)
    inflow, played = Inflow(feed), Play([], [], None, [])  # type: ignore[arg-type]
    while not inflow.exhausted:
        paths = inflow.poll()
        now = polls[feed.place].now
        if inflow.is_out:
            played.failed.append("feed out of reach")
        for path in paths:
            try:
                played.taken.append(ingest(where, path, now))
            except OSError as error:
                played.failed.append(str(error))
        if paths:
            played.made.extend(issue_due(at, now))
    return played._replace(archive=open_archive(where.archive_location))


def _window(scan: Scan) -> tuple[slice, slice]:
    """The square in which about RAINING of the pixels have rain and nearly all are covered."""
    side = max(SIDE, round(SIDE / scan.grid.spacing_km))
    height, width = (min(side, length) for length in scan.grid.shape)
    wet = np.nan_to_num(scan.rain_rate) >= WET
    rows, cols = (
        range(0, length - part + 1, max(1, part // 2))
        for length, part in zip(scan.grid.shape, (height, width), strict=True)
    )
    squares = [(slice(r, r + height), slice(c, c + width)) for r in rows for c in cols]
    return min(squares, key=lambda square: abs(wet[square].mean() - RAINING) + 2 * (~scan.coverage[square]).mean())
