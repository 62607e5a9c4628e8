"""Tiles over HTTP show the right value at the right place, and say how long they hold."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import GRID, START, TIMELINE, file_id, nowcast
from mercator_maps import on_map
from picture_service import CLEAR, INIT, SECONDS, ZOOM, Service, issue, one_wet_pixel, rgba, served
from PIL import Image

from nowcast.core.rain import MARSHALL_PALMER
from nowcast.core.scan import Scan
from nowcast.store.archive import append, create_archive
from nowcast.store.repository import Location
from nowcast.tiles.palettes import CLASSIC, PLASMA, VIRIDIS

FIRST, SECOND, SEEN = f"fc-{SECONDS}-5", f"fc-{SECONDS}-10", f"obs-{SECONDS}"
GREY = (128, 128, 128, 128)
TILE = f"/tiles/here/rain/{FIRST}/5/18/9.png"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """One that no test changes."""
    service = served(tmp_path_factory.mktemp("store"))
    issue(service)
    return service


@pytest.mark.parametrize("wet", [(0, 0), (0, 5), (1, 4), (3, 2)])
@pytest.mark.parametrize("query", ["", "?smooth=1"])
def test_a_wet_pixel_is_drawn_at_its_place_and_nowhere_else(tmp_path: Path, wet: tuple[int, int], query: str) -> None:
    service = served(tmp_path)
    issue(service, replace(nowcast(3), rain_rate=one_wet_pixel(*wet, rain_rate=2.5)))
    assert service.look("rain", FIRST, *wet, query) == rgba(CLASSIC[6])
    for row, col in ((row, col) for row in range(4) for col in range(6) if (row, col) != wet):
        assert service.look("rain", FIRST, row, col, query)[3] == CLEAR


def test_leads_chances_and_observations_have_their_own_values(service: Service) -> None:
    assert service.look("rain", FIRST, 1, 1) == rgba(CLASSIC[4])
    assert service.look("rain", SECOND, 1, 1) == rgba(CLASSIC[6])
    assert service.look("rain", FIRST, 1, 1, "?palette=viridis") == rgba(VIRIDIS[4])
    assert service.look("chance-1", FIRST, 1, 1) == rgba(PLASMA[2])
    assert service.look("chance-5", FIRST, 1, 1)[3] == CLEAR
    assert service.look("rain", SEEN, 1, 1) == rgba(CLASSIC[6])
    assert service.look("rain", f"obs-{SECONDS - 900}", 1, 1) == rgba(CLASSIC[4])


def test_an_archive_of_reflectivity_is_drawn_as_rain(tmp_path: Path) -> None:
    service = served(tmp_path, has_archive=False)
    archive = create_archive(
        Location(str(tmp_path / "here" / "archive")), GRID, TIMELINE, "reflectivity", MARSHALL_PALMER
    )
    dbz = np.full(GRID.shape, MARSHALL_PALMER.reflectivity(np.array(6.0, np.float32)), np.float32)
    dbz[0, 0] = np.nan
    seen = Scan("fake", "dbz", INIT, "reflectivity", dbz, ~np.isnan(dbz), GRID)
    append(archive, [seen], file_id(0), START)
    assert service.look("rain", SEEN, 2, 2) == rgba(CLASSIC[8])
    assert service.look("rain", SEEN, 0, 0)[3] == CLEAR
    assert service.look("coverage", SEEN, 0, 0) == GREY
    assert service.look("coverage", SEEN, 2, 2)[3] == CLEAR


def test_what_is_not_observed_or_forecast_is_grey_in_the_coverage(service: Service) -> None:
    for frame in (SEEN, FIRST):
        assert service.look("rain", frame, 0, 0)[3] == CLEAR
        assert service.look("coverage", frame, 0, 0) == GREY
        assert service.look("coverage", frame, 1, 1)[3] == CLEAR


def test_flags_of_radar_coverage_are_drawn_where_there_are_values_too(tmp_path: Path) -> None:
    service = served(tmp_path)
    flags = np.full(GRID.shape, 2, np.uint8)
    flags[1, 1], flags[1, 2], flags[1, 3] = 0, 1, 255
    issue(service, replace(nowcast(3), radar_coverage=flags))
    assert [service.look("coverage", FIRST, 1, col)[3] for col in range(1, 5)] == [128, 128, CLEAR, CLEAR]


def test_a_tile_beside_the_grid_is_blank(service: Service) -> None:
    image = Image.open(io.BytesIO(service.get(f"/tiles/here/coverage/{FIRST}/5/0/0.png?size=512").content))
    assert image.size == (512, 512)
    assert not np.asarray(image.convert("RGBA"))[..., 3].any()


def test_a_client_that_holds_a_tile_gets_304(service: Service) -> None:
    etag = service.get(TILE).headers["ETag"]
    for given in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = service.get(TILE, 304, {"If-None-Match": given})
        assert answer.content == b""
        assert answer.headers["ETag"] == etag
    service.get(TILE, 200, {"If-None-Match": '"other"'})
    others = [service.get(f"{TILE}?{query}").headers["ETag"] for query in ("palette=viridis", "smooth=1", "size=512")]
    assert len({etag, *others}) == 4


def test_only_the_current_version_is_kept_for_ever(service: Service) -> None:
    version = service.get("/regions/here/frames").json()["frames"][-1]["version"]
    assert "immutable" in service.get(f"{TILE}?v={version}").headers["Cache-Control"]
    for query in ("", "?v=", "?v=000000000000"):
        assert service.get(TILE + query).headers["Cache-Control"] == "public, max-age=30"


def test_a_tile_says_which_nowcast_it_shows(service: Service) -> None:
    headers = service.get(TILE).headers
    assert headers["Nowcast-Init-Time"] == "2026-06-01T00:15:00Z"
    assert headers["Nowcast-Input-Age-S"] == "90"
    assert (headers["Nowcast-Model"], headers["Nowcast-Rung"]) == ("fake-1", "champion")
    assert headers["Nowcast-Stale-After"] == "2026-06-01T00:30:00Z"
    assert "Nowcast-Model" not in service.get(f"/tiles/here/rain/{SEEN}/5/18/9.png").headers


def test_a_better_nowcast_in_the_slot_replaces_the_tile(tmp_path: Path) -> None:
    service = served(tmp_path)
    issue(service, replace(nowcast(3, 1.0, "hold"), rung="persistence"))
    assert service.look("rain", FIRST, 1, 1) == rgba(CLASSIC[4])
    etag = service.get(TILE).headers["ETag"]
    issue(service, replace(nowcast(3, 2.0, "net"), rung="champion"), INIT + timedelta(seconds=9))
    assert service.look("rain", FIRST, 1, 1) == rgba(CLASSIC[6])
    assert service.get(TILE, 200, {"If-None-Match": etag}).headers["Nowcast-Rung"] == "champion"


def test_a_newer_nowcast_leaves_the_frames_of_earlier_ones(tmp_path: Path) -> None:
    service = served(tmp_path)
    issue(service)
    etag = service.get(TILE).headers["ETag"]
    issue(service, nowcast(4, 5.0))
    assert service.get(TILE).headers["ETag"] == etag
    assert service.look("rain", FIRST, 1, 1) == rgba(CLASSIC[4])


def test_requests_at_once_get_what_they_would_get_alone(service: Service) -> None:
    x, y, _, _ = on_map(*GRID.lonlat(1, 1), z=ZOOM)
    urls = [
        f"/tiles/here/{layer}/fc-{SECONDS}-{lead}/{ZOOM}/{x}/{y}.png?smooth={smooth}"
        for layer in ("rain", "chance-1", "coverage")
        for lead in (5, 10, 15)
        for smooth in (0, 1)
    ]
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda url: service.get(url).content, urls * 2))
    assert at_once == [service.get(url).content for url in urls] * 2
    assert len(set(at_once)) > 3


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"there/rain/{FIRST}/5/18/9.png", 404),
        (f"here/snow/{FIRST}/5/18/9.png", 404),
        (f"here/chance-7/{FIRST}/5/18/9.png", 404),
        (f"here/chance-1/{SEEN}/5/18/9.png", 404),
        (f"here/rain/fc-{SECONDS}-7/5/18/9.png", 404),
        (f"here/rain/fc-{SECONDS + 300}-5/5/18/9.png", 404),
        (f"here/rain/obs-{SECONDS - 300}/5/18/9.png", 404),
        (f"here/rain/obs-{SECONDS + 1}/5/18/9.png", 404),
        ("here/rain/obs-0/5/18/9.png", 404),
        ("here/rain/obs-9999999999/5/18/9.png", 404),
        ("here/rain/fc-9999999999-99999/5/18/9.png", 404),
        ("here/rain/newest/5/18/9.png", 422),
        ("here/rain/obs-1e9/5/18/9.png", 422),
        (f"here/rain/{FIRST}/5/32/9.png", 400),
        (f"here/rain/{FIRST}/5/18/32.png", 400),
        (f"here/rain/{FIRST}/5/-1/9.png", 422),
        (f"here/rain/{FIRST}/23/0/0.png", 422),
        (f"here/rain/{FIRST}/5/18/nan.png", 422),
        (f"here/rain/{FIRST}/5/{10**30}/9.png", 422),
        (f"here/rain/{FIRST}/5/18/9.jpg", 404),
        (f"here/rain/{FIRST}/5/18/9.png?size=300", 422),
        (f"here/rain/{FIRST}/5/18/9.png?smooth=2", 422),
        (f"here/rain/{FIRST}/5/18/9.png?palette=plasma", 400),
        (f"here/rain/{FIRST}/5/18/9.png?palette={'x' * 50}", 422),
        (f"here/{'x' * 50}/{FIRST}/5/18/9.png", 422),
    ],
)
def test_a_wrong_address_is_refused_with_a_reason(service: Service, path: str, status: int) -> None:
    answer = service.get(f"/tiles/{path}", status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_legends_are_given_by_kind_and_palette(service: Service) -> None:
    told = service.get("/legend/chance.json").json()
    assert (told["kind"], told["palette"], told["classes"][0]["from"]) == ("chance", "plasma", 0.05)
    assert service.get("/legend/rain.json?palette=viridis").json()["classes"][0]["colour"] == VIRIDIS[0]
    drawn = service.get("/legend/rain.png")
    assert Image.open(io.BytesIO(drawn.content)).format == "PNG"
    service.get("/legend/rain.png", 304, {"If-None-Match": drawn.headers["ETag"]})
    service.get("/legend/snow.json", 422)
    service.get("/legend/rain.json?palette=plasma", 400)
