"""`nowcast retrain` and `nowcast models` on a small region."""

import json
from pathlib import Path

import pytest
from fakes import NOW, archive_in, file_id, scan
from models_at_hand import weights
from typer.testing import CliRunner, Result

from nowcast.cli import app
from nowcast.core.types import Sampling
from nowcast.store.archive import append


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three scans of region `here`."""
    append(archive_in(tmp_path / "store" / "here"), [scan(k) for k in range(3)], file_id(0), NOW)
    return tmp_path / "store"


def run(store: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--region", "here", "--store", str(store)])


def test_a_model_is_added_promoted_and_taken_back(store: Path, tmp_path: Path) -> None:
    one, two = (run(store, "models", "add", str(weights(tmp_path, seed))).stdout.strip() for seed in (1, 2))
    assert run(store, "models", "promote", one).stdout == f"champion {one}, previous shipped weights, shadow none\n"
    assert run(store, "models", "shadow", two).stdout == f"champion {one}, previous shipped weights, shadow {two}\n"
    assert run(store, "models", "promote", two, "--why", "summer").stdout.startswith(f"champion {two}, previous {one}")
    assert run(store, "models", "rollback").stdout.startswith(f"champion {one}, previous {two}")
    rows = json.loads(run(store, "models", "list", "--json").stdout)
    assert {row["model"]: row["role"] for row in rows} == {one: "champion", two: "previous"}


def test_what_cannot_serve_is_refused_by_name(store: Path, tmp_path: Path) -> None:
    coarse = run(store, "models", "add", str(weights(tmp_path, 1, Sampling(5.0, 8.0)))).stdout.strip()
    result = run(store, "models", "promote", coarse)
    assert result.exit_code == 2
    assert f"{coarse} does not fit these scans: pixel size" in result.stderr
    assert run(store, "models", "promote", "tiny-0").exit_code == 2
    assert run(store, "models", "rollback").exit_code == 2


def test_a_refused_retraining_is_an_answer(store: Path) -> None:
    """Three scans are too little to learn from."""
    result = run(store, "retrain", "--json")
    assert result.exit_code == 0
    made = json.loads(result.stdout)
    assert (made["outcome"], made["model"]) == ("refused", None)
    assert made["reasons"][0].startswith("too little to learn from")
    assert "refused: no challenger was trained" in run(store, "retrain").stdout


def test_a_region_without_an_archive_is_named(store: Path) -> None:
    result = CliRunner().invoke(app, ["retrain", "--region", "nowhere", "--store", str(store)])
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
