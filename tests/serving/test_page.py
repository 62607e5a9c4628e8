"""The map page in a real browser, over a synthetic storm: nine slots from 12:00, of which 12:20 has no scan."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from browser import NO_WEBGL, SOFTWARE_WEBGL, chromium, requested, served, wait
from fastapi.testclient import TestClient
from PIL import Image

from nowcast.replay import follow_locally
from nowcast.serving.api.app import create_app
from nowcast.serving.api.page import WEB
from nowcast.serving.api.stores import Stores
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Replay
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store import query

README = WEB / "vendor" / "README.md"

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)
STORM = Storm(START, size=64, cells=3)
SLOTS, GAP, LEADS = 9, 4, 6
INIT, SHOWN = START + 8 * FIVE, 13 + LEADS
"""The newest scan; the slots on the page: an hour before it, itself, and the leads."""
WET, DRY, AROUND = 0.2, 0.05, 2
"""Rates [mm/h] above and below which a pixel and those around it surely have a colour, and surely none."""

FAR, LINES = 70, 0.04
"""How much colours differ at least [sum over red, green, blue]; the share of places that a coast line may cross."""

WHOLE = "document.getElementById('map').dataset.frame"
"""True once the map shows a frame with all its tiles."""


@dataclass
class Site:
    """The service over the storm's store; `now` is what its clock says."""

    url: str
    settings: Settings
    scans: Path
    now: datetime

    def add(self, slot: int) -> None:
        """Ingest one more scan and issue its nowcast."""
        scan = list(STORM.scans(slot + 1))[slot]
        path = self.scans / f"{slot:02d}.h5"
        write(scan, path)
        region = Region(name="here", leads=LEADS, model="advection")
        follow_locally(region, self.settings, Replay([path]), lambda *_: None, lambda: None)

    def nowcast(self) -> Any:
        """The one of INIT."""
        return query.nowcast_at(query.Reader(self.settings.location("here").child("forecasts")), INIT).load()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The storm without GAP, served as of a minute after its newest scan."""
    folder = tmp_path_factory.mktemp("page")
    settings = Settings(store=str(folder / "store"), device="cpu", regions=folder)
    made = Site("", settings, folder, INIT + timedelta(minutes=1))
    for slot in range(SLOTS):
        if slot != GAP:
            made.add(slot)
    with served(create_app(Stores(settings, ("here",), lambda: made.now))) as made.url:
        yield made


@pytest.fixture(scope="module")
def webgl() -> Iterator[Any]:
    """A browser that draws by MapLibre."""
    browser = chromium(1000, 700, *SOFTWARE_WEBGL)
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def plain() -> Iterator[Any]:
    """One without WebGL."""
    browser = chromium(1000, 700, *NO_WEBGL)
    yield browser
    browser.quit()


@pytest.fixture(params=["webgl", "plain"])
def either(request: pytest.FixtureRequest) -> Any:
    """Each of the two."""
    return request.getfixturevalue(request.param)


def opened(browser: Any, site: Site, link: str = "") -> Any:
    """The page, once its frame is there."""
    site.now = INIT + timedelta(minutes=1)
    browser.get("about:blank")
    requested(browser)
    browser.get_log("browser")
    browser.get(f"{site.url}/{link}")
    wait(browser, WHOLE)
    return browser


def said(browser: Any, element: str) -> str:
    """The text of an element."""
    return browser.execute_script(f"return document.getElementById('{element}').innerText")


def state(browser: Any) -> dict[str, Any]:
    """What the page shows."""
    return browser.execute_script("const {answer, ...rest} = nowcast.state.get(); return rest")


def press(browser: Any, *keys: str) -> None:
    """Keys, wherever the focus is."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def click(browser: Any, element: str) -> None:
    """A button."""
    browser.execute_script(f"document.getElementById('{element}').click()")


def screen(browser: Any, lonlat: tuple[float, float]) -> tuple[float, float]:
    """Where a place is on the screen [px]."""
    return tuple(browser.execute_script("return nowcast.map.project(arguments[0])", [lonlat[1], lonlat[0]]))


def interior(field: np.ndarray, coverage: np.ndarray, wet: bool) -> list[tuple[int, int]]:
    """(row, column) of pixels that are, with all AROUND them, observed and wet, or observed and dry."""
    right = coverage & (field >= WET if wet else field < DRY)
    found = []
    for row in range(AROUND, field.shape[0] - AROUND):
        for col in range(AROUND, field.shape[1] - AROUND):
            if right[row - AROUND : row + AROUND + 1, col - AROUND : col + AROUND + 1].all():
                found.append((row, col))
    return found


def coloured(browser: Any, places: list[tuple[float, float]]) -> float:
    """The share of the places that nothing else covers where the screen has neither the land's nor the sea's colour."""
    at = [screen(browser, place) for place in places]
    uncovered = "return arguments[0].map(([x, y]) => document.elementFromPoint(x, y)?.closest('#map') !== null)"
    free = [one for one, is_free in zip(at, browser.execute_script(uncovered, at), strict=True) if is_free]
    assert len(free) > len(at) / 3
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    picture = np.asarray(Image.open(BytesIO(browser.get_screenshot_as_png())).convert("RGB"), int)
    told = browser.execute_async_script("import('/static/map.js').then((m) => arguments[0](m.colours()))")
    base = np.array([[int(part) for part in re.findall(r"\d+", told[name])] for name in ("land", "sea")])
    return float(np.mean([np.abs(base - picture[round(y), round(x)]).sum(1).min() > FAR for x, y in free]))


def test_loads_without_an_error_and_asks_no_other_host(webgl: Any, site: Site) -> None:
    opened(webgl, site)
    assert (said(webgl, "when-kind"), said(webgl, "when-time")) == ("Observed", "12:40")
    assert said(webgl, "age") == "Radar 1 min old"
    assert "advection" in webgl.execute_script("return document.getElementById('origin-list').textContent")
    assert [e for e in webgl.get_log("browser") if e["level"] == "SEVERE"] == []
    hosts = {url for url in requested(webgl) if not url.startswith((site.url, "data:", "blob:", "about:"))}
    assert hosts == set()


def test_a_slot_without_a_scan_is_a_gap_and_never_dry(webgl: Any, site: Site) -> None:
    """The four slots before the first scan, and 12:20; the map is hatched there."""
    opened(webgl, site, "#lead=-20")
    assert (said(webgl, "when-kind"), said(webgl, "when-time")) == ("No scan", "12:20")
    assert webgl.execute_script("return !document.getElementById('veil').hidden")
    kinds = webgl.execute_script("return [...document.querySelectorAll('#slots i')].map(i => i.classList[0])")
    assert kinds == ["missing"] * 4 + ["observed"] * 4 + ["missing"] + ["observed"] * 4 + ["forecast"] * LEADS


def test_the_line_now_lies_between_the_newest_scan_and_the_first_lead(webgl: Any, site: Site) -> None:
    opened(webgl, site)
    share = webgl.execute_script("return parseFloat(document.getElementById('nowline').style.left) / 100")
    assert share == pytest.approx(13 / SHOWN, abs=1e-4)
    site.now = INIT + timedelta(minutes=11)
    webgl.execute_script("dispatchEvent(new Event('online'))")
    wait(webgl, f"Math.abs(parseFloat(nowline.style.left) / 100 - {(12.5 + 11 / 5) / SHOWN}) < 0.01")


def test_play_goes_on_and_pauses(webgl: Any, site: Site) -> None:
    opened(webgl, site, "#speed=4")
    click(webgl, "play")
    wait(webgl, "document.getElementById('when-kind').innerText.startsWith('Forecast')")
    click(webgl, "play")
    assert not state(webgl)["playing"]
    assert webgl.execute_script("return document.getElementById('play').getAttribute('aria-label')") == "Play"


def test_the_keyboard_does_it_all(webgl: Any, site: Site) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(webgl, site)
    press(webgl, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert (said(webgl, "when-kind"), said(webgl, "when-time")) == ("Forecast +10 min", "12:50")
    press(webgl, Keys.END)
    assert said(webgl, "when-time") == "13:10"
    press(webgl, Keys.HOME)
    assert said(webgl, "when-time") == "11:40"
    press(webgl, "n")
    assert said(webgl, "when-time") == "12:40"
    zoom = state(webgl)["place"]
    press(webgl, "+")
    wait(webgl, f"nowcast.map.place()[0] > {(zoom or [0])[0]}")
    press(webgl, "p")
    assert (state(webgl)["view"], said(webgl, "when-kind")) == ("chance", "Forecast +5 min")
    press(webgl, "c", "u", "t")
    assert (state(webgl)["coverage"], state(webgl)["zone"], state(webgl)["theme"]) == (False, "local", "light")
    press(webgl, "l")
    assert said(webgl, "panel-title") == "Layers and settings"
    press(webgl, "?")
    assert webgl.execute_script("return document.getElementById('help').open")
    press(webgl, Keys.ESCAPE, Keys.ESCAPE)
    assert state(webgl)["panel"] is None
    press(webgl, Keys.SPACE)
    assert state(webgl)["playing"]


def test_every_pixel_is_where_it_belongs(either: Any, site: Site) -> None:
    """Wet pixels of the nowcast have a colour where the map has their longitude and latitude, dry ones
    have none."""
    opened(either, site, "#lead=10&opacity=1&coverage=0&rain=viridis")
    nowcast, grid = site.nowcast(), STORM.grid
    field = nowcast.rain_rate.isel(lead_time=1).values
    known = ~np.isnan(field)
    for wet in (True, False):
        pixels = interior(np.nan_to_num(field), known, wet)
        chosen = [pixels[k] for k in np.random.default_rng(1).permutation(len(pixels))[:60]]
        assert len(chosen) > 20
        assert coloured(either, [grid.lonlat(*pixel) for pixel in chosen]) == pytest.approx(float(wet), abs=LINES)


def test_a_click_shows_the_numbers_of_the_pixel_under_it(either: Any, site: Site) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    opened(either, site, "#lead=10")
    nowcast, grid = site.nowcast(), STORM.grid
    rain = np.nan_to_num(nowcast.rain_rate.isel(lead_time=1).values)
    row, col = np.unravel_index(rain.argmax(), rain.shape)
    x, y = screen(either, grid.lonlat(row, col))
    pointer = ActionBuilder(either)
    pointer.pointer_action.move_to_location(round(x), round(y)).click()
    pointer.perform()
    wait(either, "document.querySelector('#panel .chart')")
    asked = [parse_qs(urlsplit(url).query) for url in requested(either) if "/point?" in url]
    half_pixel = 0.5 / 111.0
    assert float(asked[-1]["lat"][0]) == pytest.approx(grid.lonlat(row, col)[1], abs=1.1 * half_pixel)
    assert float(asked[-1]["lon"][0]) == pytest.approx(grid.lonlat(row, col)[0], abs=2.1 * half_pixel)
    either.execute_script("document.querySelector('#panel details').open = true")
    panel = said(either, "panel")
    assert f"row {row}, column {col}" in panel
    rate = float(rain[row, col])
    assert f"12:50\t{rate:.2f} mm/h" in panel or f"12:50\t{rate:.1f} mm/h" in panel
    assert "12:20\tnot observed" in panel
    ActionChains(either).move_to_element_with_offset(
        either.find_element("css selector", "#panel .chart"), 150, -40
    ).perform()
    assert "mm/h" in either.execute_script("return document.querySelector('.readout').textContent")


def test_outside_the_grid_is_said_kindly(webgl: Any, site: Site) -> None:
    opened(webgl, site, "#panel=point&point=10/10")
    wait(webgl, "document.querySelector('#panel .sentence')")
    assert "outside the radar's grid" in said(webgl, "panel")


def test_probability_draws_chances_and_their_legend(webgl: Any, site: Site) -> None:
    opened(webgl, site, "#lead=5&opacity=1&coverage=0")
    click(webgl, "view-chance")
    wait(
        webgl,
        f"{WHOLE}.startsWith('fc') && document.getElementById('legend').innerText.startsWith('Chance of ≥ 0.1 mm/h %')",
    )
    sure = site.nowcast().probability.sel(threshold=0.1).isel(lead_time=0).values >= 0.1
    pixels = interior(sure.astype(float), np.ones_like(sure), wet=True)
    assert coloured(webgl, [STORM.grid.lonlat(*pixel) for pixel in pixels[::5]]) == pytest.approx(1, abs=LINES)
    webgl.execute_script("document.querySelector('#thresholds [data-value=\"1\"]').click()")
    wait(webgl, f"{WHOLE} && nowcast.state.get().threshold === '1'")
    assert any("/chance-1/fc-" in url for url in requested(webgl))


def test_skill_stands_beside_the_baselines(webgl: Any, site: Site) -> None:
    opened(webgl, site, "#panel=skill")
    wait(webgl, "document.querySelector('#panel .curve.persistence')")
    assert "min ahead: CSI" in said(webgl, "panel")
    assert "advection" in said(webgl, "panel")


def test_a_link_restores_what_was_seen(webgl: Any, site: Site) -> None:
    link = (
        "#region=here&view=chance&threshold=2&chance=purples&coverage=0&opacity=0.6&loop=0&speed=2"
        "&point=60.1/25.1&panel=point&theme=dark&zone=local&place=8.5/60.05/24.95&lead=15"
    )
    opened(webgl, site, link)
    wait(webgl, "document.querySelector('#panel .chart') && location.hash.includes('lead=15')")
    shown = state(webgl)
    assert (shown["view"], shown["threshold"], shown["chance"], shown["coverage"]) == ("chance", "2", "purples", False)
    assert (shown["point"], shown["opacity"], shown["speed"], shown["loop"]) == ([60.1, 25.1], 0.6, 2, False)
    assert webgl.execute_script("return nowcast.map.place()") == pytest.approx([8.5, 60.05, 24.95], abs=1e-6)
    assert said(webgl, "when-kind") == "Forecast +15 min"
    assert webgl.execute_script("return document.documentElement.dataset.theme") == "dark"
    written = webgl.execute_script("return location.hash")
    assert set(written[1:].split("&")) == set(link[1:].split("&"))


def test_old_and_unreachable_are_said_while_the_picture_stays(webgl: Any, site: Site) -> None:
    opened(webgl, site)
    assert webgl.execute_script("return document.getElementById('banner').hidden")
    site.now = INIT + timedelta(hours=2)
    webgl.execute_script("dispatchEvent(new Event('online'))")
    wait(webgl, "document.getElementById('banner').innerText.includes('2 h ago')")
    webgl.execute_cdp_cmd("Network.enable", {})
    no_network = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    webgl.execute_cdp_cmd("Network.emulateNetworkConditions", no_network)
    webgl.execute_script("dispatchEvent(new Event('offline'))")
    wait(webgl, "document.getElementById('banner').innerText.includes('cannot be reached')")
    assert said(webgl, "when-time") == "12:40"
    assert said(webgl, "age") == "Radar 2 h old"
    again = no_network | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    webgl.execute_cdp_cmd("Network.emulateNetworkConditions", again)
    webgl.execute_script("dispatchEvent(new Event('online'))")
    wait(webgl, "!document.getElementById('banner').innerText.includes('cannot be reached')")


def test_a_phone_has_room_for_everything(webgl: Any, site: Site) -> None:
    """At 360 px nothing that is touched is cut off or smaller than 40 px."""
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    webgl.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened(webgl, site, "#view=chance")
    boxes = webgl.execute_script(
        "return [...document.querySelectorAll('button, #slider')].map(b => [b.id, b.getBoundingClientRect().toJSON()])"
        ".filter(([, r]) => r.width)"
    )
    webgl.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"width": 1000, "height": 700, "mobile": False})
    named = [(name, box) for name, box in boxes if name]
    assert len(named) > 8
    assert [(name, box) for name, box in named if box["left"] < 0 or box["right"] > 360 or box["height"] < 40] == []


def test_without_webgl_leaflet_draws(plain: Any, site: Site) -> None:
    opened(plain, site)
    assert plain.execute_script("return document.body.dataset.map") == "leaflet"
    assert plain.execute_script("return document.querySelectorAll('img.leaflet-tile-loaded').length") > 0
    assert [e for e in plain.get_log("browser") if e["level"] == "SEVERE"] == []


def test_goes_on_to_a_newer_nowcast_without_losing_the_place(webgl: Any, site: Site) -> None:
    """The last of the tests: it adds the scan of 12:45."""
    opened(webgl, site, "#lead=15")
    site.add(SLOTS)
    site.now = INIT + FIVE + timedelta(minutes=1)
    webgl.execute_script("dispatchEvent(new Event('online'))")
    wait(webgl, "nowcast.state.get().answer.init_time.includes('12:45')")
    assert (said(webgl, "when-kind"), said(webgl, "when-time")) == ("Forecast +10 min", "12:55")


def test_nothing_but_the_page_itself_may_run() -> None:
    """No script or style in the page, a policy that allows none, and no text that is put in as HTML."""
    client = TestClient(create_app(Stores(Settings(), (), lambda: INIT)))
    answer = client.get("/")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    for path in WEB.glob("*.js"):
        assert "innerHTML" not in path.read_text(), path


def test_files_say_how_long_they_may_be_kept() -> None:
    client = TestClient(create_app(Stores(Settings(), (), lambda: INIT)))
    kept = {path: client.get(path).headers["cache-control"] for path in ("/static/main.js", "/basemap.geojson")}
    assert kept == {"/static/main.js": "no-cache", "/basemap.geojson": "public, max-age=86400"}
    leaflet = client.get("/static/vendor/leaflet-1.9.4/leaflet.css")
    assert "immutable" in leaflet.headers["cache-control"]
    for lost in ("/static/none.js", "/static/%2e%2e/api/app.py"):
        assert client.get(lost).status_code == 404
        assert client.get(lost).headers["content-type"] == "application/problem+json"


def test_the_basemap_crosses_no_antimeridian() -> None:
    """Else land would fill the wrong side of the world."""
    client = TestClient(create_app(Stores(Settings(), (), lambda: INIT)))
    land, _ = json.loads(client.get("/basemap.geojson").content)["features"]
    for rings in land["geometry"]["coordinates"]:
        for ring in map(np.asarray, rings):
            leaps = np.abs(np.diff(ring[:, 0])) > 180
            assert (ring[1:][leaps, 1] < -89).all()


def test_vendored_files_are_those_that_the_readme_names() -> None:
    folder = WEB / "vendor"
    named = dict(reversed(line.split()) for line in re.findall(r"^[0-9a-f]{64}  .+$", README.read_text(), re.M))
    held = {str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in folder.glob("*/*")}
    assert named == held
