"""A feed elsewhere as a region's YAML names it, and the known feeds of centres; docs/feeds.md says how sure."""

from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nowcast.sources.remote.bucket import Bucket
from nowcast.sources.remote.file_api import FileApi
from nowcast.sources.remote.pages import Pages
from nowcast.sources.remote.site import Site

KNMI = "https://api.dataplatform.knmi.nl/open-data/v1/datasets"

FEEDS: dict[str, dict[str, object]] = {
    "mrms": {
        "s3": "noaa-mrms-pds",
        "prefix": "CONUS/PrecipRate_00.00/{time:%Y%m%d}/",
        "region": "us-east-1",
        "pattern": "MRMS_PrecipRate_*.grib2.gz",
    },
    "nexrad": {
        "s3": "unidata-nexrad-level2",
        "prefix": "{time:%Y/%m/%d}/{station}/",
        "region": "us-east-1",
        "pattern": "*_V0[0-9]",
    },
    "opera": {
        "s3": "openradar-24h",
        "prefix": "{time:%Y/%m/%d}/OPERA/COMP/",
        "endpoint": "https://s3.waw3-1.cloudferro.com",
        "pattern": "OPERA@*@DBZH.h5",
    },
    "dwd": {"http": "https://opendata.dwd.de/weather/radar/radolan/ry/", "pattern": "raa01-ry_10000-*-dwd---bin.bz2"},
    "fmi": {
        "s3": "fmi-opendata-radar-geotiff",
        "prefix": "{time:%Y/%m/%d}/FIN-DBZ-3067-250M/",
        "region": "eu-west-1",
        "pattern": "*_FIN-DBZ-3067-250M.tif",
    },
    "knmi": {
        "api": f"{KNMI}/radar_reflectivity_composites/versions/2.0",
        "token_variable": "KNMI_API_KEY",
        "pattern": "RAD_NL25_PCP_NA_*.h5",
    },
}
"""Name -> what it stands for; whatever a YAML says beside `from` counts instead."""


class RemoteSpec(BaseModel):
    """Where files are fetched from: one of `s3`, `http` and `api`, or `from` a known feed."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    s3: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="bucket")
    prefix: str = Field("", description="of its keys, with {time:%Y/%m/%d} and {station}; ends in a slash")
    region: str | None = Field(None, description="of the bucket")
    signed: bool = Field(False, description="send the credentials of the AWS variables; public buckets need none")
    http: str | None = Field(None, description="URL of a page of links, with {time:...} and {station}; ends in a slash")
    api: str | None = Field(None, description="URL of a data set of KNMI's Data Platform, above /files")
    token_variable: str | None = Field(
        None, pattern=r"^[A-Z][A-Z0-9_]*$", description="environment variable of the api's key"
    )
    endpoint: str | None = Field(None, description="another server with the same paths, such as a mirror: its URL")
    station: str = Field("", pattern=r"^[A-Za-z0-9-]{0,40}$", description="radar, where the prefix asks for one")
    pattern: str = Field("*", description="glob of the names of files; names tell the time")
    hours: float = Field(3.0, gt=0, le=48, description="looked back for what is late or changed")
    catch_up_hours: float = Field(24.0, gt=0, le=168, description="most that is fetched after an outage")
    every_s: float = Field(20.0, ge=1, description="seconds between looks")
    file_mib: int = Field(64, ge=1, le=512, description="larger files are not fetched")
    spool_mib: int = Field(4096, ge=16, description="of fetched files; the oldest give way")

    @model_validator(mode="before")
    @classmethod
    def _of_a_known_feed(cls, value: Any) -> Any:
        if isinstance(value, str):
            scheme, _, path = value.partition("://")
            bucket, _, prefix = path.partition("/")
            return {"s3": bucket, "prefix": prefix} if scheme == "s3" else {"http": value}
        if not isinstance(value, dict) or "from" not in value:
            return value
        given = {key: one for key, one in value.items() if key != "from"}
        if value["from"] not in FEEDS:
            raise ValueError(f"no known feed {value['from']!r}, there are {', '.join(FEEDS)}")
        return FEEDS[value["from"]] | given

    @model_validator(mode="after")
    def _is_one_place(self) -> "RemoteSpec":
        if sum(one is not None for one in (self.s3, self.http, self.api)) != 1:
            raise ValueError("say one of s3, http, api, or from: " + ", ".join(FEEDS))
        template = self.prefix if self.s3 else self.http or ""
        if template and not template.endswith("/"):
            raise ValueError(f"{template!r} must end in a slash")
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        if not names <= {"time", "station"}:
            raise ValueError(f"{template!r} may only hold {{time:...}} and {{station}}")
        if "station" in names and not self.station:
            raise ValueError("name the radar as `station`, such as KTLX")
        for url in filter(None, (self.http, self.api, self.endpoint)):
            if (
                urlsplit(url).scheme not in ("https", "http")
                or not urlsplit(url).hostname
                or "@" in urlsplit(url).netloc
            ):
                raise ValueError("a URL must begin with https:// or http:// and a host, without user and password")
        return self


def site(spec: RemoteSpec, token: str | None) -> Site:
    """The place that a feed names; ValueError when it asks for a key that is not given."""
    if spec.s3:
        return Bucket(spec.s3, spec.prefix, spec.station, spec.endpoint, spec.region, spec.signed)
    if spec.http:
        return Pages(_moved(spec.http, spec.endpoint), spec.station)
    if spec.token_variable and not token:
        raise ValueError(f"the feed's key is not set: put it into the environment variable {spec.token_variable}")
    return FileApi(_moved(spec.api or "", spec.endpoint).rstrip("/"), token or "", spec.token_variable or "")


def _moved(url: str, endpoint: str | None) -> str:
    """The same path on another server."""
    if endpoint is None:
        return url
    other = urlsplit(endpoint)
    return urlsplit(url)._replace(scheme=other.scheme, netloc=other.netloc).geturl()
