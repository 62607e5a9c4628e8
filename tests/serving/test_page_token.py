"""The map in a real browser when the service asks for a token: the form, then all tiles."""

from pathlib import Path

import pytest
from browser import NO_WEBGL, SOFTWARE_WEBGL, chromium, served, wait
from selenium.webdriver.common.by import By
from service import CLOCK, stores_in

from nowcast.serving.api.app import create_app
from nowcast.serving.api.stores import Stores
from nowcast.settings import Settings

TOKEN = "0123456789-abcdef"


@pytest.mark.parametrize("flags", [SOFTWARE_WEBGL, NO_WEBGL], ids=["webgl", "plain"])
def test_the_map_is_shown_to_who_has_the_token(tmp_path: Path, flags: tuple[str, ...]) -> None:
    stores_in(tmp_path)
    app = create_app(Stores(Settings(store=str(tmp_path), regions=tmp_path), ("here",), lambda: CLOCK), TOKEN)
    browser = chromium(1000, 700, *flags)
    try:
        with served(app) as url:
            browser.get(url)
            wait(browser, "location.pathname === '/login'")
            browser.find_element(By.ID, "token").send_keys("guess\n")
            wait(browser, "document.body.innerText.includes('that is not the token')")
            browser.get(url)
            browser.find_element(By.ID, "token").send_keys(f"{TOKEN}\n")
            assert wait(browser, "document.getElementById('map')?.dataset.frame")
            assert browser.execute_script("return document.cookie") == ""
            refused = [line for line in browser.get_log("browser") if "401" in line["message"]]
            assert {line["message"].split()[0] for line in refused} <= {f"{url}/login", f"{url}/favicon.ico"}
    finally:
        browser.quit()
