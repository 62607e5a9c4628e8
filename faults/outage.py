"""A feed of five minutes that was away for six hours: how soon there is a current forecast, and the whole archive."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from nowcast.core.scan import Scan
from nowcast.core.timeline import parse_time
from nowcast.ingest import Ingested
from nowcast.replay import follow_locally
from nowcast.settings import Region, Settings
from nowcast.sources import decode
from nowcast.sources.feeds import Directory, files_in
from nowcast.sources.odim_hdf5 import write
from nowcast.store.archive import gaps, open_archive, read_slots

FIVE = timedelta(minutes=5)
HISTORY, MISSED, NEWER = 5, 72, 2
"""Scans before the outage, during it, and those that come while the backlog is taken in, before pictures turn back."""


@dataclass
class Returning:
    """A folder in which the backlog lies, and where a newer scan appears after every so many that were taken in."""

    folder: Directory
    newer: list[Path]
    total: int
    after: int
    taken: int = 0
    came: dict[str, float] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """Whether all was taken in."""
        return self.taken >= self.total

    def poll(self) -> list[Path]:
        """What has come."""
        if self.newer and self.taken >= self.after:
            path = self.newer.pop(0)
            self.came[path.name] = time.monotonic()
            self.after += MISSED // (NEWER + 1)
            path.rename(self.folder.folder / path.name)
        return self.folder.poll()


@dataclass
class Watch:
    """When each scan was in the archive and each nowcast out, in seconds of the clock."""

    feed: Returning
    order: list[str] = field(default_factory=list)
    made: dict[datetime, float] = field(default_factory=dict)

    def __call__(self, taken: Ingested, made: list[str]) -> None:
        self.feed.taken += 1
        self.order.append(taken.file)
        self.made |= dict.fromkeys(map(parse_time, made), time.monotonic())


def measure(radar: Path, work: Path, model: str = "default") -> dict[str, Any]:
    """Finland, whole grid, by the shipped model: 40 real pictures, to and fro, on a clock of five minutes."""
    pictures = [decode(path)[0] for path in files_in(radar / "fmi-pgm/20160928")]
    return follow(list(islice(_to_and_fro(pictures), HISTORY + MISSED + NEWER)), work, model)


def follow(scans: list[Scan], work: Path, model: str) -> dict[str, Any]:
    """Five scans, none for six hours, then all at once; {seconds_to_current_forecast, ...}."""
    shutil.rmtree(work, ignore_errors=True)
    region, settings = Region(name="outage", model=model), Settings(store=str(work / "store"), device="cpu")
    paths = list(_written(scans, work))
    _follow(region, settings, work / "before", paths[:HISTORY], [])
    return _follow(region, settings, work / "back", paths[HISTORY:-NEWER], paths[-NEWER:])


def _follow(region: Region, settings: Settings, folder: Path, backlog: list[Path], newer: list[Path]) -> dict[str, Any]:
    folder.mkdir()
    for path in backlog:
        path.rename(folder / path.name)
    total = len(backlog) + len(newer)
    feed = Returning(Directory(folder, settle_s=0.0), list(newer), total, MISSED // (NEWER + 1))
    watch, began = Watch(feed), time.monotonic()
    follow_locally(region, settings, feed, watch, lambda: time.sleep(0.05))
    ended, names = time.monotonic(), {_time(path): path.name for path in newer}
    slots, archive = watch.made, open_archive(settings.location(region.name).child("archive"))
    delays = [slots[moment] - feed.came[name] for moment, name in names.items()]
    return {
        "files": total,
        "seconds_to_current_forecast": round(slots.get(_time(backlog[-1]), float("nan")) - began, 1),
        "seconds_to_whole_archive": round(ended - began, 1),
        "seconds_from_newer_scan_to_its_forecast": round(max(delays, default=0.0), 1),
        "nowcasts": len(slots),
        "scans_in_archive": len(read_slots(archive).observed),
        "gaps": len(gaps(archive)),
        "order": watch.order if len(watch.order) < 20 else [],
    }


def _to_and_fro(pictures: list[Scan]) -> Iterator[Scan]:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    for number, one in enumerate(cycle([*pictures, *reversed(pictures[1:-1])])):
        yield replace(one, nominal_time=start + number * FIVE, identity=b"")


def _written(scans: list[Scan], work: Path) -> Iterator[Path]:
    work.mkdir(parents=True)
    for scan in scans:
        path = work / f"{scan.nominal_time:%Y%m%d%H%M}.h5"
        write(scan, path)
        yield path


def _time(path: Path) -> datetime:
    return datetime.strptime(path.stem, "%Y%m%d%H%M").replace(tzinfo=UTC)
