"""Which nowcasts are issued, from which scans, and that no number depends on the order in which scans came."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from nowcast.core.scan import Nowcast, Scan
from nowcast.desk import Desk, desk
from nowcast.ingest import Outcome, ingest, intake
from nowcast.issue import issue_due
from nowcast.settings import Region, Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import open_archive, scan_ids
from nowcast.store.forecasts import issued, open_forecasts, read_rain_rate

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
STORM = Storm(START, size=64, cells=3)
SCANS = list(STORM.scans(8))


class Office:
    """A region with its store: takes scans, in whichever order, and keeps the nowcasts made, by scan number."""

    def __init__(self, folder: Path, model: str = "advection", name: str = "here") -> None:
        self.folder, self.settings = folder, Settings(store=str(folder / "store"), device="cpu")
        self.region = Region(name=name, cadence=5, leads=3, thresholds=(1.0,), model=model)
        self.desk: Desk = desk(self.region, self.settings)

    def take(self, scan: Scan) -> Outcome:
        """Ingest a scan."""
        path = self.folder / f"{scan.nominal_time:%Y%m%d%H%M}.h5"
        write(scan, path)
        return ingest(intake(self.region, self.settings), path, START + timedelta(days=1)).outcome

    def issue(self, minutes_late: int = 1) -> list[Nowcast]:
        """Issue what is due some minutes after the last scan of SCANS."""
        return issue_due(self.desk, SCANS[-1].nominal_time + timedelta(minutes=minutes_late))

    def follow(self, scans: Iterable[Scan]) -> list[Nowcast]:
        """Take scans one by one, and issue after each."""
        made = []
        for scan in scans:
            self.take(scan)
            made += self.issue()
        return made


def number(nowcast: Nowcast) -> int:
    """Which of the SCANS a nowcast starts from."""
    return (nowcast.init_time - START) // STORM.cadence


def same(one: Nowcast, other: Nowcast) -> bool:
    """Whether two nowcasts agree in every number and in the scans used."""
    fields = ((one.rain_rate, other.rain_rate), (one.probability[1.0], other.probability[1.0]))
    return one.scan_ids == other.scan_ids and all(np.array_equal(*pair, equal_nan=True) for pair in fields)


def uniform(number: int, rate: float) -> Scan:
    """A scan of the same rain rate everywhere, all covered."""
    values = np.full(STORM.grid.shape, rate, np.float32)
    time = START + number * STORM.cadence
    return Scan("t", "t", time, "rain_rate", values, np.ones(STORM.grid.shape, bool), STORM.grid)


@pytest.fixture(scope="module", params=["persistence", "advection", "default"])
def model(request: pytest.FixtureRequest) -> str:
    """Each method in turn."""
    return request.param


@pytest.fixture(scope="module")
def calm(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Nowcast]:
    """The nowcasts, by scan number, of scans 0 .. 5 that came one by one and in order."""
    made = Office(tmp_path_factory.mktemp("calm"), model).follow(SCANS[:6])
    return {number(nowcast): nowcast for nowcast in made}


def test_dry_scans_give_a_dry_nowcast_and_not_a_missing_one(model: str, tmp_path: Path) -> None:
    made = Office(tmp_path, model).follow(uniform(k, 0.0) for k in range(3))
    assert [number(nowcast) for nowcast in made][-2:] == [1, 2]
    for nowcast in made:
        assert (nowcast.rain_rate == 0).all()
        assert (nowcast.probability[1.0] < 0.005).all()
        assert (nowcast.quantile[0.9] == 0).all()


def test_only_scans_up_to_the_initial_time_are_used(model: str, calm: dict[int, Nowcast], tmp_path: Path) -> None:
    """All scans lie in the archive before the first nowcast is made; each is as if the later ones did not exist."""
    office = Office(tmp_path, model)
    for scan in SCANS[:6]:
        office.take(scan)
    made = {number(nowcast): nowcast for nowcast in office.issue()}
    archive = open_archive(office.settings.location("here").child("archive"))
    first = archive.timeline.slot(START)
    assert sorted(made) == sorted(calm)
    for k, nowcast in made.items():
        assert same(nowcast, calm[k])
        assert nowcast.scan_ids == scan_ids(archive, first, first + k)[-len(nowcast.scan_ids) :]


def test_a_late_scan_gets_no_nowcast_and_the_next_one_is_as_if_it_had_come_in_time(
    model: str, calm: dict[int, Nowcast], tmp_path: Path
) -> None:
    office = Office(tmp_path, model)
    before = {number(nowcast) for nowcast in office.follow([*SCANS[:3], SCANS[4]])}
    assert office.take(SCANS[3]) is Outcome.LATE
    assert office.issue() == []
    (made,) = office.follow(SCANS[5:6])
    assert before | {3, number(made)} == set(calm)
    assert same(made, calm[5])


def test_issuing_again_makes_nothing_new_and_a_restart_changes_no_number(
    model: str, calm: dict[int, Nowcast], tmp_path: Path
) -> None:
    office = Office(tmp_path, model)
    office.follow(SCANS[:5])
    assert office.issue() == []
    (made,) = Office(tmp_path, model).follow(SCANS[5:6])
    assert same(made, calm[5])


def test_nothing_is_due_before_the_first_scan(tmp_path: Path) -> None:
    assert Office(tmp_path).issue() == []


def test_what_sees_motion_needs_two_scans_and_persistence_stands_in(model: str, calm: dict[int, Nowcast]) -> None:
    assert sorted(calm) == [0, 1, 2, 3, 4, 5]
    first, *others = (calm[k] for k in sorted(calm))
    assert first.model == first.rung == "persistence"
    assert first.reason == ("" if model == "persistence" else "1 scan, motion needs 2")
    usual = {"persistence": "persistence", "advection": "advection", "default": "champion"}[model]
    assert {(nowcast.rung, nowcast.reason) for nowcast in others} == {(usual, "")}


def test_a_gap_still_leads_to_nowcasts_that_name_only_the_scans_there_were(tmp_path: Path) -> None:
    """Scans 0 1 2 . 4: the nowcast at 4 has four scans, that at 3 is not made."""
    made = {number(nowcast): nowcast for nowcast in Office(tmp_path, "default").follow([*SCANS[:3], SCANS[4]])}
    assert sorted(made) == [0, 1, 2, 4]
    assert np.isfinite(made[4].rain_rate).any()
    assert b"" not in made[4].scan_ids
    assert len(made[4].scan_ids) == len(set(made[4].scan_ids)) == 4


def test_after_an_hour_without_scans_it_starts_anew_and_sees_motion_at_the_second(tmp_path: Path) -> None:
    """Scans at 12:00 and 12:05, then at 13:05, 13:10 and 13:15: nothing old enough is left at 13:05."""
    after = [uniform(k, 1.0 + k) for k in (13, 14, 15)]
    made = Office(tmp_path, "advection").follow([*SCANS[:2], *after])
    assert [(number(nowcast), nowcast.rung) for nowcast in made] == [
        (0, "persistence"),
        (1, "advection"),
        (13, "persistence"),
        (14, "advection"),
        (15, "advection"),
    ]
    assert len(made[3].scan_ids) == 2


def test_a_scan_without_coverage_gets_no_nowcast(tmp_path: Path) -> None:
    blind = SCANS[2].masked(SCANS[2].coverage)
    assert [number(nowcast) for nowcast in Office(tmp_path).follow([*SCANS[:2], blind, SCANS[3]])] == [0, 1, 3]


def test_persistence_says_that_it_stays_as_it_is(tmp_path: Path) -> None:
    (nowcast,) = Office(tmp_path, "persistence").follow(SCANS[:1])
    assert nowcast.model == "persistence"
    for lead in nowcast.rain_rate:
        np.testing.assert_array_equal(lead, SCANS[0].values)


def test_advection_moves_the_rain_and_beats_persistence(tmp_path: Path) -> None:
    """Lead 2 of the nowcast from scan 5 is held against scan 7."""
    forecast = Office(tmp_path, "advection").follow(SCANS[:6])[-1].rain_rate[1]
    known = np.isfinite(forecast) & SCANS[5].coverage & SCANS[7].coverage
    moved, stayed = (np.abs(field - SCANS[7].values)[known].mean() for field in (forecast, SCANS[5].values))
    assert moved < 0.7 * stayed


def test_a_model_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises((ValueError, OSError), match="nowhere"):
        Office(tmp_path, str(tmp_path / "nowhere.safetensors"))


def test_what_is_published_is_what_was_made(tmp_path: Path) -> None:
    """The store keeps hundredths of mm/h; the age is that of the newest scan."""
    office = Office(tmp_path)
    for scan in SCANS[:2]:
        office.take(scan)
    _, made = office.issue(minutes_late=10)
    stored = open_forecasts(office.settings.location("here").child("forecasts"))
    _, slot = issued(stored)
    assert stored.timeline.time(slot) == made.init_time == SCANS[1].nominal_time
    assert made.input_age == SCANS[7].nominal_time + timedelta(minutes=10) - SCANS[1].nominal_time
    assert [lead / timedelta(minutes=1) for lead in made.lead_times] == [5, 10, 15]
    np.testing.assert_allclose(read_rain_rate(stored, slot), made.rain_rate, atol=0.0051)


def test_a_stuck_scan_is_stored_with_whose_picture_it_shows_and_starts_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.follow(SCANS[:2])
    path = tmp_path / "again.h5"
    write(replace(SCANS[1], nominal_time=SCANS[2].nominal_time), path)
    taken = ingest(intake(office.region, office.settings), path, START + timedelta(days=1))
    assert (taken.outcome, taken.reason) == (Outcome.STORED, "same picture as 12:05")
    assert office.issue() == []
    (made,) = office.follow(SCANS[3:4])
    assert len(made.scan_ids) == 3
