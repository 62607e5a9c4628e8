"""Shapes of JSON answers, as the OpenAPI document tells them; times are ISO 8601 in UTC."""

from typing import Literal

from pydantic import BaseModel, Field


class From(BaseModel):
    """Where a nowcast comes from and how old it is."""

    region: str
    init_time: str = Field(description="nominal time of the newest scan used")
    issued_time: str = Field(description="when it was published")
    age_s: int = Field(description="seconds since init_time")
    input_age_s: int = Field(description="age of the newest scan when it was issued, seconds")
    model: str
    rung: str = Field(description="step of the fallback ladder: champion, previous, advection, persistence")
    reason: str = Field(description="why the steps above were passed; empty when none was")
    stale_after: str = Field(description="after this it is not current any more")
    is_stale: bool
    snapshot: str = Field(description="commit of the forecast store")


class Pixel(BaseModel):
    """The pixel that holds the place; its centre."""

    row: int
    col: int
    lat: float
    lon: float


class Outlook(BaseModel):
    """What the leads say, in words and in minutes from now."""

    text: str
    weather: str
    starts_min: int | None
    ends_min: int | None
    horizon_min: int | None
    chance: float | None
    certainty: str | None


class Observed(BaseModel):
    """One scan; null where it is missing or did not see the place."""

    time: str
    rain_rate: float | None = Field(description="mm h-1")


class PointAnswer(From):
    """All leads at one place; null where there is no forecast."""

    now: str
    lat: float
    lon: float
    pixel: Pixel
    units: str
    radar_coverage: Literal["ok", "unavailable", "never", "unknown"]
    outlook: Outlook
    observed: list[Observed] = Field(description="the last hour")
    lead_time_min: list[int]
    valid_time: list[str]
    rain_rate: list[float | None]
    rain_rate_quantile: dict[str, list[float | None]] = Field(description="by share: not exceeded with this chance")
    probability: dict[str, list[float | None]] = Field(description="by threshold in mm h-1: chance to reach it, 0 to 1")


class RegionStatus(BaseModel):
    """The newest of a region."""

    nowcast: From | None
    reason: str = Field(description="why there is no nowcast; empty when there is one")
    newest_scan: str | None = None
    scan_age_s: int | None = None


class StatusAnswer(BaseModel):
    """Every region at the service's time."""

    now: str
    regions: dict[str, RegionStatus]


class ReadyAnswer(BaseModel):
    """Every region is fresh enough."""

    ready: Literal[True]
    regions: dict[str, RegionStatus]


class RegionPlace(BaseModel):
    """Where a region lies and how often it is observed."""

    region: str
    title: str
    bbox: tuple[float, float, float, float] = Field(description="WGS 84 west, south, east, north")
    cadence_s: float
    grid: str


class RegionsAnswer(BaseModel):
    """Every region that has nowcasts."""

    now: str
    regions: list[RegionPlace]


class Commit(BaseModel):
    """One commit of a store, and where it is served as Zarr."""

    snapshot: str
    url: str


class ZarrAnswer(BaseModel):
    """The newest commits of a region's stores."""

    forecasts: Commit
    archive: Commit | None = None
