"""A client written after RainViewer's documentation shows our frames."""

import io
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import GRID
from mercator_maps import on_map
from picture_service import INIT, SECONDS, ZOOM, Service, issue, rgba, served
from PIL import Image

from nowcast.tiles.palettes import CLASSIC, VIRIDIS


@dataclass(frozen=True)
class Client:
    """Reads weather-maps.json and builds {host}{path}/{size}/{z}/{x}/{y}/{color}/{options}.png from it."""

    service: Service
    maps: dict[str, Any]

    def image(self, frame: dict[str, Any], size: int = 256, color: int = 2, options: str = "0_0") -> Any:
        x, y, _, _ = on_map(*GRID.lonlat(1, 1), z=ZOOM)
        url = f"{self.maps['host']}{frame['path']}/{size}/{ZOOM}/{x}/{y}/{color}/{options}.png"
        return Image.open(io.BytesIO(self.service.get(url).content)).convert("RGBA")

    def look(self, frame: dict[str, Any], **options: Any) -> Any:
        _, _, row, col = on_map(*GRID.lonlat(1, 1), z=ZOOM)
        return self.image(frame, **options).getpixel((col, row))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """One that no test changes."""
    service = served(tmp_path_factory.mktemp("store"))
    issue(service)
    return service


@pytest.fixture
def client(service: Service) -> Client:
    return Client(service, service.get("/rainviewer/here/public/weather-maps.json").json())


def test_the_maps_have_the_documented_shape(client: Client) -> None:
    maps = client.maps
    assert set(maps) == {"version", "generated", "host", "radar", "satellite"}
    assert maps["version"] == "2.0"
    assert maps["generated"] == SECONDS + 60
    assert maps["host"] == "http://testserver/rainviewer/here"
    assert maps["satellite"] == {"infrared": []}
    assert set(maps["radar"]) == {"past", "nowcast"}
    assert [frame["time"] - SECONDS for frame in maps["radar"]["past"]] == [-900, -600, 0]
    assert [frame["time"] - SECONDS for frame in maps["radar"]["nowcast"]] == [300, 600, 900]
    assert maps["radar"]["past"][0]["path"] == f"/v2/radar/{SECONDS - 900}"
    assert all(frame["path"].startswith("/v2/radar/nowcast_") for frame in maps["radar"]["nowcast"])


def test_tiles_show_the_frames_in_the_scheme_and_size_asked_for(client: Client) -> None:
    past, leads = client.maps["radar"]["past"], client.maps["radar"]["nowcast"]
    assert client.look(past[-1]) == rgba(CLASSIC[6])
    assert client.look(leads[0]) == rgba(CLASSIC[4])
    assert client.look(leads[0], color=0) == rgba(VIRIDIS[4])
    assert client.look(leads[0], color=8, options="1_1") == rgba(CLASSIC[4])
    assert client.image(leads[0], size=512).size == (512, 512)


def test_forecast_tiles_may_be_kept_for_ever_and_observed_ones_not(client: Client) -> None:
    radar, tail = client.maps["radar"], "/256/5/18/9/2/0_0.png"
    forecast = client.service.get(client.maps["host"] + radar["nowcast"][0]["path"] + tail)
    observed = client.service.get(client.maps["host"] + radar["past"][0]["path"] + tail)
    assert "immutable" in forecast.headers["Cache-Control"]
    assert forecast.headers["Nowcast-Model"] == "fake-1"
    assert "immutable" not in observed.headers["Cache-Control"]


def test_coverage_is_grey_where_no_radar_sees_beyond_the_grid_too(service: Service) -> None:
    x, y, row, col = on_map(*GRID.lonlat(1, 1), z=ZOOM)
    url = f"/rainviewer/here/v2/coverage/0/256/{ZOOM}/{x}/{y}/0/0_0.png"
    alpha = np.asarray(Image.open(io.BytesIO(service.get(url).content)).convert("RGBA"))[..., 3]
    assert alpha[row, col] == 0
    assert 0 < np.mean(alpha == 128) < 1
    far = service.get("/rainviewer/here/v2/coverage/0/256/5/0/0/0/0_0.png")
    assert (np.asarray(Image.open(io.BytesIO(far.content)).convert("RGBA"))[..., 3] == 128).all()


def test_a_stale_nowcast_is_not_offered_as_the_future(tmp_path: Path) -> None:
    service = served(tmp_path, now=INIT + timedelta(minutes=16))
    issue(service)
    radar = service.get("/rainviewer/here/public/weather-maps.json").json()["radar"]
    assert radar["nowcast"] == []
    assert len(radar["past"]) == 3


def test_without_an_archive_the_coverage_is_the_nowcasts(tmp_path: Path) -> None:
    service = served(tmp_path, has_archive=False)
    issue(service)
    assert service.get("/rainviewer/here/public/weather-maps.json").json()["radar"]["past"] == []
    service.get("/rainviewer/here/v2/coverage/0/256/5/18/9/0/0_0.png")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("there/public/weather-maps.json", 404),
        (f"here/v2/radar/{SECONDS}/256/5/18/9/9/0_0.png", 422),
        (f"here/v2/radar/{SECONDS}/300/5/18/9/2/0_0.png", 422),
        (f"here/v2/radar/{SECONDS}/256/5/32/9/2/0_0.png", 400),
        (f"here/v2/radar/{SECONDS}/256/5/18/9/2/2_0.png", 422),
        (f"here/v2/radar/{SECONDS - 300}/256/5/18/9/2/0_0.png", 404),
        (f"here/v2/radar/nowcast_{SECONDS}_7_ab/256/5/18/9/2/0_0.png", 404),
        ("here/v2/radar/nowcast_x/256/5/18/9/2/0_0.png", 422),
    ],
)
def test_a_wrong_address_is_refused(service: Service, path: str, status: int) -> None:
    assert service.get(f"/rainviewer/{path}", status).json()["status"] == status
