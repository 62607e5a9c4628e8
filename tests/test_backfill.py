"""Backfilling leaves what one-by-one ingest leaves: scans, reasons, quarantine. It commits less often, and goes on when
killed."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil
import pytest
from distributed import LocalCluster
from filelock import FileLock
from radar import RADAR, needs_radar
from typer.testing import CliRunner

from nowcast.backfill import Engine, backfill, engine
from nowcast.cli import app
from nowcast.core import crashpoints
from nowcast.core.scan import Scan
from nowcast.ingest import Ingested, Intake, Outcome, ingest, intake
from nowcast.settings import Box, Region, Settings
from nowcast.sources.feeds import files_in
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store import repository
from nowcast.store.archive import open_archive
from nowcast.store.quarantine import refusals
from nowcast.store.repository import array

NOW = datetime(2026, 6, 2, tzinfo=UTC)
STORM = Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=64, cells=3)
EVENTS = {
    "fmi-pgm/20160928": 8,
    "mch-gif/20160711": 5,
    "bom-rf3/66-mtstapl-20201031": 5,
    "knmi-rap/20100826": 5,
    "knmi-pcp/20210208": 8,
    "opera/20180824": 3,
    "opera/20241126-one-frame-each": 3,
    "dwd-radolan/ry-20200101-nearly-dry": 5,
    "mrms/20190610": 2,
}
"""Folder of real files -> how many of them."""


class Dead(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.fixture(scope="module")
def threads() -> Iterator[Engine]:
    with engine("threads", 2) as decode:
        yield decode


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """10 scans, of which the 4th is cut off and the 6th and 8th are late; a copy of the 2nd, another scan for the slot
    of the 3rd, and a page of HTML."""
    folder = tmp_path / "scans"
    folder.mkdir()
    made = list(STORM.scans(11))
    paths = [written(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5") for scan in made[:10]]
    paths[3].write_bytes(paths[3].read_bytes()[:2000])
    late = [paths.pop(7), paths.pop(5)]
    other = written(replace(made[10], nominal_time=made[2].nominal_time), folder / "other.h5")
    copy, page = Path(shutil.copy(paths[1], folder / "copy.h5")), folder / "page.h5"
    page.write_text("<html>502 Bad Gateway</html>")
    return [*paths[:5], copy, *late, other, page, *paths[5:]]


def written(scan: Scan, path: Path) -> Path:
    write(scan, path)
    return path


def region(folder: Path, name: str, box: Box | None = None) -> Intake:
    return intake(Region(name=name, box=box), Settings(store=str(folder / "store")))


def one_by_one(where: Intake, paths: list[Path]) -> list[Ingested]:
    return [ingest(where, path, NOW) for path in paths]


def filled(where: Intake, paths: list[Path], decode: Engine, batch: int = 4) -> list[Ingested]:
    told: list[Ingested] = []
    backfill(where, paths, NOW, decode, told.append, batch)
    return told


def content(where: Intake) -> dict[str, bytes]:
    """Every array of an archive, fields where there is a scan."""
    group = open_archive(where.archive_location).group
    slots = [int(slot) for slot in np.flatnonzero(np.asarray(array(group, "status")[:]))]
    found = {}
    for name in group.array_keys():
        held = array(group, name)
        parts = [held[slot] for slot in slots] if held.ndim == 3 else [held[...]]
        found[name] = b"".join(np.asarray(part).tobytes() for part in parts)
    return found


def commits(where: Intake) -> int:
    """How often the archive was written to since its layout."""
    opened = repository.open_existing(where.archive_location)
    return sum("layout" not in one.message and one.parent_id is not None for one in opened.ancestry(branch="main"))


def assert_same(where: Intake, other: Intake) -> None:
    """Same arrays to the bit, same layout, same files refused for the same reasons."""
    mine, theirs = content(where), content(other)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if mine[name] != theirs[name]] == []
    groups = [open_archive(one.archive_location).group for one in (where, other)]
    assert dict(groups[0].attrs) == dict(groups[1].attrs)
    refused = [sorted((r.file, r.file_id, r.reason) for r in refusals(one.quarantine)) for one in (where, other)]
    assert refused[0] == refused[1]


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_a_backfilled_archive_is_that_of_one_by_one_ingest(
    tmp_path: Path, scans: list[Path], threads: Engine, batch: int
) -> None:
    plain, quick = region(tmp_path, "plain"), region(tmp_path, "quick")
    expected, found = one_by_one(plain, scans), filled(quick, scans, threads, batch)
    assert found == expected
    counted = Counter(one.outcome.value for one in found)
    assert counted == {"stored": 7, "late": 2, "quarantined": 3, "duplicate": 1}
    assert_same(quick, plain)


def test_a_batch_is_one_commit(tmp_path: Path, threads: Engine) -> None:
    paths = [written(scan, tmp_path / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5") for scan in STORM.scans(8)]
    where = region(tmp_path, "here")
    filled(where, paths, threads, batch=3)
    assert commits(where) == 3


@needs_radar
@pytest.mark.parametrize("event", EVENTS)
def test_real_events_of_every_centre_become_the_same_archive(tmp_path: Path, event: str, threads: Engine) -> None:
    """The frames of OPERA are of three products on two grids: two are refused."""
    paths = files_in(RADAR / event)[: EVENTS[event]]
    box = Box(south=29, west=-100, north=36, east=-90) if event.startswith("mrms") else None
    plain, quick = region(tmp_path, "plain", box), region(tmp_path, "quick", box)
    found = filled(quick, paths, threads)
    assert found == one_by_one(plain, paths)
    assert Outcome.STORED in {one.outcome for one in found}
    assert_same(quick, plain)


@needs_radar
def test_a_file_of_many_scans_is_one_file_of_a_batch(tmp_path: Path, threads: Engine) -> None:
    """MeteoNet packs days together."""
    paths = sorted((RADAR / "meteonet" / "2016_08.3").glob("rainfall_NW*"))
    plain, quick = region(tmp_path, "plain"), region(tmp_path, "quick")
    assert filled(quick, paths, threads) == one_by_one(plain, paths)
    assert_same(quick, plain)


@pytest.mark.parametrize("scheduler", ["sync", "processes", "address"])
def test_every_engine_leads_to_the_same_archive(tmp_path: Path, scans: list[Path], scheduler: str) -> None:
    plain, quick = region(tmp_path, "plain"), region(tmp_path, "quick")
    with ExitStack() as stack:
        if scheduler == "address":
            cluster = stack.enter_context(
                LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0")
            )
            scheduler = cluster.scheduler_address
        found = filled(quick, scans, stack.enter_context(engine(scheduler, 1)))
    assert found == one_by_one(plain, scans)
    assert_same(quick, plain)


@pytest.mark.parametrize("point", ["archive.scan.half", "repository.commit.before", "repository.commit.after"])
def test_a_backfill_that_is_killed_goes_on_where_it_ended(
    tmp_path: Path, scans: list[Path], threads: Engine, point: str
) -> None:
    """Killed in its second batch: the first is in the archive and is not decoded again."""
    plain, quick = region(tmp_path, "plain"), region(tmp_path, "quick")
    one_by_one(plain, scans)
    filled(quick, scans[:3], threads)

    def strike() -> None:
        raise Dead

    crashpoints.arm(point, strike)
    try:
        with pytest.raises(Dead):
            filled(quick, scans, threads)
    finally:
        crashpoints.disarm()
    looked: list[Path] = []

    def spying(examine, jobs):
        for path, file_id in jobs:
            looked.append(path)
            yield examine(path, file_id)

    filled(quick, scans, spying)
    assert not set(scans[:3]) & set(looked)
    assert (scans[4] in looked) == (point != "repository.commit.after")
    assert_same(quick, plain)


def test_a_second_backfill_decodes_and_commits_nothing(tmp_path: Path, scans: list[Path], threads: Engine) -> None:
    where = region(tmp_path, "here")
    filled(where, scans, threads)
    before = repository.snapshot_id(open_archive(where.archive_location).repository)

    def nothing(examine, jobs):
        assert list(jobs) == []
        return iter(())

    assert {one.outcome for one in filled(where, scans, nothing)} == {Outcome.DUPLICATE}
    assert repository.snapshot_id(open_archive(where.archive_location).repository) == before


def test_no_batch_is_written_while_another_process_commits(
    tmp_path: Path, scans: list[Path], threads: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "LOCK_TIMEOUT_S", 0.1)
    where = region(tmp_path, "here")
    filled(where, scans[:2], threads)
    before = content(where)
    with FileLock(f"{where.archive_location.url}.lock"), pytest.raises(TimeoutError, match="another process holds"):
        filled(where, scans, threads)
    assert content(where) == before
    assert refusals(where.quarantine) == []


def test_no_more_files_are_decoded_ahead_than_the_workers_may(tmp_path: Path, scans: list[Path]) -> None:
    """2 workers: 4 files, while none of what they found is taken."""
    asked: list[int] = []

    def jobs() -> Iterator[tuple[Path, bytes]]:
        for number, path in enumerate(scans):
            asked.append(number)
            yield path, bytes([number]) * 32

    with engine("threads", 2) as decode:
        found = decode(lambda path, file_id: file_id[0], jobs())
        assert next(found) == 0
        assert asked == [0, 1, 2, 3, 4]
        assert list(found) == list(range(1, len(scans)))


def listening() -> set[tuple[str, int]]:
    """Addresses and ports that this process and those it started listen on."""
    here = psutil.Process()
    found = [one for process in (here, *here.children(recursive=True)) for one in process.net_connections()]
    return {(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_no_other_machine_can_reach_the_workers(scheduler: str) -> None:
    before = listening()
    with engine(scheduler, 1):
        opened = listening() - before
    assert {address for address, _ in opened} <= {"127.0.0.1", "::1"}


def test_a_folder_of_bad_files_lays_out_no_archive(tmp_path: Path, threads: Engine) -> None:
    paths = [tmp_path / f"page{number}.h5" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text(f"<html>{number}</html>")
    where = region(tmp_path, "here")
    assert [one.outcome for one in filled(where, paths, threads)] == [Outcome.QUARANTINED] * 3
    assert not Path(where.archive_location.url).exists()
    assert len(refusals(where.quarantine)) == 3


def test_a_file_that_cannot_be_read_ends_it_and_leaves_what_was_committed(tmp_path: Path, threads: Engine) -> None:
    paths = [written(scan, tmp_path / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5") for scan in STORM.scans(4)]
    where = region(tmp_path, "here")
    with pytest.raises(FileNotFoundError):
        filled(where, [*paths[:2], tmp_path / "gone.h5", *paths[2:]], threads, batch=1)
    assert [one.outcome.value for one in filled(where, paths, threads)][-1] == "stored"


def test_the_command_counts_what_became_of_the_files(tmp_path: Path, scans: list[Path]) -> None:
    runner = CliRunner(env={"NOWCAST_STORE": str(tmp_path / "store"), "COLUMNS": "200"})
    words = ["backfill", str(scans[0].parent), "--region", "here", "--workers", "2", "--json"]
    first, second = (runner.invoke(app, words, catch_exceptions=False) for _ in range(2))
    assert first.exit_code == second.exit_code == 0
    assert '"files": 13, "stored": 9, "late": 0, "duplicate": 1, "quarantined": 3' in first.stdout
    assert '"stored": 0, "late": 0, "duplicate": 13, "quarantined": 0' in second.stdout
    assert "page.h5: content is of no known radar format" in first.stderr


@pytest.mark.parametrize("scheduler", ["fast", "tcp://127.0.0.1:1"])
def test_a_wrong_scheduler_ends_the_command_with_code_2(
    tmp_path: Path, scans: list[Path], scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        words = ["backfill", str(scans[0].parent), "--region", "here", "--scheduler", scheduler]
        result = CliRunner(env={"NOWCAST_STORE": str(tmp_path)}).invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 2
    assert "error:" in result.stderr


def test_names_that_belie_their_scans_are_found_as_by_ingest(tmp_path: Path, threads: Engine) -> None:
    """The third scan is an hour older than its name says."""
    made = list(STORM.scans(4))
    made[2] = replace(made[2], nominal_time=made[2].nominal_time - timedelta(hours=1))
    times = [scan.nominal_time for scan in STORM.scans(4)]
    paths = [written(one, tmp_path / f"storm_{time:%Y%m%d%H%M}.h5") for one, time in zip(made, times, strict=True)]
    plain, quick = region(tmp_path, "plain"), region(tmp_path, "quick")
    found = filled(quick, paths, threads)
    assert found == one_by_one(plain, paths)
    assert found[2].outcome is Outcome.QUARANTINED
    assert_same(quick, plain)
