"""`/point`: all leads of the pixel that holds a place."""

from pathlib import Path

import pytest
from fakes import GRID, START
from fastapi.testclient import TestClient
from service import client, place, stores_in

from nowcast.core.timeline import isoformat


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("point")
    stores_in(folder)
    return client(folder)


def test_a_known_pixel_gives_its_numbers(here: TestClient) -> None:
    """Three leads of 3, 6 and 9 mm/h from 00:10."""
    found = here.get("/point", params=place(2, 3)).json()
    assert found["rain_rate"] == [3.0, 6.0, 9.0]
    assert found["lead_time_min"] == [5, 10, 15]
    assert found["valid_time"] == ["2026-06-01T00:15:00Z", "2026-06-01T00:20:00Z", "2026-06-01T00:25:00Z"]
    assert found["probability"] == {"1": [0.25] * 3, "5": [0.0] * 3}
    assert found["units"] == "mm h-1"
    assert (found["pixel"]["row"], found["pixel"]["col"]) == (2, 3)


def test_the_answer_says_where_it_comes_from_and_how_old_it_is(here: TestClient) -> None:
    answer = here.get("/point", params=place(2, 3))
    found = answer.json()
    assert found["init_time"] == "2026-06-01T00:10:00Z"
    assert (found["age_s"], found["input_age_s"]) == (60, 90)
    assert (found["model"], found["rung"], found["reason"]) == ("fake-1", "champion", "")
    assert (found["stale_after"], found["is_stale"]) == ("2026-06-01T00:25:00Z", False)
    assert len(found["snapshot"]) == 20
    assert answer.headers["Nowcast-Init-Time"] == "2026-06-01T00:10:00Z"
    assert answer.headers["Nowcast-Is-Stale"] == "false"


def test_the_last_hour_tells_missing_from_dry(here: TestClient) -> None:
    """Slot 1 has no scan; the north-west pixel is covered by none."""
    found = here.get("/point", params=place(2, 3)).json()["observed"]
    assert [one["rain_rate"] for one in found] == [1.0, None, 3.0]
    unseen = here.get("/point", params=place(0, 0)).json()
    assert [one["rain_rate"] for one in unseen["observed"]] == [None, None, None]
    assert unseen["rain_rate"] == [None, None, None]


def test_an_earlier_nowcast_is_found_by_its_time(here: TestClient) -> None:
    found = here.get("/point", params=place(2, 3) | {"init_time": isoformat(START)}).json()
    assert found["rain_rate"] == [1.0, 2.0, 3.0]
    assert [one["rain_rate"] for one in found["observed"]] == [1.0]


def test_the_latest_is_the_latest_up_to_the_clock(tmp_path: Path) -> None:
    stores_in(tmp_path)
    found = client(tmp_path, clock=START).get("/point", params=place(2, 3)).json()
    assert found["init_time"] == isoformat(START)


def test_without_a_region_the_first_that_covers_the_place_answers(tmp_path: Path) -> None:
    stores_in(tmp_path)
    many = client(tmp_path, ("nowhere", "here"))
    assert many.get("/point", params=place(2, 3)).json()["region"] == "here"
    assert many.get("/point", params=place(2, 3) | {"region": "nowhere"}).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"lat": 10, "lon": 10}, 404, "lies in none of the regions here"),
        ({"lat": 10, "lon": 10, "region": "here"}, 404, "lies outside the grid"),
        ({"lat": 60, "lon": 25, "region": "there"}, 404, "no region 'there', there are here"),
        ({"lat": "nan", "lon": 25}, 422, "query.lat: Input should be a finite number"),
        ({"lat": "inf", "lon": 25}, 422, "query.lat"),
        ({"lat": 91, "lon": 25}, 422, "less than or equal to 90"),
        ({"lat": 60}, 422, "query.lon: Field required"),
        ({"lat": "sixty", "lon": 25}, 422, "query.lat"),
        ({"lat": 60, "lon": 25, "init_time": "noon"}, 400, "noon"),
        ({"lat": 60, "lon": 25, "init_time": "2026-06-01T00:05"}, 404, "no nowcast was issued at 2026-06-01T00:05:00Z"),
        ({"lat": 60, "lon": 25, "init_time": "9999-12-31T23:59:59Z"}, 404, "no nowcast was issued"),
        ({"lat": 60, "lon": 25, "init_time": "0001-01-01T00:00:00+10:00"}, 400, "not in the years 1 to 9999"),
        ({"lat": 60, "lon": 25, "init_time": "2026" * 20}, 422, "at most 40 characters"),
    ],
)
def test_a_wrong_question_is_refused_with_its_reason(
    here: TestClient, asked: dict[str, object], status: int, said: str
) -> None:
    answer = here.get("/point", params=asked)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert answer.json()["status"] == status


def test_the_pixel_is_the_one_that_holds_the_place(here: TestClient) -> None:
    """A third of a kilometre off the centre, in every direction."""
    for d_row, d_col in ((0.3, 0.3), (-0.3, 0.3), (0.3, -0.3), (-0.3, -0.3)):
        found = here.get("/point", params=place(1 + d_row, 4 + d_col)).json()["pixel"]
        assert (found["row"], found["col"]) == (1, 4)
        lon, lat = GRID.lonlat(1, 4)
        assert (found["lon"], found["lat"]) == pytest.approx((lon, lat), abs=1e-9)
