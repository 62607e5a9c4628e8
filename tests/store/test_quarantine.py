"""A refused file is kept with its reason."""

from datetime import timedelta
from pathlib import Path

from fakes import NOW, file_id

from nowcast.store.quarantine import is_refused, refusals, refuse


def test_a_refused_file_is_copied_once_with_its_reason(tmp_path: Path) -> None:
    bad, folder = tmp_path / "bad.h5", tmp_path / "quarantine"
    bad.write_bytes(b"damaged")
    assert not is_refused(folder, file_id(0))
    for _ in range(2):
        refuse(folder, bad, file_id(0), "truncated", NOW)
    assert is_refused(folder, file_id(0))
    assert [(r.file, r.reason) for r in refusals(folder)] == [("bad.h5", "truncated")]
    assert [path.read_bytes() for path in folder.iterdir() if path.suffix == ".h5"] == [b"damaged"]
    assert len(list(folder.iterdir())) == 2


def test_refusals_are_listed_oldest_first(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"x")
    for number in (1, 0):
        refuse(tmp_path / "q", bad, file_id(number), f"reason {number}", NOW + timedelta(hours=number))
    assert [refusal.reason for refusal in refusals(tmp_path / "q")] == ["reason 0", "reason 1"]
