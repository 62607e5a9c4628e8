"""The short form of `make fuzz`: a few dozen damaged files of every format, the seeds of the long one."""

from pathlib import Path

import pytest
from radar import RADAR

from fuzz import campaign
from fuzz.judge import Verdict, case_of, judge
from fuzz.mutations import mutated
from fuzz.report import BEGIN, END, report, upper, write
from fuzz.specimens import specimens
from nowcast.sources import sandbox

FORMATS = (
    *("fmi-pgm", "fmi-geotiff", "mch-gif", "bom-netcdf", "knmi-hdf5", "odim-hdf5", "mrms-grib2"),
    *("dwd-radolan", "meteonet"),
)
INPUTS, SEED = 60, 1


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    """Format -> specimen; only those that can be made here without real files."""
    return specimens(RADAR)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_refused_or_right(name: str, made: dict[str, bytes], tmp_path: Path) -> None:
    if name not in made:
        pytest.skip(f"no radar samples at {RADAR}; set NOWCAST_RADAR_DIR")
    path = tmp_path / "damaged.bin"
    path.write_bytes(made[name])
    case, found = case_of(path), []
    assert judge(case, path) == (Verdict.ACCEPTED, "")
    for number in range(INPUTS):
        path.write_bytes(mutated(made[name], name, f"{SEED}:{name}:{number}"))
        found.append(judge(case, path)[0])
    assert set(found) == {Verdict.ACCEPTED, Verdict.REFUSED}
    sandbox.close_all()


def test_a_seed_gives_the_same_file_again(made: dict[str, bytes]) -> None:
    (name, content), *_ = made.items()
    assert mutated(content, name, "1:x:3") == mutated(content, name, "1:x:3") != mutated(content, name, "1:x:4")


def test_a_death_is_counted_and_its_input_passed_over(tmp_path: Path) -> None:
    kept = tmp_path / "odim-hdf5.json"
    campaign.save(kept, campaign.Tally(SEED, next=100, verdicts={"refused": 100}))
    kept.with_suffix(".at").write_text("117")
    campaign.bury(kept, SEED, "status -11")
    tally = campaign.load(kept, SEED)
    assert (tally.next, tally.parent_deaths) == (118, 1)
    assert campaign.load(kept, SEED + 1) == campaign.Tally(SEED + 1)


def test_report_adds_up() -> None:
    """With 300 inputs and no event, chances above 1 % are excluded: 1 - 0.05^(1/300) = 0.0099."""
    tallies = {
        "a": campaign.Tally(SEED, next=100, verdicts={"accepted": 40, "refused": 59, "crashed": 1}),
        "b": campaign.Tally(SEED, next=200, verdicts={"refused": 200}),
    }
    totals = report(tallies, 200)["totals"]
    assert [totals[key] for key in ("inputs", "accepted", "refused", "crashes", "wrong")] == [300, 40, 259, 1, 0]
    assert totals["wrong_at_most"] == upper(0, 300) == pytest.approx(0.0099, abs=1e-4)


def test_upper_limits_are_those_of_clopper_and_pearson() -> None:
    """Of 10: 1 - 0.05^(1/10) for none, 0.394 for one."""
    assert upper(0, 10) == pytest.approx(0.259, abs=1e-3)
    assert upper(1, 10) == pytest.approx(0.394, abs=1e-3)


def test_the_table_is_put_between_its_marks(tmp_path: Path) -> None:
    page, tally = tmp_path / "page.md", campaign.Tally(SEED, next=1000, verdicts={"accepted": 400, "refused": 600})
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(report({"a": tally}, 1000), page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| format")
    assert text.endswith(f"{END}\nafter\n")
    assert "| a | 1,000 | 400 | 600 | 0 | 0 | 0 | 0 |" in text
    assert "old" not in text
