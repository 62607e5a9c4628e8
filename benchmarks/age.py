"""What a region's ten-thousandth scan costs beside its hundredth.

`python benchmarks/age.py [--slots N]` needs no files; N slots, 10,000 unless told, take some minutes to lay down. Two
regions of one small grid, one young and one old, are asked for the same by turns, so that what else the machine does
falls on both. Every slot of theirs has its own commit. Most of what ages is written BATCH slots at once, and the other
commits of a batch tell a slot's status, which is quicker and leaves as many snapshots, chunks and references behind.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import numpy as np
from measure import Row, alternately, machine, show, spread

from nowcast.core.grid import Grid
from nowcast.core.rain import MARSHALL_PALMER
from nowcast.core.scan import Nowcast, Scan
from nowcast.core.timeline import Timeline
from nowcast.ingest import Intake, Outcome, ingest
from nowcast.issue import due
from nowcast.logs import configure
from nowcast.settings import Region, Settings
from nowcast.store import query, repository
from nowcast.store.archive import Archive, create_archive, open_archive
from nowcast.store.forecasts import Forecasts, create_forecasts, open_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location, array
from nowcast.store.template import STATUS_ISSUED, STATUS_OBSERVED, grow

YOUNG, OLD, BATCH, ROUNDS, CYCLES = 100, 10_000, 50, 20, 60
START, FIVE = datetime(2026, 6, 1, tzinfo=UTC), timedelta(minutes=5)
GRID = Grid("+proj=laea +lat_0=60 +lon_0=25 +R=6371000 +units=m +no_defs", -32e3, 32e3, 1e3, 1e3, 64, 64)
LEADS, MOST = 6, 1.10
COVERED = np.ones(GRID.shape, bool)
PICTURE = np.random.default_rng(1).gamma(0.3, 2.0, GRID.shape).astype(np.float32)


def scan(slot: int) -> Scan:
    """Rain that moves a pixel in five minutes."""
    return Scan("age", "rain", START + slot * FIVE, "rain_rate", np.roll(PICTURE, slot, axis=1), COVERED, GRID)


def nowcast(slot: int) -> Nowcast:
    """The same rain at every lead."""
    fields = np.stack([np.roll(PICTURE, slot, axis=1)] * LEADS)
    chances, leads = {1.0: (fields > 1).astype(np.float32)}, tuple(FIVE * (k + 1) for k in range(LEADS))
    return Nowcast(START + slot * FIVE, leads, fields, GRID, "age-1", (scan(slot).scan_id,), FIVE, chances)


@dataclass
class Place:
    """A region in a folder, with its feed, and the slot that comes next."""

    folder: Path
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self.location = Location(str(self.folder))
        self.archive = open_archive(self.location.child("archive"))
        self.forecasts = open_forecasts(self.location.child("forecasts"))
        self.reader = Reader(self.forecasts.location)
        self.scans = array(repository.read(self.archive.repository), "time").shape[0]
        self.nowcasts = array(repository.read(self.forecasts.repository), "init_time").shape[0]

    def take_in(self) -> None:
        """One file, decoded at no cost."""
        path = named(self.folder, self.scans)
        path.write_bytes(self.scans.to_bytes(32))
        where = Intake(Region(name="age"), self.location, self.folder / "quarantine")
        with patch("nowcast.ingest.decode", lambda path, limits: [scan(self.scans)]):
            taken = ingest(where, path, START + self.scans * FIVE + FIVE)
        assert taken.outcome is Outcome.STORED, taken
        self.scans += 1

    def publish(self) -> None:
        """The next nowcast."""
        assert publish(self.forecasts, nowcast(self.nowcasts), START + self.nowcasts * FIVE + FIVE)
        self.nowcasts += 1

    def tell_due(self) -> None:
        """What nowcasts are due."""
        due(self.archive, self.forecasts)

    def ask_anew(self) -> None:
        """The newest nowcast at a point, by a process that has just begun."""
        query.point(Reader(self.forecasts.location), 60.0, 25.0).rain_rate.values.sum()

    def ask_again(self) -> None:
        """The same by a server that had the store open before the last commit."""
        query.point(self.reader, 60.0, 25.0).rain_rate.values.sum()

    def ask_for_scan(self) -> None:
        """The newest scan."""
        query.newest_scan(Reader(self.archive.location), START + self.scans * FIVE)

    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def named(folder: Path, slot: int) -> Path:
    """A file of the feed."""
    return folder / "feed" / f"{START + slot * FIVE:%Y%m%d%H%M}.scan"


def aged(folder: Path, slots: int) -> Place:
    """A region with so many scans, nowcasts and commits of each."""
    (folder / "feed").mkdir(parents=True)
    for slot in range(slots):
        named(folder, slot).write_bytes(slot.to_bytes(32))
    where, axis = Location(str(folder)), Timeline(START, FIVE)
    archive = create_archive(where.child("archive"), GRID, axis, "rain_rate", MARSHALL_PALMER, GRID)
    forecasts = create_forecasts(where.child("forecasts"), GRID, axis, LEADS, (1.0,))
    for first in range(0, slots, BATCH):
        lay_down_scans(archive, first, min(slots, first + BATCH))
        lay_down_nowcasts(forecasts, first, min(slots, first + BATCH))
    return Place(folder)


def lay_down_scans(archive: Archive, first: int, stop: int) -> None:
    """Scans of some slots, and as many commits."""
    digests = np.random.default_rng(first).integers(0, 256, (stop - first, 32), np.uint8)
    with repository.transaction(archive.location, archive.repository, "ages") as group:
        grow(group, "time", stop)
        array(group, "time")[first:stop] = archive.timeline.seconds(first, stop)
        array(group, "rain_rate")[first:stop] = np.stack([scan(slot).values for slot in range(first, stop)])
        array(group, "coverage")[first:stop] = True
        array(group, "scan_id")[first:stop] = digests
        array(group, "file_id")[first:stop] = digests
        array(group, "received_time")[first:stop] = archive.timeline.seconds(first + 1, stop + 1)
        array(group, "status")[first:stop] = STATUS_OBSERVED
    commit_each(archive, first + 1, stop, STATUS_OBSERVED)


def lay_down_nowcasts(forecasts: Forecasts, first: int, stop: int) -> None:
    """Nowcasts of some slots, and as many commits."""
    digests = np.random.default_rng(first).integers(0, 256, (stop - first, 1, 32), np.uint8)
    fields = np.round(np.stack([nowcast(slot).rain_rate for slot in range(first, stop)]) * 100).astype(np.uint16)
    texts = {"model": "age-1", "rung": "champion", "reason": ""}
    with repository.transaction(forecasts.location, forecasts.repository, "ages") as group:
        grow(group, "init_time", stop)
        array(group, "init_time")[first:stop] = forecasts.timeline.seconds(first, stop)
        array(group, "rain_rate")[first:stop] = fields
        array(group, "probability")[first:stop] = (fields[:, :, None] > 100) * np.uint8(100)
        array(group, "input_scan_id")[first:stop, :1] = digests
        for name, text in texts.items():
            array(group, name)[first:stop] = np.full(stop - first, text, dtype=object)
        array(group, "input_age")[first:stop] = 90
        array(group, "issued_time")[first:stop] = forecasts.timeline.seconds(first + 1, stop + 1)
        array(group, "status")[first:stop] = STATUS_ISSUED
    commit_each(forecasts, first + 1, stop, STATUS_ISSUED)


def commit_each(store: Archive | Forecasts, first: int, stop: int, status: int) -> None:
    """A commit for each of some slots."""
    for slot in range(first, stop):
        with repository.transaction(store.location, store.repository, "ages") as group:
            array(group, "status")[slot] = status


def compared(name: str, old: Place, young: Place, work: Callable[[Place], None]) -> Row:
    """One kind of work in both regions by turns."""
    ours, peer = alternately([lambda: work(old), lambda: work(young)], ROUNDS)
    ratio = statistics.median(ours) / statistics.median(peer)
    figures = (f"{statistics.median(times) * 1000:.1f} ms" for times in (ours, peer))
    return row(name, *figures, ratio, f"{spread(ours)} against {spread(peer)}")


def row(name: str, ours: str, peer: str, ratio: float, about: str) -> Row:
    """A figure that should not grow."""
    return Row(name, ours, peer, round(ratio, 2), f"<= {MOST:.2f}", ratio <= MOST, about, machine())


WORK: dict[str, Callable[[Place], None]] = {
    "ingest commit": Place.take_in,
    "forecast commit": Place.publish,
    "what is due": Place.tell_due,
    "point query, process just begun": Place.ask_anew,
    "newest scan, process just begun": Place.ask_for_scan,
}


def served(place: Place) -> None:
    """A commit, and the question of a server that must see it."""
    place.publish()
    place.ask_again()


def memory(folder: Path) -> Row:
    """Of a process that takes in, publishes and is asked, after CYCLES of each."""
    used = []
    for name in ("old", "young"):
        command = [sys.executable, __file__, "--live", str(folder / name)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        used.append(int(done.stdout))
    ours, peer = (f"{mib} MiB" for mib in used)
    return row("memory", ours, peer, used[0] / used[1], f"after {CYCLES} scans and nowcasts")


def live(folder: Path) -> int:
    """MiB resident after a while of work at a region."""
    place = Place(folder)
    for _ in range(CYCLES):
        place.take_in()
        place.publish()
        place.tell_due()
        place.ask_again()
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("VmRSS")) // 1024


def grown(old: Place, young: Place) -> Row:
    """Bytes that each scan and its nowcast add, old snapshots not being swept."""
    before = [place.size() for place in (old, young)]
    for place in (old, young):
        for _ in range(ROUNDS):
            place.take_in()
            place.publish()
    each = [(place.size() - size) / ROUNDS / 1024 for place, size in zip((old, young), before, strict=True)]
    return row("bytes per scan", *(f"{kib:.1f} KiB" for kib in each), each[0] / each[1], f"over {ROUNDS} scans")


def rows(slots: int = OLD, folder: Path | None = None) -> list[Row]:
    """Every figure, ours being the old region and the peer the young one."""
    with tempfile.TemporaryDirectory() as made:
        where = folder or Path(made)
        young, old = (
            Place(where / name) if (where / name).is_dir() else aged(where / name, age)
            for name, age in (("young", YOUNG), ("old", slots))
        )
        title = f"at scan {old.scans:,} against {young.scans:,}"
        found = [compared(f"{name} {title}", old, young, work) for name, work in WORK.items()]
        return [*found, compared(f"nowcast served {title}", old, young, served), grown(old, young), memory(where)]


def main() -> None:
    """Print the figures; regions laid down in a folder are used again."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slots", type=int, default=OLD)
    options.add_argument("--folder", type=Path)
    options.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    configure(Settings(log_level="error"))
    if asked.live:
        print(live(asked.live))
    else:
        show(rows(asked.slots, asked.folder))


if __name__ == "__main__":
    main()
