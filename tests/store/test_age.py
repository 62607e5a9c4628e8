"""What an old store is asked for is as much as what a young one is: keys are counted, no time is taken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import NOW, START, archive_in, file_id, forecasts_in, nowcast, scan
from icechunk import IcechunkStore

from nowcast.core.timeline import Timeline
from nowcast.issue import due
from nowcast.sight import Sight, view
from nowcast.store import query, repository, template
from nowcast.store.archive import (
    Archive,
    Placement,
    append,
    open_archive,
    original,
    read_frames,
    read_slots,
    time_of_file,
)
from nowcast.store.forecasts import Forecasts, issued, newest_record, open_forecasts, publish, withhold
from nowcast.store.newest import newest
from nowcast.store.query import Reader

YOUNG, OLD = 50, 20_006
"""Slots, at the same minute of the hour; the old one lies in the fifth chunk of the states."""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The keys that Zarr asks the stores for, or puts there."""
    keys: list[str] = []
    with monkeypatch.context() as patched:
        for name in ("get", "set"):
            real = getattr(IcechunkStore, name)

            async def noted(self: Any, key: str, *args: Any, real: Any = real, **kwargs: Any) -> Any:
                keys.append(key)
                return await real(self, key, *args, **kwargs)

            patched.setattr(IcechunkStore, name, noted)
        yield keys


class Region:
    """An archive and nowcasts that have come to a slot."""

    def __init__(self, folder: Path, slot: int) -> None:
        self.archive: Archive = archive_in(folder)
        self.forecasts: Forecasts = forecasts_in(folder)
        for k in range(slot - 5, slot):
            append(self.archive, [scan(k, k % 7 + 1.0)], file_id(k % 200), NOW)
            publish(self.forecasts, nowcast(k), NOW)
        self.slot = slot


WORK: dict[str, Callable[[Region], object]] = {
    "append": lambda at: append(at.archive, [scan(at.slot)], file_id(1), NOW),
    "publish": lambda at: publish(at.forecasts, nowcast(at.slot), NOW),
    "withhold": lambda at: withhold(at.forecasts, nowcast(at.slot).init_time, "no", NOW),
    "due": lambda at: due(at.archive, at.forecasts),
    "newest record": lambda at: newest_record(at.forecasts),
    "view": lambda at: view(Sight(), at.archive, at.slot - 1),
    "file by its time": lambda at: time_of_file(at.archive, file_id(9), scan(at.slot).nominal_time),
    "original": lambda at: original(at.archive, at.slot - 1),
    "newest nowcast": lambda at: query.latest(reader(at.forecasts)),
    "newest scan": lambda at: query.newest_scan(reader(at.archive), scan(at.slot).nominal_time),
    "slots": lambda at: query.slots(
        reader(at.archive).dataset, scan(at.slot - 3).nominal_time, scan(at.slot).nominal_time
    ),
}


def reader(store: Archive | Forecasts) -> Reader:
    return Reader(store.location)


@pytest.mark.parametrize("name", WORK)
def test_as_many_keys_are_asked_for(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for slot in (YOUNG, OLD):
        at = Region(tmp_path / str(slot), slot)
        with counted(monkeypatch) as keys:
            WORK[name](at)
        counts.append(sorted(key.partition("/c/")[0] for key in keys))
    assert counts[0]
    assert counts[0] == counts[1]


def test_the_newest_of_a_kind_is_found_across_chunks() -> None:
    """The only 1 lies at slot 3, three chunks of 4096 before the end; 2 at 9000."""
    status = np.zeros(12_500, np.uint8)
    status[3], status[9000] = 1, 2
    assert [newest(status, kinds) for kinds in ((1,), (2,), (1, 2), (3,))] == [3, 9000, 9000, None]
    assert [newest(status, (1, 2), start=start) for start in (9000, 9001, 8000)] == [9000, None, 9000]
    assert [newest(status, (1, 2), stop) for stop in (9001, 9000, 4, 3, 99_999)] == [9000, 3, 3, None, 9000]


def test_slots_are_read_in_part(tmp_path: Path) -> None:
    """Slots 2, 5 and 6 are observed."""
    archive = archive_in(tmp_path)
    for slot in (2, 5, 6):
        append(archive, [scan(slot, slot)], file_id(slot), NOW)
    found = [read_slots(archive, first, last).observed.tolist() for first, last in ((0, 9), (3, None), (3, 5), (-9, 1))]
    assert found == [[2, 5, 6], [5, 6], [5], []]


def test_a_file_is_looked_for_between_two_times(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    append(archive, [scan(4)], file_id(4), NOW)
    axis = Timeline(START, archive.timeline.cadence)
    between = [(4, 4), (3, 5), (5, 9), (-9, 3)]
    times = [time_of_file(archive, file_id(4), axis.time(first), axis.time(last)) for first, last in between]
    assert times == [axis.time(4), axis.time(4), None, None]


def test_a_store_with_the_chunks_of_an_earlier_version_is_read_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4096 digests to a chunk, 512 slots to a manifest, and larger chunks within manifests."""
    with monkeypatch.context() as earlier:
        earlier.setattr(template, "DETAIL_BLOCK", 4096)
        earlier.setattr(repository, "MANIFEST_SLOTS", 512)
        earlier.setattr(repository, "INLINE_BYTES", 512)
        before = Region(tmp_path, YOUNG)
    archive, forecasts = open_archive(before.archive.location), open_forecasts(before.forecasts.location)
    assert append(archive, [scan(YOUNG, 9.0)], file_id(YOUNG), NOW) == [Placement.STORED]
    assert publish(forecasts, nowcast(YOUNG), NOW)
    assert read_slots(archive).observed.tolist() == [45, 46, 47, 48, 49, 50]
    assert list(issued(forecasts)) == [45, 46, 47, 48, 49, 50]
    assert time_of_file(archive, file_id(45)) == scan(45).nominal_time
    assert read_frames(archive, 49, 50).rain_rate[:, 1, 1].tolist() == [1.0, 9.0]
