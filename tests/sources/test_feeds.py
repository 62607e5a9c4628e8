"""Times in names and the order they give; a folder that fills up, with files still being written; a replay's clock."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nowcast.sources.feeds import Directory, Feed, Replay, files_in, in_time_order, name_at, time_in_name, usual_step

PATHS = [Path(f"2026060112{minute:02d}.h5") for minute in (0, 5, 10, 15)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("201609281445_fmi.radar.composite.lowest_FIN_SUOMI1.pgm.gz", datetime(2016, 9, 28, 14, 45)),
        ("PrecipRate_00.00_20190610-000200.grib2", datetime(2019, 6, 10, 0, 2)),
        ("raa01-yw2017.002_10000-1708160055-dwd---bin.gz", datetime(2017, 8, 16, 0, 55)),
        ("AQC161932045F_00005.801.gif", datetime(2016, 7, 11, 20, 45)),
        ("CPC2335513304_00060.001.h5", datetime(2023, 12, 21, 13, 30)),
        ("66_20201031_001000.prcp-c10.nc", datetime(2020, 10, 31, 0, 10)),
        ("T_PAAH21_C_EUOC_20180824181500.hdf", datetime(2018, 8, 24, 18, 15)),
        ("20260601T1205Z.h5", datetime(2026, 6, 1, 12, 5)),
        ("RAD_NL25_RAP_5min_201008260005.h5", datetime(2010, 8, 26, 0, 5)),
        ("202113011200.h5", None),
        ("rainfall_NW_2016_08.3.npz", None),
        ("readme.txt", None),
        ("", None),
    ],
)
def test_time_in_name(name: str, expected: datetime | None) -> None:
    assert time_in_name(name) == (expected and expected.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("201609282355_fmi.pgm.gz", "201609290000_fmi.pgm.gz"),
        ("Rate_00.00_20160928-235530.grib2", "Rate_00.00_20160929-000030.grib2"),
        ("raa01_10000-1609282355-dwd---bin.gz", "raa01_10000-1609290000-dwd---bin.gz"),
        ("AQC162722355F_00005.801.gif", "AQC162730000F_00005.801.gif"),
        ("readme.txt", "readme.txt"),
    ],
)
def test_a_name_at_another_time(name: str, expected: str) -> None:
    """Five minutes later is 29 September, the 273rd day of 2016; seconds and the rest stay."""
    assert name_at(name, datetime(2016, 9, 29, tzinfo=UTC)) == expected


def test_time_order_is_by_time_then_name_and_files_without_a_time_come_last() -> None:
    """The 193rd day of 2016 is 11 July: neither the folder nor the style of the name counts."""
    names = ["a/readme.txt", "b_201607112050.h5", "a_201607112050.h5", "z/AQC161932045F.gif", "201607112055.h5"]
    ordered = [path.name for path in in_time_order(Path(name) for name in names)]
    assert ordered == ["AQC161932045F.gif", "a_201607112050.h5", "b_201607112050.h5", "201607112055.h5", "readme.txt"]


@pytest.mark.parametrize(
    ("minutes", "step"),
    [
        ([0, 5, 10, 15], 5),
        ([15, 0, 10, 5, 5], 5),
        ([0, 5, 10, 40, 45], 5),
        ([0, 10, 15], 5),
        ([0, 30, 60, 65], 30),
        ([0, 7], 7),
    ],
)
def test_usual_step_is_the_most_common_and_the_shortest_of_equals(minutes: list[int], step: int) -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    assert usual_step(start + timedelta(minutes=m) for m in minutes) == timedelta(minutes=step)


def test_one_time_or_none_has_no_step() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    assert usual_step([]) is None
    assert usual_step([start]) is None
    assert usual_step([start, start]) is None


def written(path: Path, content: str = "scan", age_s: float = 60.0) -> Path:
    """A file last changed `age_s` ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    changed = time.time() - age_s
    os.utime(path, (changed, changed))
    return path


class TestFilesIn:
    def test_all_files_below_that_are_not_hidden(self, tmp_path: Path) -> None:
        later = written(tmp_path / "202606011205.h5")
        earlier = written(tmp_path / "day" / "202606011200.h5")
        written(tmp_path / ".202606011210.h5.part")
        assert files_in(tmp_path) == [earlier, later]

    def test_pattern(self, tmp_path: Path) -> None:
        wanted = written(tmp_path / "a.h5")
        written(tmp_path / "a.txt")
        assert files_in(tmp_path, "*.h5") == [wanted]

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="nowhere is not a folder"):
            files_in(tmp_path / "nowhere")


class TestDirectory:
    def test_is_a_feed_without_end(self, tmp_path: Path) -> None:
        feed = Directory(tmp_path)
        assert isinstance(feed, Feed)
        assert feed.poll() == []
        assert not feed.exhausted

    def test_each_file_once_in_time_order(self, tmp_path: Path) -> None:
        paths = [written(tmp_path / f"2026060112{minute:02d}.h5") for minute in (10, 0, 5)]
        feed = Directory(tmp_path)
        assert feed.poll() == sorted(paths)
        assert feed.poll() == []
        new = written(tmp_path / "202606011155.h5")
        assert feed.poll() == [new]

    def test_a_file_waits_until_it_has_settled(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.h5", age_s=1.0)
        feed = Directory(tmp_path, settle_s=60.0)
        assert feed.poll() == []
        written(path, age_s=61.0)
        assert feed.poll() == [path]

    def test_a_file_that_is_written_anew_is_handed_out_again(self, tmp_path: Path) -> None:
        path, other = written(tmp_path / "a.h5", "half"), written(tmp_path / "b.h5")
        feed = Directory(tmp_path)
        assert feed.poll() == [path, other]
        written(path, "half and half")
        assert feed.poll() == [path]
        written(path, "HALF AND HALF", age_s=30.0)
        assert feed.poll() == [path]

    def test_only_files_of_the_pattern(self, tmp_path: Path) -> None:
        wanted = written(tmp_path / "a.h5")
        written(tmp_path / "a.txt")
        assert Directory(tmp_path, "*.h5").poll() == [wanted]

    def test_a_file_that_is_gone_before_it_is_handed_out_is_passed_over(self, tmp_path: Path) -> None:
        """Writers rename: a name that was listed may no longer be there a moment later."""
        written(tmp_path / "a.h5")
        assert Directory(Fleeting(tmp_path)).poll() == []


class Fleeting(type(Path())):  # type: ignore[misc]
    """A folder whose files are gone once they were listed."""

    def rglob(self, pattern: str) -> Iterator[Path]:
        for path in Path(self).rglob(pattern):
            path.unlink()
            yield path


class TestReplay:
    def test_without_a_speed_one_by_one(self) -> None:
        feed = Replay(PATHS)
        assert isinstance(feed, Feed)
        assert [feed.poll() for _ in range(4)] == [[path] for path in PATHS]
        assert feed.exhausted
        assert feed.poll() == []

    def test_no_files_are_exhausted_at_once(self) -> None:
        assert Replay([]).exhausted

    def test_an_hour_in_a_minute(self) -> None:
        """At speed 60 a scan of 5 minutes comes every 5 s; after 6 s the first two are due, after 16 s all."""
        feed = Replay(PATHS, speed=60.0)
        assert feed.poll() == PATHS[:1]
        feed._began = time.monotonic() - 6.0
        assert feed.poll() == PATHS[1:2]
        assert feed.poll() == []
        assert not feed.exhausted
        feed._began = time.monotonic() - 16.0
        assert feed.poll() == PATHS[2:]
        assert feed.exhausted

    def test_a_file_without_a_time_is_always_due(self) -> None:
        paths = [PATHS[0], Path("unknown.h5"), PATHS[3]]
        assert Replay(paths, speed=1.0).poll() == paths[:2]
