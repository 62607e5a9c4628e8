"""What docs/python.md shows does run, on a store with region `here`."""

import re
from pathlib import Path

import pytest
import rasterio
import xarray as xr
from service import stores_in

TEXT = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_every_snippet_runs_after_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores_in(tmp_path)
    monkeypatch.setenv("NOWCAST_STORE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert len(SNIPPETS) == 4
    names: dict[str, object] = {}
    for snippet in SNIPPETS:
        exec(snippet, names)
    back, told = names["back"], names["told"]
    assert isinstance(back, xr.Dataset)
    assert isinstance(told, xr.Dataset)
    assert back.rain_rate[:, 2, 3].values.tolist() == [3.0, 3.0, 3.0]
    assert told.rain_rate[:, 2, 3].values.tolist() == [1.0, 2.0, 3.0]
    with xr.open_dataset("nowcast.nc") as found, rasterio.open("in-10-minutes.tif") as file:
        assert found.rain_rate[1, 2, 3] == file.read(1)[2, 3] == 6.0
