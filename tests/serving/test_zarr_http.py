"""A commit as plain Zarr over HTTP equals the store, by clients that know no Icechunk."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fakes import FIVE, START, nowcast
from service import application, client, server, stores_in

from nowcast.store.forecasts import open_forecasts, publish
from nowcast.store.query import Reader
from nowcast.store.repository import Location

NODE = Path(__file__).resolve().parents[1] / "node"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zarr")
    stores_in(folder)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with server(application(folder)) as running:
        yield running


def commit(url: str, kind: str = "forecasts") -> str:
    """The URL of a store's newest commit."""
    import httpx

    return str(httpx.get(f"{url}/zarr/here").json()[kind]["url"])


@pytest.mark.parametrize("kind", ["forecasts", "archive"])
def test_xarray_reads_the_same_over_http(folder: Path, url: str, kind: str) -> None:
    over_http = xr.open_zarr(commit(url, kind), chunks=None)
    stored = Reader(Location(str(folder / "here" / kind))).dataset
    assert set(over_http.variables) == set(stored.variables)
    for name in stored.variables:
        assert over_http[name].dims == stored[name].dims
        np.testing.assert_array_equal(over_http[name].values, stored[name].values)
        assert over_http[name].attrs == stored[name].attrs
    assert over_http.attrs == {key: v for key, v in stored.attrs.items() if key != "nowcast:snapshot"}


def test_a_commit_stays_as_it_is_while_nowcasts_are_published(tmp_path: Path) -> None:
    stores_in(tmp_path)
    asked = client(tmp_path)
    before = asked.get("/zarr/here").json()["forecasts"]["url"].removeprefix("http://testserver")
    first = asked.get(f"{before}/rain_rate/zarr.json").json()["shape"]
    forecasts = open_forecasts(Location(str(tmp_path / "here" / "forecasts")))
    publish(forecasts, nowcast(3), START + 3 * FIVE)
    after = asked.get("/zarr/here").json()["forecasts"]["url"].removeprefix("http://testserver")
    assert after != before
    assert asked.get(f"{before}/rain_rate/zarr.json").json()["shape"] == first == [3, 3, 4, 6]
    assert asked.get(f"{after}/rain_rate/zarr.json").json()["shape"] == [4, 3, 4, 6]


def test_answers_may_be_kept_for_good(folder: Path) -> None:
    asked = client(folder)
    base = asked.get("/zarr/here").json()["forecasts"]["url"]
    answer = asked.get(f"{base}/rain_rate/c/0/0/0/0")
    assert "immutable" in answer.headers["Cache-Control"]
    again = asked.get(f"{base}/rain_rate/c/0/0/0/0", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = asked.head(f"{base}/zarr.json")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    "path",
    [
        "forecasts/AAAAAAAAAAAAAAAAAAAA/zarr.json",
        "forecasts/{snapshot}/nothing/zarr.json",
        "forecasts/{snapshot}/rain_rate/c/9/0/0/0",
        "forecasts/{snapshot}/rain_rate/c/0",
        "forecasts/{snapshot}/../../../secret",
        "forecasts/{snapshot}/rain_rate",
        "forecasts/{snapshot}/",
        "archive/{snapshot}/zarr.json",
    ],
)
def test_what_is_not_there_is_not_found(folder: Path, path: str) -> None:
    asked = client(folder)
    snapshot = asked.get("/zarr/here").json()["forecasts"]["snapshot"]
    assert asked.get(f"/zarr/here/{path.format(snapshot=snapshot)}").status_code == 404


def test_a_snapshot_has_a_form(folder: Path) -> None:
    asked = client(folder)
    assert asked.get("/zarr/here/forecasts/main/zarr.json").status_code == 422
    assert asked.get("/zarr/here/models/AAAAAAAAAAAAAAAAAAAA/zarr.json").status_code == 422


@pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules").is_dir(),
    reason="no node, or no zarrita: make node",
)
def test_zarrita_reads_the_same(folder: Path, url: str) -> None:
    command = ["node", str(NODE / "read_zarr.mjs"), commit(url)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    stored = xr.open_zarr(commit(url), chunks=None, mask_and_scale=False)
    assert found["rain_rate"]["shape"] == list(stored.rain_rate.shape)
    assert found["rain_rate"]["values"] == stored.rain_rate.values.ravel().tolist()
    assert found["probability"]["values"] == stored.probability.values.ravel().tolist()
    assert found["model"]["values"] == stored.model.values.tolist()
    assert found["x"]["values"] == stored.x.values.tolist()
