"""Decoding in a child: what kills it costs one file, and good files come back as they would without it."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from radar import RADAR, needs_radar, sample

from nowcast import ingest as ingesting
from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.ingest import Outcome, ingest, intake
from nowcast.settings import Region, Settings
from nowcast.sources import BadScan, odim_hdf5, sandbox
from nowcast.sources import decode as decode_here
from nowcast.sources.limits import MIB, Limits
from nowcast.sources.sandbox import DecoderUnavailable, decode
from nowcast.store.quarantine import refusals

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LIMITS = Limits(wall_s=20.0, cpu_s=10, memory=1024 * MIB, output=8 * MIB)
HASTY = replace(LIMITS, wall_s=1.0)
FRUGAL = replace(LIMITS, cpu_s=1)
DEADLY = ("deadly_formats",)
EACH = (
    *("fmi-pgm", "fmi-geotiff", "mch-gif", "bom", "knmi-rap", "opera-2018", "mrms", "radolan-yw", "meteonet-rain"),
    *("opera-acrr", "knmi-pcp"),
)


@pytest.fixture(autouse=True, scope="module")
def no_child_is_left() -> Iterator[None]:
    yield
    sandbox.close_all()


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a deadly file."""

    def write(deed: str) -> Path:
        path = tmp_path / f"{deed.split()[0]}.bin"
        path.write_text(f"DEADLY {deed} ")
        return path

    return write


def refused(path: Path, limits: Limits = LIMITS) -> str:
    """Why a file is refused, naming it."""
    with pytest.raises(BadScan) as caught:
        decode(path, limits, DEADLY)
    assert caught.value.name == path.name
    return caught.value.reason


def answer(path: Path, limits: Limits = LIMITS) -> str:
    """What the reader of a deadly file found out."""
    (scan,) = decode(path, limits, DEADLY)
    return scan.product.strip()


def composite(path: Path, size: int) -> Path:
    """An ODIM file of 20:00 with size x size pixels of 1 mm/h."""
    values = np.ones((size, size), np.float32)
    grid = Grid("EPSG:3067", 2e5, 7e6, 1e3, 1e3, size, size)
    time = datetime(2020, 1, 1, 20, tzinfo=UTC)
    odim_hdf5.write(Scan("test", "lowest", time, "rain_rate", values, values > 0, grid), path)
    return path


@needs_radar
@pytest.mark.parametrize("name", EACH)
def test_real_files_decode_the_same_as_in_this_process(name: str) -> None:
    ours, theirs = decode_here(sample(name)), decode(sample(name))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.coverage, other.coverage)
        assert one.scan_id == other.scan_id
        for name in ("source", "product", "nominal_time", "quantity", "grid", "zr", "interval", "identity"):
            assert getattr(one, name) == getattr(other, name)


@needs_radar
def test_a_bad_file_is_refused_with_the_same_words() -> None:
    path = RADAR / "extras/RAD_NL25_RAC_FM_202412222055.h5"
    with pytest.raises(BadScan, match=r"RAD_NL25_RAC_FM_202412222055.h5: holds several images: a forecast"):
        decode(path)


def test_a_reader_that_sleeps(file: Callable[[str], Path]) -> None:
    assert refused(file("sleep 60"), HASTY) == "decoding took more than 1 s"


def test_a_reader_that_computes_forever(file: Callable[[str], Path]) -> None:
    assert refused(file("spin"), FRUGAL) == "decoding took more than 1 s of CPU time"


def test_a_reader_that_takes_page_after_page(file: Callable[[str], Path]) -> None:
    assert "MemoryError" in refused(file("hoard"))


def test_a_reader_that_asks_for_a_terabyte(file: Callable[[str], Path]) -> None:
    assert "MemoryError" in refused(file(f"allocate {1 << 37}"))


def test_a_reader_that_crashes(file: Callable[[str], Path]) -> None:
    assert refused(file("segfault")) == "decoder died of signal 11"


def test_a_reader_that_ends_the_process(file: Callable[[str], Path]) -> None:
    assert refused(file("exit 3")) == "decoder ended with status 3"


def test_a_reader_that_never_stops_giving_scans(file: Callable[[str], Path]) -> None:
    """An 8 x 8 scan is 256 bytes: 64 of them fit into 16 KiB."""
    assert refused(file("flood"), replace(LIMITS, output=1 << 14)) == "decodes to more than 0.015625 MiB"


def test_more_scans_than_any_file_has(file: Callable[[str], Path]) -> None:
    assert refused(file("flood")) == "more than 4096 scans"


def test_a_child_killed_from_outside_is_given_a_second_chance(file: Callable[[str], Path], tmp_path: Path) -> None:
    assert answer(file(f"die-once {tmp_path / 'flag'}")) == "second try"


def test_a_child_killed_in_the_middle_of_a_file(file: Callable[[str], Path]) -> None:
    decoder = sandbox.start(LIMITS, DEADLY)
    killer = threading.Timer(0.2, decoder.child.kill)
    killer.start()
    with pytest.raises(sandbox._Lost, match="decoder died of signal 9"):
        decoder.scans(file("sleep 60"))
    killer.join()
    decoder.close()


def test_a_child_is_used_again_until_it_fails(file: Callable[[str], Path]) -> None:
    first = answer(file("pid"))
    assert answer(file("pid")) == first
    refused(file("segfault"))
    second = answer(file("pid"))
    assert second != first
    assert answer(file("pid")) == second


def test_a_child_stays_after_a_bad_file(file: Callable[[str], Path], tmp_path: Path) -> None:
    before = answer(file("pid"))
    (tmp_path / "text").write_text("<html>503</html>")
    assert refused(tmp_path / "text") == "content is of no known radar format"
    assert answer(file("pid")) == before


def test_an_idle_child_that_died_is_replaced(file: Callable[[str], Path]) -> None:
    before = answer(file("pid"))
    os.kill(int(before), 9)
    assert answer(file("pid")) != before


def test_a_child_is_retired_after_some_files(file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "FILES_EACH", 2)
    sandbox.close_all()
    assert len({answer(file("pid")) for _ in range(4)}) == 2


def test_threads_have_a_child_each(file: Callable[[str], Path]) -> None:
    slow = threading.Thread(target=lambda: decode(file("sleep 1"), LIMITS, DEADLY))
    slow.start()
    time.sleep(0.2)
    answer(file("pid"))
    assert slow.is_alive()
    slow.join()


def test_a_fork_leaves_the_children_to_the_process_that_made_them(file: Callable[[str], Path]) -> None:
    before = answer(file("pid"))
    if (pid := os.fork()) == 0:
        os._exit(len(sandbox._idle))
    assert os.waitpid(pid, 0)[1] == 0
    assert answer(file("pid")) == before


def test_a_child_has_no_environment_and_writes_nothing(
    file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "AWS" not in answer(file("environment"))
    assert answer(file(f"write {tmp_path / 'written'}")) == "OSError"


def test_a_child_has_no_plug_ins_and_no_driver_that_follows_names(file: Callable[[str], Path]) -> None:
    assert answer(file("drivers")) == "[] 0"


def test_a_file_that_cannot_be_read_is_not_bad(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone.h5"):
        decode(tmp_path / "gone.h5")


def test_no_child_can_be_started(tmp_path: Path) -> None:
    """No file is quarantined for it; the last line of what was said is given."""
    with pytest.raises(DecoderUnavailable, match="No module named 'nowhere_at_all'"):
        decode(composite(tmp_path / "good.h5", 4), LIMITS, ("nowhere_at_all",))


def test_limits_must_be_positive() -> None:
    with pytest.raises(ValueError, match="cpu_s must be positive, not 0"):
        Limits(cpu_s=0)


def test_settings_have_the_same_defaults() -> None:
    assert intake(Region(name="here"), Settings()).limits == Limits()


def test_settings_reach_the_decoder(tmp_path: Path) -> None:
    where = intake(Region(name="here"), Settings(store=str(tmp_path / "store"), decode_output_mib=1))
    result = ingest(where, composite(tmp_path / "large.h5", 600), NOW)
    assert (result.outcome, result.reason) == (Outcome.QUARANTINED, "decodes to more than 1 MiB")


def test_ingest_quarantines_what_kills_its_decoder_and_goes_on(
    file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingesting, "decode", partial(decode, modules=DEADLY))
    where = replace(intake(Region(name="here"), Settings(store=str(tmp_path / "store"))), limits=HASTY)
    results = [ingest(where, path, NOW) for path in (file("segfault"), file("sleep 60"), file("exit 1"))]
    assert [result.outcome for result in results] == [Outcome.QUARANTINED] * 3
    reasons = ["decoder died of signal 11", "decoding took more than 1 s", "decoder ended with status 1"]
    assert [result.reason for result in results] == reasons
    assert {refusal.reason for refusal in refusals(where.quarantine)} == set(reasons)
    assert ingest(where, composite(tmp_path / "good.h5", 40), NOW).outcome is Outcome.STORED
    assert ingest(where, file("segfault"), NOW).outcome is Outcome.DUPLICATE
