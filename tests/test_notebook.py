"""The notebook is executed, clean, and can be executed again."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from radar import RADAR, needs_radar

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "my-first-nowcast.ipynb"
LARGEST = 1_500_000
PATHS = re.compile(r"/(home|root|tmp|work|Users|var|mnt|opt)/|[A-Z]:\\\\")


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def printed(cell: Any) -> str:
    """What a cell wrote to standard output."""
    return "".join(one.text for one in cell.outputs if one.output_type == "stream" and one.name == "stdout")


def test_the_notebook_is_executed_in_order_without_errors() -> None:
    code = [cell for cell in read().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = [(one.output_type, one.get("name")) for cell in code for one in cell.outputs]
    assert {kind for kind, _ in kinds} == {"stream", "display_data", "execute_result"}
    assert "stderr" not in {name for _, name in kinds}
    assert sum("image/png" in one.get("data", {}) for cell in code for one in cell.outputs) == 4


def test_the_notebook_is_small_credits_the_radar_and_holds_no_path_of_a_machine() -> None:
    text = NOTEBOOK.read_text()
    assert len(text) < LARGEST
    assert "Finnish Meteorological Institute, CC BY 4.0" in text
    assert not PATHS.search(text)
    nbformat.validate(read())


@pytest.mark.slow
@needs_radar
def test_the_notebook_runs_again_and_scores_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pysteps")
    monkeypatch.setenv("NOWCAST_RADAR_DIR", str(RADAR.resolve()))
    fresh = read()
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(fresh, timeout=300, kernel_name="python3").execute()
    assert scores(fresh) == pytest.approx(scores(read()), abs=0.03)


def scores(notebook: Any) -> list[float]:
    """Every number with decimals in the table of scores."""
    table = next(text for cell in notebook.cells if cell.cell_type == "code" and "MAE" in (text := printed(cell)))
    found = [float(number) for number in re.findall(r"\d\.\d{3,4}", table)]
    assert len(found) == 14
    return found
