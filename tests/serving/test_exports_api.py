"""Nowcasts as files over HTTP. Region `here`: nowcasts in slots 0 and 2 of 1 and 3 mm/h at the first lead."""

from pathlib import Path
from urllib.parse import urljoin

import pytest
import rasterio
import xarray as xr
from fastapi.testclient import TestClient
from service import client, stores_in
from stac_pydantic import Item, ItemCollection

from nowcast.serving.api import exports

BASE = "/regions/here/nowcasts/20260601T001000Z"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("stores")
    stores_in(folder)
    return client(folder)


def test_the_files_hold_the_nowcast(asked: TestClient, tmp_path: Path) -> None:
    for name in ("nowcast.nc", "lead-10.tif"):
        answer = asked.get(f"{BASE}/{name}")
        assert answer.status_code == 200
        assert answer.headers["Nowcast-Init-Time"] == "2026-06-01T00:10:00Z"
        assert answer.headers["Nowcast-Model"] == "fake-1"
        (tmp_path / name).write_bytes(answer.content)
    with xr.open_dataset(tmp_path / "nowcast.nc") as found, rasterio.open(tmp_path / "lead-10.tif") as file:
        assert found.rain_rate[:, 2, 3].values.tolist() == [3.0, 6.0, 9.0]
        assert file.read(1)[2, 3] == 6.0


def test_names_as_pysteps_has_them(asked: TestClient, tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_bytes(asked.get(f"{BASE}/nowcast.nc?convention=pysteps").content)
    with xr.open_dataset(tmp_path / "a.nc") as found:
        assert found.precip_intensity[:, 2, 3].values.tolist() == [3.0, 6.0, 9.0]


def test_every_asset_of_every_item_is_where_the_item_says(asked: TestClient) -> None:
    listed = asked.get("/regions/here/stac")
    assert listed.headers["content-type"] == "application/geo+json"
    collection = listed.json()
    ItemCollection.model_validate(collection)
    assert [one["id"] for one in collection["features"]] == ["here-20260601T001000Z", "here-20260601T000000Z"]
    alone = asked.get(f"{BASE}/stac.json").json()
    places = [("/regions/here/stac", one) for one in collection["features"]] + [(f"{BASE}/stac.json", alone)]
    for url, one in places:
        Item.model_validate(one)
        assert asked.get(urljoin(url, one["links"][0]["href"])).json()["id"] == one["id"]
        for name, asset in one["assets"].items():
            href = urljoin(url, asset["href"]) + ("/zarr.json" if name == "zarr" else "")
            assert asked.get(href).status_code == 200, href
    assert len(asked.get("/regions/here/stac?most=1").json()["features"]) == 1


@pytest.mark.parametrize("name", ["nowcast.nc", "lead-5.tif", "stac.json", "../../stac"])
def test_what_the_client_holds_is_not_sent_again(asked: TestClient, name: str) -> None:
    first = asked.get(f"{BASE}/{name}")
    again = asked.get(f"{BASE}/{name}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert asked.get(f"{BASE}/{name}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_files_and_nowcasts_have_different_tags(asked: TestClient) -> None:
    urls = [f"{BASE}/nowcast.nc", f"{BASE}/nowcast.nc?convention=pysteps", f"{BASE}/lead-5.tif", f"{BASE}/lead-10.tif"]
    urls += [url.replace("001000Z", "000000Z") for url in urls]
    assert len({asked.get(url).headers["ETag"] for url in urls}) == len(urls)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{BASE}/lead-7.tif", 400),
        (f"{BASE}/lead-x.tif", 422),
        (f"{BASE}/lead--5.tif", 422),
        (f"{BASE}/lead-999999999999.tif", 422),
        (f"{BASE}/nowcast.nc?convention=cmor", 422),
        ("/regions/here/nowcasts/noon/nowcast.nc", 400),
        ("/regions/here/nowcasts/9999-12-31T23:59:59-23:59/stac.json", 400),
        ("/regions/here/nowcasts/0001-01-01/lead-5.tif", 404),
        ("/regions/here/nowcasts/20260601T000500Z/nowcast.nc", 404),
        ("/regions/nowhere/stac", 404),
        ("/regions/here/stac?most=0", 422),
        ("/regions/here/stac?most=101", 422),
    ],
)
def test_wrong_questions_are_problems(asked: TestClient, url: str, status: int) -> None:
    answer = asked.get(url)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_too_large_a_file_is_refused(asked: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 leads of 24 pixels: 72 rates, 144 chances and 24 flags."""
    monkeypatch.setattr(exports, "MOST_VALUES", 239)
    refused = asked.get(f"{BASE}/nowcast.nc")
    assert refused.status_code == 413
    assert "240 values in one file, at most 239" in refused.json()["detail"]
    assert asked.get(f"{BASE}/lead-5.tif").status_code == 200
