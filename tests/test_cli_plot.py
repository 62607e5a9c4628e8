"""`nowcast plot` writes what was asked for, or says why not and writes nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plotted import region_in
from typer.testing import CliRunner, Result

from nowcast.cli import app


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the region `here`."""
    folder = tmp_path_factory.mktemp("store")
    region_in(folder)
    return folder


def ask(store: Path, what: str, *words: object) -> Result:
    """The command, on a wide terminal."""
    line = ["plot", what, *(str(word) for word in words)]
    return CliRunner(env={"COLUMNS": "300", "NOWCAST_STORE": str(store)}).invoke(app, line, catch_exceptions=False)


HERE = ("--region", "here")


@pytest.mark.parametrize(
    ("what", "words", "name"),
    [
        ("frames", ("--leads", "0,5,10"), "a.png"),
        ("frames", ("--leads", "5", "--layer", "chance", "--threshold", "5", "--palette", "purples"), "a.pdf"),
        ("frames", ("--leads", "0,20", "--no-observed", "--init-time", "2026-06-01T12:00"), "a.svg"),
        ("animation", ("--past", "10", "--dpi", "40"), "a.gif"),
        ("animation", ("--layer", "chance", "--past", "0", "--dpi", "40"), "a.mp4"),
        ("point", ("60.1", "24.6", "--past", "15"), "a.png"),
        ("spectra", ("--leads", "5,20"), "a.png"),
    ],
)
def test_writes_the_file_and_nothing_else(
    store: Path, tmp_path: Path, what: str, words: tuple[str, ...], name: str
) -> None:
    result = ask(store, what, *words, *HERE, "--out", tmp_path / name)
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_dpi_is_dots_per_inch(store: Path, tmp_path: Path) -> None:
    for dpi in (50, 100):
        ask(store, "spectra", "--leads", "5", *HERE, "--dpi", dpi, "--out", tmp_path / f"{dpi}.png")
    small, large = (Image.open(tmp_path / f"{dpi}.png").size for dpi in (50, 100))
    assert np.allclose(np.array(large), 2 * np.array(small), atol=2)


@pytest.mark.parametrize(
    ("what", "words", "message"),
    [
        ("frames", ("--leads", "0,7"), "no lead of 7 min, there are 0 and 5, 10, 15, 20"),
        ("frames", ("--leads", "5,5"), "once each"),
        ("frames", ("--leads", "soon"), "are no whole minutes"),
        ("frames", ("--leads", "5.5"), "are no whole minutes"),
        ("frames", ("--layer", "chance", "--threshold", "3"), "no chance of 3 mm/h is kept, there are 1, 5"),
        ("frames", ("--palette", "jet"), "there are classic, viridis"),
        ("frames", ("--layer", "chance", "--palette", "classic"), "there are plasma, purples"),
        ("frames", ("--init-time", "2026-06-01T12:05"), "no nowcast was issued at 2026-06-01T12:05:00Z"),
        ("frames", ("--init-time", "yesterday"), "yesterday"),
        ("spectra", ("--leads", "inf"), "are no whole minutes"),
        ("point", ("10", "10"), "outside the grid"),
        ("point", ("nan", "24"), "outside the grid"),
        ("scores", (), "no nowcast has been scored"),
        ("reliability", (), "no nowcast has been scored"),
        ("reliability", ("--window", "soon"), "no duration"),
        ("reliability", ("--thresholds", "a"), "are no numbers"),
    ],
)
def test_wrong_input_ends_with_2_and_writes_nothing(
    store: Path, tmp_path: Path, what: str, words: tuple[str, ...], message: str
) -> None:
    result = ask(store, what, *words, *HERE, "--out", tmp_path / "a.png")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        ("frames", "a.jpg", "must end in .png or .pdf or .svg"),
        ("animation", "a.png", "must end in .gif or .mp4"),
        ("frames", "absent/a.png", "is no folder"),
        ("frames", "folder.png", "is a folder"),
    ],
)
def test_a_file_that_cannot_be_ends_with_2(store: Path, tmp_path: Path, what: str, name: str, message: str) -> None:
    (tmp_path / "folder.png").mkdir()
    result = ask(store, what, *HERE, "--out", tmp_path / name)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_an_unknown_region_is_named(store: Path, tmp_path: Path) -> None:
    result = ask(store, "frames", "--region", "elsewhere", "--out", tmp_path / "a.png")
    assert result.exit_code == 2
    assert "elsewhere" in result.stderr


def test_scores_without_file_and_region_say_what_to_give(store: Path, tmp_path: Path) -> None:
    result = ask(store, "scores", "--out", tmp_path / "a.png")
    assert result.exit_code == 2
    assert "--region" in result.stderr


@pytest.mark.parametrize("what", ["scores", "reliability"])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"all": {"a": {"1": {}}}, "lead_scores": {"all": {}}}'])
def test_a_file_of_another_kind_is_refused(store: Path, tmp_path: Path, what: str, text: str) -> None:
    path = tmp_path / "scores.json"
    path.write_text(text)
    result = ask(store, what, path, "--out", tmp_path / "a.png")
    assert result.exit_code == 2
    assert "scores.json" in result.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["scores.json"]


def test_scores_are_drawn_from_a_file(store: Path, tmp_path: Path) -> None:
    """Two leads of two methods, as `nowcast evaluate --json` lays them out."""
    cells = {lead: {"csi": csi} for lead, csi in (("1", 0.5), ("2", 0.25))}
    tables = {
        "all": {name: {"0.1": cells, "1": cells} for name in ("champion", "persistence")},
        "lead_scores": {"all": {"champion": {"1": {}, "2": {}}}},
        "sample": {"all": {"cadence_minutes": [5.0]}},
    }
    (tmp_path / "scores.json").write_text(json.dumps(tables))
    assert ask(store, "scores", tmp_path / "scores.json", "--out", tmp_path / "a.png").exit_code == 0
    with Image.open(tmp_path / "a.png") as image:
        shot = np.asarray(image.convert("RGB")).astype(int)
    assert (np.abs(shot - (0x00, 0x72, 0xB2)).max(axis=-1) < 8).any()
    wrong = ask(store, "scores", tmp_path / "scores.json", "--group", "fun", "--out", tmp_path / "b.png")
    assert wrong.exit_code == 2
    assert "there are csi, bias" in wrong.stderr
