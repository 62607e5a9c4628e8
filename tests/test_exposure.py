"""What would let strangers in is refused when it starts, and explained by the doctor."""

import asyncio
import json
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from flows.follow import follow_region
from flows.guard import prefect_here, refuse_exposed
from nowcast import exposure
from nowcast.cli import app
from nowcast.exposure import Exposed, Prefect, is_public
from nowcast.serving.cluster import connect
from nowcast.settings import Settings

TOKEN = "0123456789abcdef"
ELSEWHERE = {PREFECT_API_URL: "http://10.0.0.1:4200/api"}
HERE = Prefect(None, False, "127.0.0.1", False)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no token file of the machine that the tests run on."""
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "NOWCAST_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_is_not_public(host: str) -> None:
    assert not is_public(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "192.168.1.5", "example.org", "", "localhost.example.org"]
)
def test_all_else_is(host: str) -> None:
    assert is_public(host)


class TestHttp:
    def test_a_public_address_needs_a_token_or_a_plain_word(self) -> None:
        bare, guarded = Settings(), Settings(api_token=TOKEN)
        assert "NOWCAST_API_TOKEN" in exposure.api(bare, "0.0.0.0", is_open=False)
        assert exposure.api(bare, "0.0.0.0", is_open=True) == ""
        assert exposure.api(bare, "127.0.0.1", is_open=False) == ""
        assert exposure.api(guarded, "0.0.0.0", is_open=False) == ""
        assert "either --open or" in exposure.api(guarded, "0.0.0.0", is_open=True)

    def test_the_command_refuses_before_it_listens(self, tmp_path: Path) -> None:
        result = CliRunner(env={"NOWCAST_STORE": str(tmp_path)}).invoke(app, ["serve", "--host", "0.0.0.0"])
        assert result.exit_code == 2
        assert "0.0.0.0 lets other machines in" in result.stderr

    def test_a_short_token_is_refused_and_not_shown(self, tmp_path: Path) -> None:
        result = CliRunner(env={"NOWCAST_API_TOKEN": "hunter2"}).invoke(app, ["serve", "--host", "0.0.0.0"])
        assert result.exit_code == 2
        assert "api_token" in result.stderr
        assert "hunter2" not in result.stderr


class TestRay:
    @pytest.mark.parametrize("address", [None, "127.0.0.1:6379", "ray://localhost:10001"])
    def test_this_machine_needs_no_token(self, address: str | None) -> None:
        assert exposure.ray(Settings(ray_address=address)) == ""

    @pytest.mark.parametrize("address", ["10.1.2.3:6379", "ray://head.example.org:10001", "auto"])
    @pytest.mark.parametrize("mode", [None, "disabled", "k8s"])
    def test_a_cluster_without_tokens_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, address: str, mode: str | None
    ) -> None:
        if mode is not None:
            monkeypatch.setenv("RAY_AUTH_MODE", mode)
        assert "RAY_AUTH_MODE=token" in exposure.ray(Settings(ray_address=address))

    @pytest.mark.parametrize(("name", "value"), [("RAY_AUTH_MODE", "token"), ("RAY_AUTH_TOKEN", "t")])
    def test_a_cluster_with_tokens_is_joined(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        assert exposure.ray(Settings(ray_address="10.1.2.3:6379")) == ""

    def test_a_token_at_hand_does_not_help_where_tokens_are_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "t")
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        assert exposure.ray(Settings(ray_address="10.1.2.3:6379"))

    def test_a_token_file_counts(self, tmp_path: Path) -> None:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("t")
        assert exposure.ray(Settings(ray_address="10.1.2.3:6379")) == ""

    def test_connecting_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_ADDRESS", "10.1.2.3:6379")
        with pytest.raises(Exposed, match="Ray at"):
            connect(Settings())


class TestPrefect:
    @pytest.mark.parametrize(
        ("found", "is_well"),
        [
            (HERE, True),
            (HERE._replace(url="http://127.0.0.1:4200/api"), True),
            (HERE._replace(url="http://10.0.0.1:4200/api"), False),
            (HERE._replace(url="https://prefect.example.org/api", has_secret=True), True),
            (HERE._replace(server_host="0.0.0.0"), False),
            (HERE._replace(server_host="0.0.0.0", server_has_secret=True), True),
        ],
    )
    def test_a_public_api_needs_a_secret(self, found: Prefect, is_well: bool) -> None:
        assert (exposure.prefect(found) == "") == is_well

    def test_settings_are_prefects_own(self) -> None:
        with temporary_settings(ELSEWHERE):
            assert prefect_here().url == "http://10.0.0.1:4200/api"
            with pytest.raises(Exposed, match=r"Prefect's API at 10\.0\.0\.1"):
                refuse_exposed(Settings())
        with temporary_settings(ELSEWHERE | {PREFECT_API_AUTH_STRING: "admin:pass"}):
            refuse_exposed(Settings())

    def test_no_flow_follows_a_region_then(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "here.yaml").write_text(f"feed: {tmp_path}\n")
        monkeypatch.setenv("NOWCAST_REGIONS", str(tmp_path))
        with temporary_settings(ELSEWHERE):
            with pytest.raises(Exposed):
                asyncio.run(follow_region.fn("here"))
            result = CliRunner().invoke(app, ["follow", "--region", "here"])
        assert result.exit_code == 2
        assert "PREFECT_SERVER_API_AUTH_STRING" in result.stderr


def test_the_doctor_explains_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOWCAST_RAY_ADDRESS", "10.0.0.2:6379")
    monkeypatch.setenv("NOWCAST_STORE", str(tmp_path))
    with temporary_settings(ELSEWHERE):
        result = CliRunner().invoke(app, ["doctor", "--json"])
    checks = {row["check"]: row for row in json.loads(result.stdout) if row["check"].startswith("access")}
    assert result.exit_code == 1
    assert {name: row["ok"] for name, row in checks.items()} == {
        "access http": True,
        "access ray": False,
        "access prefect": False,
    }
    assert "10.0.0.2" in checks["access ray"]["found"]
    assert "PREFECT_API_AUTH_STRING" in checks["access prefect"]["found"]
