"""Settings come from the environment and one YAML per region; what is wrong there is said with the file's name."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from nowcast.settings import Box, Region, Settings, calm_engines

RULE = "{name: flood, catchment: vantaa, window_min: 30, threshold: 5, probability: 0.6, webhook: 'https://h/key'}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=str(tmp_path / "store"), regions=tmp_path)


def region(settings: Settings, text: str) -> Region:
    """Region `here` with this YAML."""
    (settings.regions / "here.yaml").write_text(text)
    return settings.region("here")


class TestEnvironment:
    def test_each_setting_has_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOWCAST_STORE", "s3://radar/stores")
        monkeypatch.setenv("NOWCAST_REGIONS", "/etc/nowcast")
        monkeypatch.setenv("NOWCAST_LOG_FORMAT", "json")
        settings = Settings()
        assert settings.store == "s3://radar/stores"
        assert settings.regions == Path("/etc/nowcast")
        assert settings.log_format == "json"

    def test_arguments_come_before_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOWCAST_STORE", "elsewhere")
        assert Settings(store="here").store == "here"

    def test_a_token_is_read_from_the_variable_that_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOOK_TOKEN", "pass")
        assert (Settings().token("HOOK_TOKEN"), Settings().token("HOOK_TOKEN_2")) == ("pass", None)

    @pytest.mark.parametrize("name", ["LOG_LEVEL", "LOG_FORMAT"])
    def test_a_wrong_value_is_refused(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(f"NOWCAST_{name}", "loud")
        with pytest.raises(ValidationError, match=name.lower()):
            Settings()

    def test_engines_are_calm_unless_the_user_wants_otherwise(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
        monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
        calm_engines()
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert os.environ["PREFECT_LOGGING_LEVEL"] == "DEBUG"


class TestYaml:
    def test_all_fields(self, settings: Settings) -> None:
        read = region(
            settings,
            """
            feed: /scans
            pattern: "*.h5"
            cadence: 5
            archive_start: 2016-09-28T00:00:00Z
            box: {south: 59, west: 20, north: 61, east: 26}
            leads: 24
            thresholds: [0.5, 2]
            model: persistence
            poll_s: 0.5
            """,
        )
        assert read == Region(
            name="here",
            feed=Path("/scans"),
            pattern="*.h5",
            cadence=timedelta(minutes=5),
            archive_start=datetime(2016, 9, 28, tzinfo=UTC),
            box=Box(south=59, west=20, north=61, east=26),
            leads=24,
            thresholds=(0.5, 2.0),
            model="persistence",
            poll_s=0.5,
        )

    def test_catchments_and_alerts(self, settings: Settings) -> None:
        read = region(settings, f"catchments: rivers.geojson\nalerts: [{RULE}]")
        assert settings.catchments(read) == settings.regions / "rivers.geojson"
        assert (read.alerts[0].name, read.alerts[0].clear_below) == ("flood", 0.3)

    def test_a_wrong_webhook_is_not_shown(self, settings: Settings) -> None:
        """It may hold a password, whatever is wrong with it."""
        for text in ("ftp://h/secret", "{secret: 1}"):
            with pytest.raises(ValueError, match=r"here\.yaml: alerts\.0") as caught:
                region(settings, f"catchments: a\nalerts: [{{name: a, threshold: 5, probability: 1, webhook: {text}}}]")
            assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n"])
    def test_an_empty_file_means_the_defaults(self, settings: Settings, text: str) -> None:
        assert region(settings, text) == Region(name="here")

    def test_no_file_means_the_defaults(self, settings: Settings) -> None:
        assert settings.region("here") == Region(name="here")
        assert settings.region_names() == []

    def test_cadence_is_in_minutes(self, settings: Settings) -> None:
        assert region(settings, "cadence: 2.5").cadence == timedelta(seconds=150)

    @pytest.mark.parametrize(
        "time", ["2026-06-01", "2026-06-01 00:00:00", "2026-06-01T00:00:00Z", "2026-06-01T02:00+02:00"]
    )
    def test_archive_start_is_utc(self, settings: Settings, time: str) -> None:
        start = region(settings, f"archive_start: {time}").archive_start
        assert start == datetime(2026, 6, 1, tzinfo=UTC)
        assert start.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("fed: /scans", "fed"),
            ("box: {south: 59, west: 20, north: 61, east: 26, up: 1}", "up"),
            ("box: {south: 59}", "west"),
            ("leads: 0", "leads"),
            ("leads: 145", "leads"),
            ("cadence: often", "cadence"),
            ("poll_s: 0", "poll_s"),
            ("alerts: [{name: a, threshold: 5, probability: 0.6}]", "alerts need catchments"),
            ("catchments: a.json\nalerts: [{name: a, treshold: 5, probability: 0.6}]", "alerts.0.treshold"),
            ("catchments: a.json\nalerts: [{name: a, threshold: 5, probability: 60}]", "alerts.0.probability"),
            (f"catchments: a.json\nalerts: [{RULE}, {RULE}]", "two alert rules have the name flood"),
            ("gpus: -1", "gpus"),
            ("- leads", "here.yaml"),
            ("leads", "here.yaml"),
            ("feed: [", "here.yaml"),
            ("feed: a: b", "here.yaml"),
        ],
    )
    def test_what_is_wrong_is_said_with_the_files_name(self, settings: Settings, text: str, word: str) -> None:
        with pytest.raises(ValueError, match="here.yaml") as caught:
            region(settings, text)
        assert word in str(caught.value)

    def test_a_file_cannot_name_another_region(self, settings: Settings) -> None:
        """Its stores would lie under one name and be asked for under the other."""
        with pytest.raises(ValueError, match="here.yaml"):
            region(settings, "name: there")

    def test_regions_are_listed_by_name(self, settings: Settings) -> None:
        for name in ("north", "east", "west"):
            (settings.regions / f"{name}.yaml").touch()
        (settings.regions / "notes.txt").touch()
        assert settings.region_names() == ["east", "north", "west"]


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", "..", ".", "", "-x", "X", "a b", "a_b", "a.b", "a\n", "ä"])
def test_a_name_that_is_no_safe_folder_name_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(ValueError, match="should match pattern"):
        settings.region(name)


def test_a_yaml_outside_the_folder_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("name: fine")
    (tmp_path / "regions").mkdir()
    with pytest.raises(ValueError, match="secret"):
        Settings(regions=tmp_path / "regions").region("../secret")


class TestPlaces:
    def test_each_region_has_its_folder_in_the_store(self) -> None:
        assert Settings(store="/stores").location("here").url == "/stores/here"
        assert Settings(store="s3://radar/stores/").location("here").url == "s3://radar/stores/here"

    def test_s3_settings_reach_the_location(self) -> None:
        location = Settings(store="s3://radar", s3_endpoint_url="http://minio:9000", s3_region="eu").location("here")
        assert (location.s3.endpoint_url, location.s3.region) == ("http://minio:9000", "eu")
        assert not location.is_local

    @pytest.mark.parametrize(
        ("store", "quarantine", "folder"),
        [
            ("/stores", None, "/stores/here/quarantine"),
            ("/stores", Path("/refused"), "/refused/here"),
            ("s3://radar", None, "quarantine/here"),
            ("s3://radar", Path("/refused"), "/refused/here"),
        ],
    )
    def test_quarantine_is_a_folder_of_this_machine(self, store: str, quarantine: Path | None, folder: str) -> None:
        assert Settings(store=store, quarantine=quarantine).quarantine_folder("here") == Path(folder)
