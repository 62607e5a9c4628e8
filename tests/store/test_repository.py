"""Where stores lie, and that committers wait for each other."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fakes import NOW, archive_in, file_id, scan

from nowcast.store import repository
from nowcast.store.archive import append, open_archive, read_slots
from nowcast.store.repository import S3, Location, StoreNotFound


def test_a_child_is_one_level_down() -> None:
    assert Location("s3://bucket/prefix/").child("here").url == "s3://bucket/prefix/here"
    assert Location("store").child("here") == Location("store/here")


def test_arrow_is_told_the_whole_path_and_how_to_reach_a_bucket(tmp_path: Path) -> None:
    assert Location(str(tmp_path)).arrow_url() == str(tmp_path)
    assert Location("s3://bucket/here").arrow_url() == "s3://bucket/here"
    elsewhere = Location("s3://bucket/here", S3("http://objects:8333", "north"))
    assert elsewhere.arrow_url() == "s3://bucket/here?scheme=http&endpoint_override=objects%3A8333&region=north"


def test_unknown_schemes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ftp://host/x.*neither a folder nor an s3"):
        Location("ftp://host/x").storage()


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match="nowhere"):
        open_archive(Location(str(tmp_path / "nowhere")))


def test_waiting_for_another_committer_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = archive_in(tmp_path)
    monkeypatch.setattr(repository, "LOCK_TIMEOUT_S", 0.1)
    with archive.location.lock(), pytest.raises(TimeoutError, match=r"archive\.lock"):
        append(archive, [scan(0)], file_id(0), NOW)


def test_two_committers_lose_nothing(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    script = f"""
        import sys
        from fakes import NOW, file_id, scan
        from nowcast.store.archive import append, open_archive
        from nowcast.store.repository import Location
        archive = open_archive(Location({archive.location.url!r}))
        for slot in range(int(sys.argv[1]), 12, 2):
            append(archive, [scan(slot)], file_id(slot), NOW)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    both = [subprocess.Popen([*command, first], cwd=Path(__file__).parents[1]) for first in ("0", "1")]
    assert [process.wait() for process in both] == [0, 0]
    assert read_slots(archive).observed.tolist() == list(range(12))
