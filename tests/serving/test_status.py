"""`/status`, `/ready`, `/regions`, `/skill`: what operators and the map ask."""

from datetime import timedelta
from pathlib import Path

import pytest
from fakes import FIVE, GRID, NOW, START, forecasts_in
from service import client, stores_in

from nowcast.store.forecasts import withhold


def test_status_tells_ages_of_scan_and_nowcast(tmp_path: Path) -> None:
    stores_in(tmp_path)
    found = client(tmp_path).get("/status").json()
    assert found["now"] == "2026-06-01T00:11:00Z"
    here = found["regions"]["here"]
    assert (here["newest_scan"], here["scan_age_s"]) == ("2026-06-01T00:10:00Z", 60)
    assert (here["nowcast"]["init_time"], here["nowcast"]["age_s"]) == ("2026-06-01T00:10:00Z", 60)


def test_ready_compares_the_newest_nowcast_with_an_age(tmp_path: Path) -> None:
    stores_in(tmp_path)
    later = client(tmp_path, clock=START + timedelta(minutes=40))
    assert later.get("/ready", params={"max_age": "30min"}).status_code == 200
    refused = later.get("/ready", params={"max_age": "29min"})
    assert refused.status_code == 503
    assert "here: the newest nowcast is 0:30:00 old, more than 0:29:00" in refused.json()["detail"]
    assert later.get("/ready").status_code == 422
    assert later.get("/ready", params={"max_age": "soon"}).status_code == 400


def test_a_nowcast_is_stale_after_three_cadences(tmp_path: Path) -> None:
    stores_in(tmp_path)
    for minutes, stale in ((25, False), (26, True)):
        found = client(tmp_path, clock=START + timedelta(minutes=minutes)).get("/status").json()
        assert found["regions"]["here"]["nowcast"]["is_stale"] is stale


def test_a_region_may_say_itself_when_its_nowcasts_are_stale(tmp_path: Path) -> None:
    stores_in(tmp_path)
    (tmp_path / "regions").mkdir()
    (tmp_path / "regions" / "here.yaml").write_text("stale_after: 2\n")
    found = client(tmp_path, clock=START + timedelta(minutes=13)).get("/status").json()["regions"]["here"]["nowcast"]
    assert (found["stale_after"], found["is_stale"]) == ("2026-06-01T00:12:00Z", True)


def test_a_region_without_nowcasts_is_not_ready_and_says_why(tmp_path: Path) -> None:
    withhold(forecasts_in(tmp_path / "here"), START, "no scan", NOW)
    asked = client(tmp_path, ("here", "fresh"))
    found = asked.get("/status").json()["regions"]
    assert found["here"]["nowcast"] is None
    assert "no nowcast up to 2026-06-01T00:11:00Z" in found["here"]["reason"]
    assert "no store at" in found["fresh"]["reason"]
    assert asked.get("/ready", params={"max_age": "1h"}).status_code == 503
    assert asked.get("/status", params={"region": "there"}).status_code == 404


def test_a_store_that_appears_later_is_served_then(tmp_path: Path) -> None:
    asked = client(tmp_path)
    assert asked.get("/regions").json()["regions"] == []
    stores_in(tmp_path)
    assert [one["region"] for one in asked.get("/regions").json()["regions"]] == ["here"]


def test_a_region_tells_where_it_lies(tmp_path: Path) -> None:
    """All corners lie in the box, and the box ends where they end."""
    stores_in(tmp_path)
    found = client(tmp_path).get("/regions").json()["regions"][0]
    west, south, east, north = found["bbox"]
    corners = [GRID.lonlat(row, col) for row in (-0.5, 3.5) for col in (-0.5, 5.5)]
    assert (west, east) == pytest.approx((min(lon for lon, _ in corners), max(lon for lon, _ in corners)), abs=1e-6)
    assert south == pytest.approx(min(lat for _, lat in corners), abs=1e-4)
    assert north == pytest.approx(max(lat for _, lat in corners), abs=1e-4)
    assert found["cadence_s"] == FIVE.total_seconds()


def test_skill_before_anything_came_true_is_not_there(tmp_path: Path) -> None:
    stores_in(tmp_path)
    asked = client(tmp_path)
    assert asked.get("/skill").status_code == 404
    assert "no nowcast has been scored yet" in asked.get("/skill").json()["detail"]
    assert asked.get("/skill", params={"window": "9999d"}).status_code == 400
    assert asked.get("/skill", params={"window": "x"}).status_code == 400
    assert client(tmp_path, ("here", "there")).get("/skill").status_code == 400


def test_an_unknown_path_is_a_problem_too(tmp_path: Path) -> None:
    answer = client(tmp_path).get("/nothing")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
    assert client(tmp_path).post("/status").status_code == 405
