"""Pictures of the map page for the documents: `python tests/screenshots.py STORE REGION NOW FOLDER`.

Serves the store as of NOW (ISO 8601) and writes map-rain.png, map-probability-dark.png, map-meteogram.png and
map-phone.png.
"""

import sys
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from browser import SOFTWARE_WEBGL, chromium, served, wait
from PIL import Image

from nowcast.core.timeline import parse_time
from nowcast.serving.api.app import create_app
from nowcast.serving.api.stores import Stores
from nowcast.settings import Settings

PLACE, TOWN = "62.4/25.4", "61.3/24.9"


class Shot(NamedTuple):
    """A picture: its size [CSS pixels], pixels per CSS pixel, what it shows, and what must be there first."""

    width: int
    height: int
    scale: float
    link: str
    ready: str


FRAME = "document.getElementById('map').dataset.frame && !document.querySelector('#slots .unfetched')"
PANEL = f"document.querySelector('#panel .chart') && {FRAME}"

SHOTS = {
    "map-rain": Shot(1280, 800, 1, f"theme=light&lead=25&place=4.55/{PLACE}", FRAME),
    "map-probability-dark": Shot(1280, 800, 1, f"theme=dark&view=chance&threshold=1&lead=30&place=4.55/{PLACE}", FRAME),
    "map-meteogram": Shot(
        1280, 900, 1, f"theme=light&threshold=1&lead=15&point={TOWN}&panel=point&place=6.1/61.1/26.6", PANEL
    ),
    "map-phone": Shot(390, 844, 1.5, f"theme=dark&lead=25&place=4.3/{PLACE}", FRAME),
}


def take(url: str, shot: Shot) -> Image.Image:
    """One picture, by a browser of its own."""
    browser = chromium(shot.width, shot.height, *SOFTWARE_WEBGL, scale=shot.scale)
    try:
        browser.get(f"{url}/#{shot.link}")
        wait(browser, shot.ready, seconds=120)
        browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        return Image.open(BytesIO(browser.get_screenshot_as_png()))
    finally:
        browser.quit()


def main(store: str, region: str, now: datetime, folder: Path) -> None:
    """Write all pictures."""
    app = create_app(Stores(Settings(store=store), (region,), lambda: now))
    with served(app) as url:
        for name, shot in SHOTS.items():
            take(url, shot).convert("RGB").save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], parse_time(sys.argv[3]), Path(sys.argv[4]))
