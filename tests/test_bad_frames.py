"""Gaps, holes, dry and stuck scans among real ones: each gives the nowcast, or none, that its rule says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from fakes import file_id
from radar import RADAR, needs_radar

from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Nowcast, Scan
from nowcast.core.timeline import Timeline
from nowcast.desk import desk
from nowcast.issue import issue_due
from nowcast.replay import verification
from nowcast.settings import Region, Settings
from nowcast.sources import decode
from nowcast.sources.feeds import files_in
from nowcast.store.archive import append, create_archive

FIVE = timedelta(minutes=5)
HOLE = (slice(60, 120), slice(60, 120))
Played = tuple[dict[int, Nowcast], dict]


def scans() -> Iterator[Scan]:
    """Finland, 28 September 2016, 192 km in the middle. Scan 2 shows the picture of scan 1, scan 3 is missing, 4 has a
    hole, 5 is whole, 6 is dry."""
    middle = slice(500, 692), slice(280, 472)
    real = [next(iter(decode(path))).crop(*middle) for path in files_in(RADAR / "fmi-pgm/20160928")[:6]]
    hole = np.zeros(real[0].grid.shape, bool)
    hole[HOLE] = True
    yield from real[:2]
    yield replace(real[1], nominal_time=real[1].nominal_time + FIVE, identity=b"2" * 32)
    yield real[4].masked(hole)
    yield real[5]
    dry = np.where(real[5].coverage, np.float32(NO_ECHO), np.float32(np.nan))
    yield replace(real[5], values=dry, nominal_time=real[5].nominal_time + FIVE, identity=b"6" * 32)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The nowcasts by scan, made one by one by the shipped model, and what verification says of them."""
    settings = Settings(store=str(tmp_path_factory.mktemp("real") / "store"), device="cpu")
    region = Region(name="here", leads=3, thresholds=(1.0,))
    coming = list(scans())
    start = coming[0].nominal_time
    where = settings.location("here").child("archive")
    archive = create_archive(where, coming[0].grid, Timeline(start, FIVE), "reflectivity", coming[0].zr)
    at, made = desk(region, settings), {}
    for number, scan in enumerate(coming):
        append(archive, [scan], file_id(number), scan.nominal_time)
        made |= {(one.init_time - start) // FIVE: one for one in issue_due(at, scan.nominal_time)}
    return made, verification(region, settings)


@needs_radar
def test_every_usable_scan_leads_to_a_nowcast_and_no_other_does(played: Played) -> None:
    made, summary = played
    assert {k: one.rung for k, one in made.items()} == {0: "persistence"} | dict.fromkeys((1, 4, 5, 6), "champion")
    assert (summary["scans"], summary["stuck"], summary["issues"]) == (5, 1, 5)
    assert (summary["warm_up"], summary["withheld"], summary["missed"]) == (1, 0, 0)


@needs_radar
def test_a_stuck_scan_is_neither_used_nor_scored(played: Played) -> None:
    """The nowcast from scan 4 names scans 0, 1 and 4. Lead 1 is scored of the starts 0, 4 and 5 alone: after 1 comes no
    observation."""
    made, summary = played
    assert b"2" * 32 not in made[4].scan_ids
    assert len(made[4].scan_ids) == 3
    size = made[4].rain_rate[0].size
    assert 2 * size < summary["pixels"]["served"]["5"] < 3 * size


@needs_radar
def test_a_hole_is_unavailable_and_its_inside_has_no_forecast(played: Played) -> None:
    """Ten pixels inside of its edge, where nothing has moved in yet; a scan later it is filled."""
    made, _ = played
    rows, cols = (slice(part.start + 10, part.stop - 10) for part in HOLE)
    assert (made[4].radar_coverage[HOLE] == 1).all()
    assert np.isnan(made[4].rain_rate[0, rows, cols]).all()
    outside = made[4].radar_coverage == 2
    assert np.isfinite(made[4].rain_rate[0][outside]).mean() > 0.9
    assert (made[5].radar_coverage[HOLE] == 2).all()
    assert np.isfinite(made[5].rain_rate[0, rows, cols]).all()


@needs_radar
def test_a_dry_scan_gives_a_dry_nowcast(played: Played) -> None:
    made, _ = played
    known = np.isfinite(made[6].rain_rate)
    assert known.mean() > 0.9
    assert (made[6].rain_rate[known] == 0).all()
    assert made[6].reason == ""
