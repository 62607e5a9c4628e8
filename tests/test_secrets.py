"""No log line, error or answer shows a secret."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from service import client, stores_in
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.core.redaction import HIDDEN, redacted, redacted_values, shown
from nowcast.logs import configure
from nowcast.serving.api.faults import problem
from nowcast.settings import Settings

SECRET = "s3cr3t-v4lue"


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{SECRET}@example.org/hook",
        f"https://{SECRET}@example.org/hook?x=1",
        f"https://example.org/hook?key={SECRET}",
        f"https://example.org/hook?x=1&access_token={SECRET}&y=2",
        f"https://bucket/x?X-Amz-Signature={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"authorization={SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"'aws_session_token': '{SECRET}'",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    said = redacted(f"before {text} after")
    assert SECRET not in said
    assert HIDDEN in said
    assert said.startswith("before ")
    assert said.endswith(" after")


def test_an_access_key_is_hidden_wherever_it_stands() -> None:
    assert redacted("InvalidAccessKeyId AKIAIOSFODNN7EXAMPLE is unknown") == f"InvalidAccessKeyId {HIDDEN} is unknown"


@pytest.mark.parametrize(
    "text",
    [
        "no store at s3://bucket/prefix/here",
        "http://127.0.0.1:8000/tiles/here/rain/fc-1-5/1/2/3.png?palette=classic&v=1",
        "region here knows no model convlstm-c2799dca",
        "HOOK_TOKEN is not set",
        "basic reflectivity of a radar, bearer tokens",
        "/data/radar/a@b.h5",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text


@given(st.text(), st.text(min_size=6))
def test_a_known_secret_is_hidden_in_any_text(text: str, secret: str) -> None:
    if secret not in HIDDEN:
        assert secret not in redacted(f"{text}|{secret}|", [secret]).replace(HIDDEN, "")


def test_values_named_like_secrets_go_whole() -> None:
    found = redacted_values({"headers": [{"Authorization": "abc"}], "password": "", "token_variable": "HOOK", "n": 3})
    assert found == {"headers": [{"Authorization": HIDDEN}], "password": "", "token_variable": "HOOK", "n": 3}


@pytest.mark.parametrize("shape", ["text", "json"])
def test_logs_hide_secrets(monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "plain-words-only")
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    held = structlog.get_config()
    try:
        configure(Settings(log_format=shape, log_level="info"))
        log = structlog.get_logger()
        log.info("asked", url=f"https://u:{SECRET}@h/x", headers={"Authorization": f"Bearer {SECRET}"})
        log.error("failed", reason="key plain-words-only refused")
        try:
            raise ValueError(f"https://h/hook?token={SECRET}")
        except ValueError:
            log.exception("broke")
    finally:
        structlog.configure(**held)
    said = err.getvalue()
    assert said.count(HIDDEN) >= 4
    assert SECRET not in said
    assert "plain-words-only" not in said


def test_the_command_line_hides_secrets_in_its_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOWCAST_STORE", f"ftp://user:{SECRET}@example.org/store")
    result = CliRunner().invoke(app, ["info", "--region", "here"])
    assert result.exit_code == 2
    assert "example.org" in result.stderr
    assert SECRET not in result.stderr


def test_a_crash_of_the_command_hides_secrets() -> None:
    code = f"from nowcast import logs; import sys; sys.excepthook = logs.show_crash; raise KeyError('https://u:{SECRET}@h')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert "KeyError" in ended.stderr
    assert f"https://{HIDDEN}@h" in ended.stderr.splitlines()[-1]


def test_answers_hide_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOWCAST_API_TOKEN", "correct-horse-battery")
    assert SECRET.encode() not in problem(503, f"https://u:{SECRET}@minio:9000 refused").body
    stores_in(tmp_path)
    detail = client(tmp_path).get("/point", params={"lat": 0, "lon": 0, "region": "correct-horse-battery"}).json()
    assert "correct-horse" not in json.dumps(detail)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a\nb", r"a\nb"), ("a\x1b[31mb", r"a\x1b[31mb"), ("sää 1.h5", "sää 1.h5"), ("\udcff", r"\udcff")],
)
def test_names_from_outside_are_one_line(name: str, expected: str) -> None:
    assert shown(name) == expected
