"""Members and chances of methods are compared on the same starts and pixels."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.core.scan import Frames
from nowcast.core.types import USUAL
from nowcast.evaluation_ensembles import Made, block_means, judge, makers, middle
from nowcast.models.pysteps_peers import PystepsPeer, steps_ensemble
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.verify import scores_ensemble

STORM = Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=64, cells=4)


def full(*values: float) -> np.ndarray:
    """Fields of 32 x 32 pixels, each of one value."""
    return np.stack([np.full((32, 32), value, np.float32) for value in values])


def test_all_methods_are_judged_where_all_have_values() -> None:
    """Members 0 and 2 of an observed 1 have a CRPS of 1 - 1/2; 3 is off by 2. A row is unknown to each of them."""
    members, single = full(0, 2), full(3)[0]
    members[1, 0], single[31] = np.nan, np.nan
    found = judge({"two": Made(members=members), "one": Made(single)}, full(1)[0], np.ones((32, 32), bool), 2)
    two, one = found["two"], found["one"]
    assert one.pixels[2] == two.pixels[2] == 30 * 32
    assert one.absolute_error is not None
    assert one.absolute_error[2] / one.pixels[2] == 2.0
    assert two.members is not None
    assert scores_ensemble.crps(two.members)[2] == 0.5
    assert two.blocks is not None
    assert two.blocks.pixels[2] == 0
    assert (two.absolute_error, one.members, one.chances) == (None, None, None)


def test_blocks_are_means_of_whole_squares() -> None:
    """Of 5 x 4 pixels in blocks of 2 the fifth row is left over; one pixel out of the mask leaves a block out."""
    values = np.arange(20, dtype=np.float32).reshape(1, 5, 4)
    mask = np.ones((5, 4), bool)
    mask[3, 3] = False
    means, inside = block_means(values, mask, 2)
    assert means.shape == (1, 2, 2)
    assert means[0, 0].tolist() == [2.5, 4.5]
    assert inside.tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize(("side", "rows"), [(10, (0, 10)), (20, (5, 15)), (6, (0, 6))])
def test_of_a_larger_grid_the_middle_is_judged(side: int, rows: tuple[int, int]) -> None:
    assert middle((side, 10), 10)[0].indices(side)[:2] == rows


def test_members_and_chances_are_scored_by_event_and_together(tmp_path: Path) -> None:
    """Ten and eight scans: a start at the fourth of each, six leads after the one and four after the other."""
    folders, out = [tmp_path / "one", tmp_path / "other"], tmp_path / "scores.json"
    for folder, count in zip(folders, (10, 8), strict=True):
        folder.mkdir()
        for scan in STORM.scans(count):
            write(scan, folder / f"storm_{scan.nominal_time:%H%M}.h5")
    words = ["evaluate-ensembles", "--events", *folders, "--members", "4", "--json", out, "--plots", tmp_path / "plots"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert set(found["all"]) == {"champion", "advection", "persistence"}
    first, second = (found["events"][str(folder)]["champion"] for folder in folders)
    assert found["all"]["champion"]["4"]["n"] == first["4"]["n"] + second["4"]["n"]
    assert second["5"]["n"] == 0
    assert second["5"]["members"]["crps"] is None
    cell = first["3"]
    assert len(cell["members"]["rank_histogram"]) == 5
    assert 0 < cell["members"]["fair_crps"] < cell["members"]["crps"] < found["all"]["persistence"]["3"]["mae"]
    assert 0 < cell["chances"]["0.1"]["brier"] < 0.25
    assert "members" not in found["all"]["persistence"]["3"]
    assert found["sample"][str(folders[0])]["starts"] == ["2026-06-01T12:15:00Z"]
    _check_plots(tmp_path / "plots")


def _check_plots(folder: Path) -> None:
    """Three PNGs, each with lines in the colours of the two ensembles."""
    assert {path.stem for path in folder.iterdir()} == {"crps", "reliability", "ranks"}
    for path in folder.iterdir():
        with Image.open(path) as image:
            seen = np.asarray(image.convert("RGB"))
        for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
            assert (seen == colour).all(axis=-1).sum() > 100, path


@pytest.mark.parametrize(("names", "count", "reason"), [(["oracle"], 4, "no method 'oracle'"), ([], 1, "2 members")])
def test_what_cannot_be_compared_is_said(names: list[str], count: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        makers(names, "default", "cpu", count)


def test_members_of_steps_differ_and_end_where_nothing_is_known(tmp_path: Path) -> None:
    pytest.importorskip("pysteps")
    peer, state = PystepsPeer("lk"), None
    for scan in STORM.scans(4):
        state = peer.observe(state, scan.rain_rate, scan.coverage)
    assert state is not None
    made_by, forecast = steps_ensemble(state, USUAL, 3, 1, tmp_path)
    fields = np.stack(list(forecast))
    assert (made_by, fields.shape) == ("steps", (12, 3, 64, 64))
    assert np.nanmax(np.ptp(fields[5], axis=0)) > 0.1
    assert np.isnan(fields[-1]).sum() > np.isnan(fields[0]).sum() > 0
    assert (np.isnan(fields).all(axis=1) == np.isnan(fields).any(axis=1)).all()
    again = list(steps_ensemble(state, USUAL, 3, 1, tmp_path)[1])
    np.testing.assert_array_equal(fields, np.stack(again))


def test_all_members_are_what_stands_in_for_steps() -> None:
    """Dry scans: neither STEPS nor Lucas-Kanade has anything to follow."""
    pytest.importorskip("pysteps")
    scans = list(STORM.scans(4))
    dry = np.stack([np.where(scan.coverage, np.float32(0), np.float32(np.nan)) for scan in scans])
    coverage, ids = np.stack([scan.coverage for scan in scans]), tuple(scan.scan_id for scan in scans)
    frames = Frames(tuple(scan.nominal_time for scan in scans), dry, coverage, ids)
    made_by, forecast = makers(["steps"], "default", "cpu", 3)["steps"](frames, 1)
    made = list(forecast)
    assert made_by == "persistence"
    assert len(made) == 12
    for one in made:
        assert one.rain_rate is None
        assert one.members is not None
        assert one.chances is not None
        assert one.members.shape == (3, 64, 64)
        assert np.nanmax(one.members) == np.nanmax(one.chances) == 0
