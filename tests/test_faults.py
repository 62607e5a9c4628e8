"""The short form of `make faults`: every kind of fault in synthetic storms; the outage; the judge and the report."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from faults import guarantees, outage
from faults.campaign import EVENTS, inject
from faults.case import Case, stretches
from faults.judge import judge
from faults.kinds import KINDS, WITHOUT, arrives, file_for
from faults.report import report, upper
from nowcast.ingest import ingest, intake
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import files_in
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import open_archive, read_slots
from nowcast.store.quarantine import refusals

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven scans of a storm on 256 km, as ODIM HDF5."""
    folder = tmp_path_factory.mktemp("storm")
    for scan in Storm(START, seed=3, cells=6).scans(7):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return folder


@pytest.fixture(scope="module")
def cases(storm: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return list(stretches("storm", files_in(storm), 2, tmp_path_factory.mktemp("cases")))


@pytest.fixture(scope="module")
def verdicts(cases: list[Case]) -> list[dict]:
    return [asdict(verdict) for seed, case in enumerate(cases) for verdict in inject(case, seed)]


def test_no_fault_is_missed_and_nothing_wrong_published(verdicts: list[dict]) -> None:
    assert {one["kind"] for one in verdicts} == set(KINDS)
    assert len(verdicts) >= 40
    assert [one for one in verdicts if one["wrong"] or not one["detected"] or one["false_alarms"]] == []


def test_a_faulty_scan_that_gets_through_is_a_wrong_publication(cases: list[Case]) -> None:
    """The rain is half as strong again as it was: no rule asks for that to be seen, and the judge sees what it does."""
    case = cases[0]
    stronger = case.target.rain_rate * np.float32(1.5)
    polls = arrives(case, file_for(case, replace(case.target, values=stronger, identity=b"")), 1)
    kind = replace(KINDS["clutter"], expected=WITHOUT)
    verdict = judge(case, "clutter", kind, 0, polls, case.play("through", polls))
    assert not verdict.detected
    assert any("uses the faulty scan" in why for why in verdict.wrong)
    assert any("should not be" in why for why in verdict.wrong)
    assert any("not that of the clean replay" in why for why in verdict.wrong)


def test_after_six_hours_the_newest_scan_is_forecast_from_first_and_the_archive_becomes_whole(tmp_path: Path) -> None:
    """72 scans wait and two more come meanwhile: a nowcast from the last of the 72 and one from each of the two."""
    few = list(Storm(START.replace(hour=0), size=48, cells=2).scans(12))
    scans = [replace(few[k % 12], nominal_time=few[0].nominal_time + k * FIVE, identity=b"") for k in range(79)]
    found = outage.follow(scans, tmp_path / "outage", "persistence")
    assert (found["files"], found["nowcasts"]) == (74, 3)
    assert found["gaps"] == 0
    assert 0 < found["seconds_to_current_forecast"] < found["seconds_to_whole_archive"]


def test_a_name_that_says_another_time_than_its_content_is_refused_only_where_names_are_known_to_tell(
    tmp_path: Path,
) -> None:
    """The names of this feed are two hours ahead, which its first file shows; the third file is a cadence off."""
    where = intake(Region(name="here"), Settings(store=str(tmp_path / "store")))
    scans = list(Storm(START, size=48, cells=2).scans(4))
    feed = tmp_path / "feed"
    feed.mkdir()
    named = [feed / f"{scan.nominal_time + timedelta(hours=2):%Y%m%d%H%M}.h5" for scan in scans]
    content = [scans[0], scans[1], replace(scans[2], nominal_time=scans[3].nominal_time, identity=b""), scans[3]]
    for path, scan in zip(named, content, strict=True):
        write(scan, path)
        ingest(where, path, START + timedelta(days=1))
    (refusal,) = refusals(where.quarantine)
    assert refusal.file == named[2].name
    assert "after the one in its name" in refusal.reason
    assert read_slots(open_archive(where.archive_location)).observed.tolist() == [144, 145, 147]


def test_upper_limits_are_those_of_clopper_and_pearson() -> None:
    """None of 1000: 1 - 0.05 ** (1 / 1000) is 0.002991, by the rule of three 0.003. One of 10: 0.394."""
    assert upper(0, 1000) == pytest.approx(0.002991, rel=1e-3)
    assert upper(1, 10) == pytest.approx(0.394, abs=1e-3)
    assert upper(3, 3) == 1.0


def test_the_table_is_written_between_its_marks_from_the_report_alone(verdicts: list[dict], tmp_path: Path) -> None:
    clean = {"events": 2, "scans": 900, "false_alarms": 0, "masked_scans": 1, "lonely_pixels_masked": 2}
    back = {
        "files": 74,
        "gaps": 0,
        "seconds_to_current_forecast": 9.0,
        "seconds_to_whole_archive": 60.0,
        "seconds_from_newer_scan_to_its_forecast": 4.0,
    }
    found, page = report(verdicts, clean, back, 1, EVENTS), tmp_path / "page.md"
    page.write_text(f"above\n{guarantees.BEGIN}\nold\n{guarantees.END}\nbelow\n")
    guarantees.write(found, page)
    guarantees.write(found, page)
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("above", "below")
    assert "old" not in lines
    assert len([line for line in lines if line.startswith("| ")]) == len(KINDS) + 2
    assert any("0 of 900 real scans" in line and "0.33%" in line for line in lines)
    page.write_text("no marks")
    with pytest.raises(ValueError, match="lacks"):
        guarantees.write(found, page)
