"""With a token: nothing without it but readiness; by header for programs, by a cookie for the map."""

from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from service import CLOCK, place, stores_in

from nowcast.serving.api.app import create_app
from nowcast.serving.api.stores import Stores
from nowcast.settings import Settings

TOKEN = "0123456789-abcdef"


@pytest.fixture
def service(tmp_path: Path) -> TestClient:
    stores_in(tmp_path)
    served = Stores(Settings(store=str(tmp_path), regions=tmp_path / "regions"), ("here",), lambda: CLOCK, 0.0)
    return TestClient(create_app(served, TOKEN), follow_redirects=False)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def log_in(service: TestClient, token: str) -> Response:
    """Send the form; the client keeps no cookie."""
    answer = service.post("/login", data={"token": token})
    service.cookies.clear()
    return answer


class TestPrograms:
    def test_the_token_opens_all(self, service: TestClient) -> None:
        for path in ("/regions", "/status", "/", "/static/style.css", "/openapi.json", "/edr/"):
            assert service.get(path, headers=bearer(TOKEN)).status_code == 200, path
        assert service.get("/point", params=place(1, 1), headers=bearer(TOKEN)).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            bearer(""),
            bearer(TOKEN[:-1]),
            bearer(TOKEN + "0"),
            bearer(TOKEN.upper()),
            {"Authorization": TOKEN},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": "Bearer ä".encode("latin-1")},
            {"Cookie": f"nowcast={TOKEN}"},
            {"Cookie": "nowcast"},
        ],
    )
    def test_anything_else_is_refused_with_a_problem(self, service: TestClient, headers: dict[str, str]) -> None:
        answer = service.get("/regions", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["status"] == 401
        assert TOKEN not in answer.text

    def test_a_token_in_the_address_opens_nothing(self, service: TestClient) -> None:
        assert service.get(f"/regions?token={TOKEN}").status_code == 401

    def test_every_endpoint_asks_but_readiness(self, service: TestClient) -> None:
        known = service.get("/openapi.json", headers=bearer(TOKEN)).json()["paths"]
        paths = {*known, "/", "/docs", "/openapi.json", "/static/main.js", "/nowhere"}
        assert len(paths) > 20
        free = [path for path in sorted(paths) if service.get(path).status_code != 401]
        assert free == ["/ready"]
        assert service.get("/ready?max_age=1d").status_code == 200

    @pytest.mark.parametrize("path", ["/ready/", "//ready", "/ready/../regions", "/login/../regions", "/%72egions"])
    def test_no_way_around(self, service: TestClient, path: str) -> None:
        assert service.get(path).status_code in (401, 404)

    def test_pages_of_others_may_ask_with_the_header(self, service: TestClient) -> None:
        asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
        answer = service.options("/regions", headers=asked | {"Access-Control-Request-Headers": "authorization"})
        assert answer.status_code == 200
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in answer.headers


class TestTheMap:
    def test_a_browser_is_led_to_the_form(self, service: TestClient) -> None:
        answer = service.get("/", headers={"Accept": "text/html,*/*"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        page = service.get("/login")
        assert page.status_code == 200
        assert 'name="token" type="password"' in page.text
        assert "form-action 'self'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"

    def test_the_form_gives_a_cookie_that_opens_the_map_and_all_it_loads(self, service: TestClient) -> None:
        answer = log_in(service, TOKEN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        kept = SimpleCookie(answer.headers["set-cookie"])["nowcast"]
        assert (kept["httponly"], kept["samesite"], kept["secure"], kept["path"]) == (True, "strict", "", "/")
        assert TOKEN not in answer.headers["set-cookie"]
        for path in ("/", "/regions", "/static/main.js", "/basemap.geojson"):
            assert service.get(path, headers={"Cookie": f"nowcast={kept.value}"}).status_code == 200

    def test_over_https_the_cookie_is_for_https_alone(self, tmp_path: Path, service: TestClient) -> None:
        safe = TestClient(service.app, base_url="https://testserver", follow_redirects=False)
        assert "Secure" in log_in(safe, TOKEN).headers["set-cookie"]

    def test_another_token_gives_none(self, service: TestClient) -> None:
        for token in ("", "guess", TOKEN + " "):
            answer = log_in(service, token)
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers

    def test_a_long_form_is_not_read(self, service: TestClient) -> None:
        assert log_in(service, "x" * 5000).status_code == 413

    def test_a_cookie_ends_when_the_token_is_changed(self, service: TestClient, tmp_path: Path) -> None:
        kept = SimpleCookie(log_in(service, TOKEN).headers["set-cookie"])["nowcast"].value
        changed = TestClient(create_app(service.app.state.stores, "another-token-of-16"))
        assert changed.get("/regions", headers={"Cookie": f"nowcast={kept}"}).status_code == 401


def test_without_a_token_nobody_is_asked(tmp_path: Path, service: TestClient) -> None:
    bare = TestClient(create_app(service.app.state.stores))
    assert bare.get("/regions").status_code == 200
    assert bare.get("/login").status_code == 404
