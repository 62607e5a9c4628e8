"""The history of a region over HTTP."""

from pathlib import Path

import pytest
from fakes import GRID, NOW, TIMELINE, nowcast
from fastapi.testclient import TestClient

from nowcast.serving.api.app import create_app
from nowcast.serving.api.stores import Stores
from nowcast.settings import Settings
from nowcast.store.forecasts import create_forecasts, publish
from nowcast.store.history import history
from nowcast.store.query import Reader
from nowcast.store.repository import Location


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Location:
    """The forecasts of region `here`: slots 0 and 1."""
    location = Location(str(tmp_path_factory.mktemp("store") / "here" / "forecasts"))
    forecasts = create_forecasts(location, GRID, TIMELINE, 3, (1.0, 5.0))
    for slot in range(2):
        publish(forecasts, nowcast(slot), NOW)
    return location


@pytest.fixture(scope="module")
def client(where: Location) -> TestClient:
    settings = Settings(store=str(Path(where.url).parents[1]), regions=Path("none"))
    return TestClient(create_app(Stores(settings, ("here",), lambda: NOW)))


def test_every_commit_has_the_url_of_its_zarr(client: TestClient, where: Location) -> None:
    found = client.get("/regions/here/history").json()
    assert found["region"] == "here"
    assert [one["snapshot"] for one in found["commits"]] == [c.snapshot for c in history(Reader(where))]
    newest = found["commits"][0]
    assert newest["zarr"] == f"/zarr/here/forecasts/{newest['snapshot']}"
    assert client.get(f"{newest['zarr']}/zarr.json").status_code == 200
    assert newest["time"].endswith("Z")
    assert [one["message"] for one in found["commits"]][-1] == "layout"


def test_most_bounds_the_list(client: TestClient) -> None:
    assert len(client.get("/regions/here/history?most=1").json()["commits"]) == 1


@pytest.mark.parametrize(
    ("url", "status"),
    [("/regions/nowhere/history", 404), ("/regions/here/history?most=0", 422), ("/regions/here/history?most=x", 422)],
)
def test_wrong_questions_are_problems(client: TestClient, url: str, status: int) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
