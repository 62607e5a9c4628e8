"""What must be changed first: found by the doctor and refused at start, in the same words."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.settings import Settings

HOLD = """
import sys, time
from nowcast.claims import holding
from nowcast.settings import Settings
settings = Settings()
with holding(settings.region("here"), settings):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A feed with one file, and the folder of regions."""
    for name in ("feed", "regions"):
        (tmp_path / name).mkdir()
    (tmp_path / "feed" / "a.h5").touch()
    monkeypatch.setenv("NOWCAST_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("NOWCAST_REGIONS", str(tmp_path / "regions"))
    for name in ("NOWCAST_RAY_ADDRESS", "RAY_ADDRESS", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(home: Path, more: str = "", feed: str | None = None) -> None:
    """The YAML of region `here`."""
    (home / "regions" / "here.yaml").write_text(f"feed: {feed or home / 'feed'}\n{more}\n")


def fault(check: str) -> str:
    """What the doctor says of a check that is not well, with exit code 1."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    (found,) = (row["found"] for row in json.loads(result.stdout) if row["check"] == check and not row["ok"])
    return str(found)


def refusal(*words: str) -> str:
    """What a command says that ends with code 2."""
    result = CliRunner(env={"COLUMNS": "4000"}).invoke(app, list(words))
    assert result.exit_code == 2, result.output
    return result.stderr


def refused(said: str, *commands: str) -> None:
    """Every command refuses with these words."""
    told = {"follow": ("follow", "--region", "here"), "serve": ("serve",), "deploy": ("deploy",)}
    for command in commands:
        assert said in refusal(*told[command]), command


ALL = ("follow", "serve", "deploy")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("cadense: 5", "cadense is no key, cadence is: remove or correct it"),
        ("leads: many", "leads"),
        ("pattern: [", "here.yaml"),
    ],
)
def test_a_wrong_yaml_and_an_unknown_key(home: Path, more: str, words: str) -> None:
    write(home, more)
    said = fault("region here")
    assert words in said
    assert "here.yaml" in said
    refused(words, *ALL)


def test_a_feed_that_is_absent(home: Path) -> None:
    write(home, feed="/nowhere/scans")
    said = fault("region here")
    assert said.startswith("feed /nowhere/scans is not a folder: create or mount it, or correct `feed` in")
    refused(said, "follow", "deploy")


def test_an_empty_feed_is_told_but_may_fill(home: Path) -> None:
    write(home, "pattern: '*.nc'")
    assert "holds no file that matches '*.nc': check the delivery" in fault("region here")


def test_a_file_of_catchments_that_is_wrong(home: Path) -> None:
    (home / "regions" / "rivers.geojson").write_text('{"type": "Point"}')
    write(home, "catchments: rivers.geojson")
    said = fault("region here")
    assert "rivers.geojson: type 'Point' is no FeatureCollection" in said
    refused(said, *ALL)


def test_a_rule_for_a_catchment_that_is_not_there(home: Path) -> None:
    square = "[[[20,60],[21,60],[21,61],[20,61],[20,60]]]"
    (home / "regions" / "rivers.geojson").write_text(f'{{"type": "Polygon", "coordinates": {square}}}')
    rule = "{name: flood, threshold: 1, probability: 0.5, catchment: other}"
    write(home, f"catchments: rivers.geojson\nalerts: [{rule}]")
    assert "rule flood of region here" in fault("region here")


def test_a_model_file_that_is_absent(home: Path) -> None:
    write(home, "model: /nowhere/own.safetensors")
    said = fault("region here")
    assert "model /nowhere/own.safetensors of region here cannot be loaded" in said
    refused("correct `model` in", *ALL)


def test_a_store_that_cannot_be_written_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can write there, not even root."""
    write(home)
    monkeypatch.setenv("NOWCAST_STORE", "/proc/nowcast")
    said = fault("store")
    assert "store /proc/nowcast cannot be written to" in said
    refused(said, *ALL)


def test_a_bucket_that_does_not_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home)
    port = unused_port()
    monkeypatch.setenv("NOWCAST_STORE", "s3://bucket/nowcast")
    monkeypatch.setenv("NOWCAST_S3_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    words = f"store s3://bucket/nowcast at http://127.0.0.1:{port} cannot be reached"
    assert words in fault("store")
    refused(words, "follow", "serve", "deploy")


def test_ray_that_does_not_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home)
    monkeypatch.setenv("NOWCAST_RAY_ADDRESS", f"127.0.0.1:{unused_port()}")
    said = fault("ray answers")
    assert "start its head" in said
    refused(said, "follow", "deploy")


def test_a_server_of_prefect_that_does_not_answer(home: Path) -> None:
    write(home)
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{unused_port()}/api"}):
        said = fault("prefect answers")
        assert "start it (`prefect server start`), or correct PREFECT_API_URL" in said
        refused(said, "follow", "deploy")


def test_a_missing_token(home: Path) -> None:
    write(home)
    assert "set NOWCAST_API_TOKEN" in refusal("serve", "--host", "0.0.0.0")
    with temporary_settings({PREFECT_API_URL: "http://127.1.2.3.example:4200/api"}):
        said = fault("access prefect")
        refused(said, "follow", "deploy")


@pytest.fixture
def other(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that follows the region."""
    write(home)
    held = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    yield held
    held.kill()
    held.wait()


def test_a_second_follower_is_refused_and_the_doctor_tells_of_both(other: subprocess.Popen[str]) -> None:
    """One alone is well. One that was killed is in nobody's way."""
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
    words = f"region here is followed by process {other.pid} on {socket.gethostname()}"
    assert words in refusal("run", "--local", "--region", "here")
    said = fault("region here")
    assert words in said
    assert "was refused at" in said
    other.kill()
    other.wait()
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0


def test_a_follower_on_another_host_is_a_rival_until_it_gives_no_sign_of_life(home: Path) -> None:
    write(home)
    claim = home / "store" / "here" / "follower" / "claim.json"
    claim.parent.mkdir(parents=True)
    held = {"host": "elsewhere", "pid": 7, "born": 1.0, "renewed": "2999-01-01T00:00:00Z"}
    claim.write_text(json.dumps(held))
    assert "followed by process 7 on elsewhere" in refusal("run", "--local", "--region", "here")
    from nowcast.claims import holding

    claim.write_text(json.dumps(held | {"renewed": "2020-01-01T00:00:00Z"}))
    settings = Settings()
    with holding(settings.region("here"), settings):
        assert json.loads(claim.read_text())["host"] == socket.gethostname()
    assert claim.read_text() == "{}"


def unused_port() -> int:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
