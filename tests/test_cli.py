"""The command line on a replayed storm: tables for people, JSON for programs, code 2 and a clear message when wrong."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from event_files import written
from typer.testing import CliRunner, Result

from nowcast.cli import app
from nowcast.models.checkpoint import load_checkpoint
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm

STORM = Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=96, cells=4)
YAMLS = {
    "here": "cadence: 5\nleads: 3\nmodel: advection\n",
    "misspelt": "fed: /scans\n",
    "unclosed": "feed: [/scans\n",
    "listed": "- feed\n- cadence\n",
}

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 scans, of which 14 lie in scans/, and the YAML of region `here` in regions/."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("scans", "later", "regions"):
        (folder / name).mkdir()
    for number, scan in enumerate(STORM.scans(20)):
        write(scan, folder / ("scans" if number < 14 else "later") / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    (folder / "regions" / "here.yaml").write_text(YAMLS["here"])
    return folder


@pytest.fixture(scope="module")
def nowcast(home: Path) -> Command:
    """Runs `nowcast` in that home, on a wide terminal; an unexpected exception fails the test."""
    environment = {"NOWCAST_STORE": str(home / "store"), "NOWCAST_REGIONS": str(home / "regions"), "COLUMNS": "400"}
    runner = CliRunner(env=environment)
    return lambda *words: runner.invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def replayed(nowcast: Command, home: Path) -> Result:
    """Region `here` with its 14 scans; the replay's own output."""
    return nowcast("replay", home / "scans", "--region", "here", "--json")


@pytest.fixture
def odd_regions(tmp_path: Path) -> Path:
    """A folder of region YAMLs that are all wrong, and one that is right."""
    for name, text in YAMLS.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def rows(result: Result) -> list[dict]:
    """What a command printed with --json, when it went well."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_replay_counts_scans_and_nowcasts(replayed: Result) -> None:
    summary = rows(replayed)
    assert (summary["scans"], summary["issues"], summary["warm_up"], summary["missed"]) == (14, 14, 1, 0)
    assert summary["files"] == {"stored": 14}


@pytest.mark.usefixtures("replayed")
class TestReplayed:
    def test_verify_says_what_replay_said(self, nowcast: Command, replayed: Result) -> None:
        summary = rows(nowcast("verify", "--region", "here", "--json"))
        assert summary | {"files": {"stored": 14}} == rows(replayed)

    def test_verify_prints_a_line_per_method_and_threshold(self, nowcast: Command) -> None:
        result = nowcast("verify", "--region", "here")
        assert result.exit_code == 0
        assert "scans 14  stuck 0  issues 14  warm_up 1  withheld 0  missed 0" in result.stdout
        assert "+15 min" in result.stdout
        for method in ("served", "persistence", "advection"):
            assert sum(line.startswith(f"│ {method}") for line in result.stdout.splitlines()) == 6

    def test_info_tells_what_the_stores_hold(self, nowcast: Command) -> None:
        (row,) = rows(nowcast("info", "--region", "here", "--json"))
        assert (row["scans"], row["gaps"], row["nowcasts"], row["quarantined"]) == (14, 0, 14, 0)
        assert row["newest"].startswith("2026-06-01T13:05")
        assert row["models"] == "advection, persistence"
        assert (row["rung"], row["reason"], row["stuck"], row["withheld"]) == ("advection", "", 0, 0)
        assert "96x96 at 1 km" in row["archive"]

    def test_info_prints_a_table(self, nowcast: Command) -> None:
        result = nowcast("info", "--region", "here")
        assert result.exit_code == 0
        assert "quarantined" in result.stdout
        assert "96x96 at 1 km" in result.stdout

    def test_ingest_again_finds_duplicates_only(self, nowcast: Command, home: Path) -> None:
        again = rows(nowcast("ingest", home / "scans", "--region", "here", "--json"))
        assert [row["outcome"] for row in again] == ["duplicate"] * 14

    def test_nothing_is_due_after_a_replay(self, nowcast: Command) -> None:
        assert rows(nowcast("issue", "--region", "here", "--json")) == []
        assert nowcast("issue", "--region", "here").stdout == "nothing\n"


@pytest.fixture(scope="module")
def ingested(nowcast: Command, home: Path) -> list[dict]:
    """Region `all`, without a YAML, with its 20 scans and no nowcast: one row per file."""
    taken = rows(nowcast("ingest", home / "scans", "--region", "all", "--json"))
    return taken + rows(nowcast("ingest", home / "later", "--region", "all", "--json"))


def test_ingest_lists_files_in_time_order(ingested: list[dict]) -> None:
    assert [row["file"][-7:-3] for row in ingested[:3]] == ["1200", "1205", "1210"]
    assert [row["outcome"] for row in ingested] == ["stored"] * 20


def test_ingest_goes_on_after_a_bad_file_and_shows_why_it_is_bad(nowcast: Command, tmp_path: Path) -> None:
    (tmp_path / "a_202606011200.h5").write_text("<html>502 Bad Gateway</html>")
    write(next(STORM.scans(1)), tmp_path / "b_202606011200.h5")
    result = nowcast("ingest", tmp_path, "--region", "spoilt")
    assert result.exit_code == 0
    bad, good = (line for line in result.stdout.splitlines() if "202606011200.h5" in line)
    assert "quarantined" in bad
    assert "content is of no known radar format" in bad
    assert "stored" in good


def test_a_table_shows_names_and_reasons_letter_by_letter(nowcast: Command, tmp_path: Path) -> None:
    """Square brackets in a cell are text to the reader, not markup to the terminal."""
    (tmp_path / "radar[b].h5").write_text("no radar")
    assert "radar[b].h5" in nowcast("ingest", tmp_path, "--region", "brackets").stdout


def test_info_counts_scans_before_there_is_any_nowcast(nowcast: Command, home: Path) -> None:
    nowcast("ingest", home / "later", "--region", "scans-only")
    (row,) = rows(nowcast("info", "--region", "scans-only", "--json"))
    assert (row["scans"], row["nowcasts"], row["newest"], row["models"]) == (6, 0, "", "")


def test_issue_lists_a_nowcast_per_scan_with_rung_and_reason(nowcast: Command, home: Path, tmp_path: Path) -> None:
    for path in sorted((home / "scans").iterdir())[:3]:
        (tmp_path / path.name).symlink_to(path)
    nowcast("ingest", tmp_path, "--region", "three")
    made = rows(nowcast("issue", "--region", "three", "--json"))
    assert [row["init_time"][11:16] for row in made] == ["12:00", "12:05", "12:10"]
    assert {row["leads"] for row in made} == {12}
    assert [row["model"].partition("-")[0] for row in made] == ["persistence", "convlstm", "convlstm"]
    assert [row["rung"] for row in made] == ["persistence", "champion", "champion"]
    assert [row["reason"] for row in made] == ["1 scan, motion needs 2", "", ""]


@pytest.mark.usefixtures("ingested")
class TestTrain:
    def test_it_writes_weights_that_load(self, nowcast: Command, tmp_path: Path) -> None:
        out = tmp_path / "rain.safetensors"
        result = nowcast(
            "train", "--region", "all", "--out", out, "--steps", "2", "--size", "48", "--first-windows", "2"
        )
        assert result.exit_code == 0, result.output
        made = load_checkpoint(out)
        assert result.stdout == f"{out}: {made.model_id}\n"
        assert made.training.frames == 20

    def test_its_options_reach_the_training(self, nowcast: Command, tmp_path: Path) -> None:
        """A model is trained, then trained on by another loss in steps of one window."""
        first, second, logs = (tmp_path / name for name in ("first.safetensors", "second.safetensors", "logs"))
        common = ["train", "--region", "all", "--size", "48", "--batch", "1", "--first-windows", "0"]
        assert nowcast(*common, "--out", first, "--steps", "1").exit_code == 0
        how = ["--loss", "mae", "--learning-rate", "0.0001", "--init", first, "--logs", logs]
        result = nowcast(*common, "--out", second, "--steps", "3", *how)
        assert result.exit_code == 0, result.output
        rates = written(logs)["training/learning_rate"]
        assert list(rates) == [1, 2, 3]
        assert rates[1] == pytest.approx(0.0001 / 100)
        assert load_checkpoint(second).model_id != load_checkpoint(first).model_id

    def test_a_loss_that_does_not_exist_is_refused(self, nowcast: Command, tmp_path: Path) -> None:
        result = nowcast("train", "--region", "all", "--out", tmp_path / "w.safetensors", "--loss", "none")
        assert result.exit_code == 2
        assert "loss 'none' is none of ordinal, mae" in result.stderr

    def test_nothing_to_learn_from_is_said(self, nowcast: Command, tmp_path: Path) -> None:
        out = tmp_path / "rain.safetensors"
        result = nowcast("train", "--region", "all", "--out", out, "--minutes", "0.02", "--hold-out", "2026-06-01")
        assert result.exit_code == 2
        assert "no event has 10 frames" in result.stderr
        assert not out.exists()

    def test_a_held_out_day_must_be_a_date(self, nowcast: Command, tmp_path: Path) -> None:
        result = nowcast("train", "--region", "all", "--out", tmp_path / "w.safetensors", "--hold-out", "monday")
        assert result.exit_code == 2
        assert "monday" in result.stderr


class TestDoctor:
    def test_all_is_well(self, nowcast: Command) -> None:
        checks = {row["check"]: row for row in rows(nowcast("doctor", "--json"))}
        assert {"torch", "ray", "prefect", "icechunk", "weights", "store", "region here"} <= set(checks)
        assert all(row["ok"] for row in checks.values())
        assert checks["region here"]["found"] == "feed None, cadence 5.0"

    def test_it_prints_a_table(self, nowcast: Command) -> None:
        result = nowcast("doctor")
        assert result.exit_code == 0
        assert "icechunk" in result.stdout

    def test_every_wrong_region_is_named(self, odd_regions: Path) -> None:
        runner = CliRunner(env={"NOWCAST_REGIONS": str(odd_regions)})
        result = runner.invoke(app, ["doctor", "--json"], catch_exceptions=False)
        assert result.exit_code == 1
        wrong = {row["check"] for row in json.loads(result.stdout) if not row["ok"]}
        assert wrong == {"region misspelt", "region unclosed", "region listed"}

    def test_a_feed_that_is_no_folder_is_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "here.yaml").write_text(f"feed: {tmp_path / 'nowhere'}\n")
        result = CliRunner(env={"NOWCAST_REGIONS": str(tmp_path)}).invoke(app, ["doctor", "--json"])
        assert result.exit_code == 1
        assert f"feed {tmp_path / 'nowhere'} is not a folder" in result.stdout


class TestWrongUse:
    @pytest.mark.parametrize("words", [("run", "--local"), ("run",), ("follow",)])
    def test_a_region_without_a_feed_cannot_be_followed(self, nowcast: Command, home: Path, words: tuple) -> None:
        """Said at once, before any Prefect server or Ray cluster is started."""
        result = nowcast(*words, "--region", "here")
        assert result.exit_code == 2
        assert "region here has no feed folder" in result.stderr
        assert str(home / "regions" / "here.yaml") in result.stderr
        assert "Traceback" not in result.stderr

    @pytest.mark.parametrize("name", ["Here", "../here", "", "here_too"])
    @pytest.mark.parametrize("command", ["info", "issue", "verify"])
    def test_a_bad_region_name_is_refused(self, nowcast: Command, command: str, name: str) -> None:
        result = nowcast(command, "--region", name)
        assert result.exit_code == 2
        assert "String should match pattern" in result.stderr

    def test_the_message_says_what_a_region_name_may_hold(self, nowcast: Command) -> None:
        """Square brackets are text to the reader, not markup to the terminal."""
        assert "'^[a-z0-9][a-z0-9-]*$'" in nowcast("info", "--region", "Here").stderr

    @pytest.mark.parametrize("name", ["misspelt", "unclosed", "listed"])
    def test_a_bad_yaml_is_named(self, odd_regions: Path, name: str) -> None:
        result = CliRunner(env={"NOWCAST_REGIONS": str(odd_regions), "COLUMNS": "400"}).invoke(
            app, ["info", "--region", name], catch_exceptions=False
        )
        assert result.exit_code == 2
        assert str(odd_regions / f"{name}.yaml") in result.stderr

    def test_a_region_without_a_store_is_said_to_have_none(self, nowcast: Command, home: Path) -> None:
        result = nowcast("info", "--region", "nobody")
        assert result.exit_code == 2
        assert f"no store at {home / 'store' / 'nobody'}" in result.stderr

    def test_a_region_without_scans_has_nothing_to_verify(self, nowcast: Command) -> None:
        summary = rows(nowcast("verify", "--region", "nobody", "--json"))
        assert (summary["scans"], summary["issues"]) == (0, 0)

    def test_a_folder_that_is_not_there_is_named(self, nowcast: Command, tmp_path: Path) -> None:
        result = nowcast("ingest", tmp_path / "nowhere", "--region", "here")
        assert result.exit_code == 2
        assert f"{tmp_path / 'nowhere'} is not a folder" in result.stderr

    def test_a_wrong_setting_is_said(self) -> None:
        result = CliRunner(env={"NOWCAST_LOG_LEVEL": "loud"}).invoke(app, ["doctor"], catch_exceptions=False)
        assert result.exit_code == 2
        assert "log_level" in result.stderr
