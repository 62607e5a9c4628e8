"""Which frames there are, in what order, and when their versions change."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import FIVE, GRID, START, nowcast
from picture_service import INIT, SECONDS, Service, issue, served


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """One that no test changes."""
    service = served(tmp_path_factory.mktemp("store"))
    issue(service)
    return service


def test_observed_frames_come_first_and_a_gap_is_one_of_them(service: Service) -> None:
    frames = service.get("/regions/here/frames").json()["frames"]
    assert [(f["kind"], f["time"][11:16]) for f in frames] == [
        ("observed", "00:00"),
        ("observed", "00:05"),
        ("missing", "00:10"),
        ("observed", "00:15"),
        ("forecast", "00:20"),
        ("forecast", "00:25"),
        ("forecast", "00:30"),
    ]
    assert frames[2] == {"frame": f"obs-{SECONDS - 300}", "kind": "missing", "time": "2026-06-01T00:10:00Z"}
    assert [f["lead_min"] for f in frames[4:]] == [5, 10, 15]
    assert frames[4]["frame"] == f"fc-{SECONDS}-5"


def test_layers_palettes_and_the_nowcast_are_told(service: Service) -> None:
    told = service.get("/regions/here/frames").json()
    assert [(one["id"], one["kind"], one["observed"]) for one in told["layers"]] == [
        ("rain", "rain", True),
        ("chance-1", "chance", False),
        ("chance-5", "chance", False),
        ("coverage", "coverage", True),
    ]
    assert told["palettes"] == {"rain": ["classic", "viridis"], "chance": ["plasma", "purples", "inferno"]}
    assert (told["init_time"], told["model"], told["rung"], told["age_s"]) == (
        "2026-06-01T00:15:00Z",
        "fake-1",
        "champion",
        60,
    )
    assert told["cadence_s"] == 300
    west, south, east, north = told["bbox"]
    lon, lat = GRID.lonlat(0, 0)
    assert west < lon < east
    assert south < lat < north


def test_every_frame_is_drawn_at_the_address_that_the_template_gives(service: Service) -> None:
    told = service.get("/regions/here/frames").json()
    for frame in told["frames"]:
        place = {"region": "here", "z": 5, "x": 18, "y": 9, "version": frame.get("version", "")}
        for layer in told["layers"]:
            kind = layer["kind"]
            palette = told["palettes"].get(kind, [""])[-1]
            url = told["tiles"].format(layer=layer["id"], frame=frame["frame"], palette=palette, **place)
            drawn = frame["kind"] == "forecast" or (frame["kind"] == "observed" and layer["observed"])
            answer = service.get(url, 200 if drawn else 404)
            assert not drawn or answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for kind, names in told["palettes"].items():
        assert service.get(told["legend"].format(kind=kind, palette=names[-1])).json()["palette"] == names[-1]


@pytest.mark.parametrize(("past", "observed"), [(0, 1), (9, 2), (10, 3), (720, 4)])
def test_the_past_is_as_long_as_asked_for(service: Service, past: int, observed: int) -> None:
    frames = service.get(f"/regions/here/frames?past={past}").json()["frames"]
    assert len(frames) == observed + 3


def test_without_an_archive_there_are_forecasts_alone(tmp_path: Path) -> None:
    service = served(tmp_path, has_archive=False)
    issue(service)
    told = service.get("/regions/here/frames").json()
    assert [frame["kind"] for frame in told["frames"]] == ["forecast"] * 3
    assert not told["layers"][0]["observed"]
    service.get(f"/tiles/here/rain/fc-{SECONDS}-5/5/18/9.png")
    service.get(f"/tiles/here/rain/obs-{SECONDS}/5/18/9.png", 404)


def test_an_earlier_nowcast_has_its_own_frames(tmp_path: Path) -> None:
    service = served(tmp_path)
    issue(service)
    issue(service, nowcast(1))
    told = service.get("/regions/here/frames?init_time=2026-06-01T00:05").json()
    assert [frame["time"][11:16] for frame in told["frames"]] == ["00:00", "00:05", "00:10", "00:15", "00:20"]
    assert service.get("/regions/here/frames").json()["init_time"] == "2026-06-01T00:15:00Z"


def test_the_clock_decides_what_is_latest(tmp_path: Path) -> None:
    service = served(tmp_path, now=START + FIVE)
    issue(service, nowcast(1))
    issue(service, nowcast(3))
    assert service.get("/regions/here/frames").json()["init_time"] == "2026-06-01T00:05:00Z"


def test_a_better_nowcast_in_the_slot_has_another_version(tmp_path: Path) -> None:
    service = served(tmp_path)
    versions = set()
    for rung, model in (("persistence", "hold"), ("advection", "drift"), ("champion", "net")):
        issue(service, replace(nowcast(3, model=model), rung=rung), INIT + timedelta(seconds=30))
        frames = service.get("/regions/here/frames").json()["frames"]
        versions |= {frame["version"] for frame in frames if frame["kind"] == "forecast"}
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/regions/there/frames", 404),
        ("/regions/here/frames?past=-1", 422),
        ("/regions/here/frames?past=721", 422),
        ("/regions/here/frames?past=nan", 422),
        ("/regions/here/frames?init_time=soon", 400),
        ("/regions/here/frames?init_time=2026-06-01T00:05", 404),
        ("/regions/here/frames?init_time=9999-12-31T23:59:59-14:00", 400),
        ("/regions/here/frames?init_time=0001-01-01", 404),
        ("/regions/here/frames?init_time=9999-01-01", 404),
        (f"/regions/here/frames?init_time={'1' * 50}", 422),
    ],
)
def test_a_wrong_question_is_refused_with_a_reason(service: Service, url: str, status: int) -> None:
    answer = service.get(url, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_before_the_first_nowcast_there_are_no_frames(tmp_path: Path) -> None:
    assert "no nowcast" in served(tmp_path).get("/regions/here/frames", 404).json()["detail"]
