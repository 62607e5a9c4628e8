"""All settings: the environment (NOWCAST_*) and one YAML file per region. Nothing else reads either."""

import os
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from nowcast.alerts.rules import AlertRule
from nowcast.sources.remote.spec import FEEDS, RemoteSpec
from nowcast.store.repository import S3, Location

LIBRARY_ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "2592000",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "300",
}
"""Set unless the user set them: no telemetry, quiet engines, no long wait for a state that workers keep, and a process
does not end when its Ray has lost its head."""


SECRET_VARIABLES = (
    "NOWCAST_API_TOKEN",
    "NOWCAST_OPERATORS_WEBHOOK",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "RAY_AUTH_TOKEN",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_SERVER_API_AUTH_STRING",
)
"""Of the environment."""

USUAL_CADENCE = timedelta(minutes=5)


class Box(BaseModel):
    """A part of the Earth, WGS 84 degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    south: float
    west: float
    north: float
    east: float


def _utc(value: object) -> object:
    """A date or a time without an offset is UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def _minutes(value: object) -> object:
    return timedelta(minutes=value) if isinstance(value, int | float) else value


def _days(value: object) -> object:
    return timedelta(days=value) if isinstance(value, int | float) else value


def _without_secrets(error: ValidationError) -> str:
    """What is wrong, where; values below `alerts` and `feed` are left out, for they may hold secrets."""
    if not any({"alerts", "feed"} & set(one["loc"]) for one in error.errors(include_input=False)):
        return str(error)
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)


def _meant(error: ValidationError) -> str:
    """What to change where a key is unknown: the one that looks like it, or all there are."""
    unknown = [str(one["loc"][-1]) for one in error.errors(include_input=False) if one["type"] == "extra_forbidden"]
    known = sorted(Region.model_fields)
    near = {key: get_close_matches(key, known, 1) for key in unknown}
    told = [f"{key} is no key" + (f", {found[0]} is" if found else "") for key, found in near.items()]
    return f"\n{'; '.join(told)}: remove or correct it; there are {', '.join(known)}" if told else ""


def _kind_of_feed(value: object) -> str:
    elsewhere = isinstance(value, dict | RemoteSpec) or (isinstance(value, str) and "://" in value)
    return "remote" if elsewhere else "folder"


FeedPlace = Annotated[
    Annotated[Path, Tag("folder")] | Annotated[RemoteSpec, Tag("remote")], Discriminator(_kind_of_feed)
]


class Region(BaseModel):
    """One radar feed, its archive and its nowcasts.

    Only `name` is needed: the cadence is read off the first files, the grid off the first scan.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)
    feed: FeedPlace | None = Field(
        None,
        description=f"folder that scans are written to, or a place elsewhere, such as {{from: {next(iter(FEEDS))}}}",
    )
    pattern: str = Field("*", description="glob of the feed's files")
    cadence: Annotated[timedelta | None, BeforeValidator(_minutes)] = Field(None, description="minutes between scans")
    archive_start: Annotated[datetime | None, BeforeValidator(_utc)] = Field(
        None, description="slot 0; midnight before the first scan when absent"
    )
    box: Box | None = Field(None, description="keep only this part of each scan")
    leads: int = Field(12, ge=1, le=144, description="nowcast steps, one cadence each")
    thresholds: tuple[float, ...] = Field(
        (0.1, 0.5, 1.0, 2.0, 5.0, 10.0), description="mm h-1 of probabilities and scores"
    )
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.1, 0.5, 0.9), description="of the rain rate, kept with every nowcast"
    )
    members: int = Field(24, ge=2, le=200, description="of the ensemble that catchments are judged by")
    model: str = Field(
        "default",
        description="default (the champion of the region's registry, the shipped weights before there is one), "
        "advection, persistence, or a .safetensors file",
    )
    actor: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=100,
        description="regions that give the same name share one actor, its process and its GPU, and take turns there",
    )
    gpus: float = Field(0.0, ge=0, description="share of a GPU for the region's actor")
    cpus: float = Field(0.0, ge=0, description="CPUs that Ray reserves for the region's actor")
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="of Ray's own resources, as nodes name them, for the region's actor: where it may run"
    )
    deadline_s: float | None = Field(
        None,
        gt=0,
        description="seconds after which a model gives way to a simpler method; half the cadence if absent",
    )
    actor_deadline_s: float | None = Field(
        None, gt=0, description="seconds to wait for the region's actor; a minute more than deadline_s if absent"
    )
    least_coverage: float = Field(
        0.05, ge=0, le=1, description="share of the usual coverage that a scan must have for a nowcast"
    )
    bench_after: Annotated[timedelta | None, BeforeValidator(_minutes)] = Field(
        timedelta(hours=3), description="minutes of skill below advection's after which a model rests; null for never"
    )
    stale_after: Annotated[timedelta | None, BeforeValidator(_minutes)] = Field(
        None,
        gt=timedelta(0),
        description="minutes after which a nowcast is not current any more; three cadences if absent",
    )
    keep: Annotated[timedelta | None, BeforeValidator(_days)] = Field(
        None, ge=timedelta(days=2), description="days after which scans and nowcasts go; all stay if absent"
    )
    keep_history: Annotated[timedelta, BeforeValidator(_days)] = Field(
        timedelta(days=30), ge=timedelta(hours=1), description="days after which the commits of stores go"
    )
    poll_s: float = Field(2.0, gt=0, description="seconds between looks at the feed")
    catchments: Path | None = Field(None, description="GeoJSON file of polygons; relative to the folder of this YAML")
    alerts: tuple[AlertRule, ...] = Field((), description="alert rules over the catchments")

    @model_validator(mode="after")
    def _alerts_can_be_told_apart(self) -> "Region":
        names = [rule.name for rule in self.alerts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two alert rules have the name {twice[0]}")
        if names and self.catchments is None:
            raise ValueError("alerts need catchments: a GeoJSON file")
        return self

    @property
    def actor_wait_s(self) -> float:
        """Seconds to wait for the region's actor: a nowcast's deadline, and a minute to start in."""
        half = (self.cadence or USUAL_CADENCE) / timedelta(seconds=1) / 2
        return self.actor_deadline_s or (self.deadline_s or half) + 60.0


class Settings(BaseSettings):
    """NOWCAST_STORE, NOWCAST_REGIONS, NOWCAST_RADAR_DIR, ... or their defaults."""

    model_config = SettingsConfigDict(env_prefix="NOWCAST_")
    store: str = Field("store", description="folder or s3:// URL of all stores")
    regions: Path = Field(Path("regions"), description="folder of region YAML files")
    radar_dir: Path = Field(Path("../shared/radar"), description="sample events, for the demo")
    mnist_dir: Path = Field(Path("../shared/mnist"), description="MNIST's IDX files, for nowcast bench moving-mnist")
    quarantine: Path | None = Field(None, description="folder for refused files; beside a local store when absent")
    spool: Path | None = Field(None, description="folder for files fetched from elsewhere; in a local store if absent")
    s3_endpoint_url: str | None = None
    s3_region: str | None = None
    ray_address: str | None = Field(None, description="Ray cluster to join; one of our own when absent")
    device: str = Field("auto", description="cpu, cuda or auto")
    decode_s: float = Field(60.0, gt=0, description="seconds that decoding a file may take")
    decode_cpu_s: int = Field(20, ge=1, description="seconds of CPU time that decoding a file may take")
    decode_memory_mib: int = Field(4096, ge=512, description="address space of the process that decodes")
    decode_output_mib: int = Field(2048, ge=1, description="what a file's scans may decode to")
    map_url: str | None = Field(None, description="address of the map page, for links on Prefect's page")
    operators_webhook: SecretStr | None = Field(
        None, description="address that Prefect posts to when a feed is late or a run fails; it may hold a secret"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"
    api_token: SecretStr | None = Field(
        None, min_length=16, description="what `nowcast serve` asks for; random, at least 16 characters"
    )

    def region(self, name: str) -> Region:
        """The region's YAML, or defaults when there is none; ValueError naming the file when it is wrong."""
        Region(name=name)
        path = self.regions / f"{name}.yaml"
        try:
            fields = yaml.safe_load(path.read_text()) if path.is_file() else {}
            region = Region(**({"name": name} | (fields or {})))
        except ValidationError as error:
            raise ValueError(f"{path}: {_without_secrets(error)}{_meant(error)}") from None
        except (TypeError, yaml.YAMLError) as error:
            raise ValueError(f"{path}: {error}") from error
        if region.name != name:
            raise ValueError(f"{path} names region {region.name}, its file {name}")
        return region

    def feed(self, region: Region) -> Path:
        """The folder that a region's scans are written to; ValueError naming its YAML when there is none."""
        if region.feed is None:
            raise ValueError(f"region {region.name} has no feed folder: name one in {self.regions / region.name}.yaml")
        if isinstance(region.feed, RemoteSpec):
            raise ValueError(f"region {region.name} has its feed elsewhere: name a folder")
        return region.feed

    def region_names(self) -> list[str]:
        """Regions that have a YAML file."""
        return sorted(path.stem for path in self.regions.glob("*.yaml"))

    def location(self, region: str) -> Location:
        """Where the region's archive and forecasts lie."""
        return Location(self.store, S3(self.s3_endpoint_url, self.s3_region)).child(region)

    def catchments(self, region: Region) -> Path | None:
        """The region's file of catchments."""
        return None if region.catchments is None else self.regions / region.catchments

    def token(self, variable: str) -> str | None:
        """The value of an environment variable, as a region's YAML names one; None when it is not set or empty."""
        return os.environ.get(variable) or None

    def has_ray_token(self) -> bool:
        """Whether Ray would find a token: in one of its variables, or in its file in the home folder."""
        named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
        return bool(named) or (Path.home() / ".ray" / "auth_token").is_file()

    def models(self, region: str) -> Location:
        """Where the region's model registry lies."""
        return self.location(region).child("models")

    def spool_folder(self, region: str) -> Path:
        """Where files fetched from elsewhere come to."""
        if self.spool is not None:
            return self.spool / region
        location = self.location(region)
        return Path(location.url) / "spool" if location.is_local else Path("spool") / region

    def quarantine_folder(self, region: str) -> Path:
        """Where the region's refused files go."""
        if self.quarantine is not None:
            return self.quarantine / region
        location = self.location(region)
        return Path(location.url) / "quarantine" if location.is_local else Path("quarantine") / region


def secrets() -> tuple[str, ...]:
    """What must be shown nowhere: the values of the variables of SECRET_VARIABLES that are set."""
    return tuple(value for name in SECRET_VARIABLES if (value := os.environ.get(name)))


def calm_engines() -> None:
    """Give Prefect and Ray our defaults; to be called before they are imported."""
    for name, value in LIBRARY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
