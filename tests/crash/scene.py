"""What a region is given in a history of kills: scans with a gap, a late one, a refused one, and a promotion."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import shapely
from models_at_hand import weights
from polygons import drawn, rectangle
from pydantic import SecretStr
from radar import RADAR

from nowcast.alerts.rules import AlertRule
from nowcast.core.scan import Scan
from nowcast.core.timeline import Timeline
from nowcast.core.types import Sampling
from nowcast.settings import Box, Region, Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store import repository
from nowcast.store.forecasts import create_forecasts

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
STORM = Storm(START, size=48, cells=3)
FMI = RADAR / "fmi-pgm" / "20160928"
FMI_START = datetime(2016, 9, 28, 14, 45, tzinfo=UTC)
FMI_BOX = Box(south=60.9, west=24.6, north=61.4, east=25.6)
GAP, WITHHELD, LATE, PROMOTION = 2, 4, 6, 5
"""Numbers of a scan that never comes, of one that covers next to nothing, of one that comes after the next, and of the
one before which a model is promoted."""


@dataclass(frozen=True)
class Scene:
    """Files in the order in which they come, for one region; `challenger` is registered and promoted on the way.

    The last is a usual scan, so that every kill has a nowcast after it. An aged scene begins with a forecast store of
    an earlier version, its file of scores is damaged once, and old commits of its archive are swept away. In a
    sandboxed one every life decodes in a process of its own, which takes its time to start.
    """

    name: str
    paths: tuple[Path, ...]
    region: Region
    settings: Settings
    challenger: Path
    promotion: int
    is_aged: bool = False
    is_sandboxed: bool = False

    def at(self, folder: Path, url: str, **settings: object) -> "Scene":
        """The same in another folder, with alerts sent to `url`, under other settings."""
        rules = tuple(rule.model_copy(update={"webhook": SecretStr(url)}) for rule in self.region.alerts)
        own = {"store": str(folder / "store"), "quarantine": folder / "quarantine"} | settings
        settings = self.settings.model_copy(update=own)
        return replace(self, settings=settings, region=self.region.model_copy(update={"alerts": rules}))


def synthetic(folder: Path, model: str, scans: int = 8) -> Scene:
    """A storm of 48 x 48 pixels with every kind of trouble."""
    feed = folder / f"feed-{model}"
    feed.mkdir(parents=True)
    files: dict[int, Path] = {}
    for number, scan in enumerate(STORM.scans(scans + 1)):
        files[number] = feed / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5"
        write(_blind(scan) if number == WITHHELD else scan, files[number])
    order = [number for number in range(scans) if number != GAP]
    if scans > LATE + 1:
        order[order.index(LATE)], order[order.index(LATE + 1)] = LATE + 1, LATE
    broken = feed / "storm_202606011203.h5"
    broken.write_bytes(files[1].read_bytes()[:2000])
    paths = [files[number] for number in order]
    paths[1:1] = [broken]
    return Scene(
        model, (*paths, files[scans]), *_setting(folder, model), _challenger(folder), min(PROMOTION, scans - 2)
    )


def finnish(folder: Path, scans: int = 7) -> Scene:
    """A part of FMI's composite of 28 September 2016, with a scan that is missing."""
    paths = sorted(FMI.iterdir())[: scans + 1]
    del paths[GAP]
    region, settings = _setting(folder, "advection")
    region = region.model_copy(update={"box": FMI_BOX, "alerts": (), "catchments": None, "archive_start": FMI_START})
    return Scene("fmi", tuple(paths), region, settings, _challenger(folder), 4, is_sandboxed=True)


def _setting(folder: Path, model: str) -> tuple[Region, Settings]:
    """Three leads, one catchment, one rule."""
    half = rectangle(-18_000, -18_000, 18_000, 18_000)
    (folder / "rivers.geojson").write_text(shapely.to_geojson(drawn([half], STORM.grid)))
    rule = AlertRule(name="wet", quantity="rate", threshold=0.05, probability=0.5, webhook="http://127.0.0.1:9/")
    region = Region(
        name="here",
        cadence=timedelta(minutes=5),
        archive_start=START,
        leads=3,
        thresholds=(1.0,),
        quantiles=(0.5,),
        members=4,
        model=model,
        deadline_s=120.0,
        catchments=Path("rivers.geojson"),
        alerts=(rule,),
    )
    return region, Settings(store="", regions=folder, device="cpu", s3_region="us-east-1")


def _blind(scan: Scan) -> Scan:
    """The same with nine pixels covered."""
    seen = np.zeros_like(scan.coverage)
    seen[20:23, 20:23] = True
    return replace(scan, coverage=seen, values=np.where(seen, scan.values, np.float32(np.nan)))


def _challenger(folder: Path) -> Path:
    (folder / "models").mkdir(exist_ok=True)
    return weights(folder / "models", 1, Sampling(5.0, 1.0))


def age(scene: Scene) -> None:
    """Lay an empty forecast store out as an earlier version would have."""
    where, region = scene.settings.location("here").child("forecasts"), scene.region
    timeline = Timeline(START, timedelta(minutes=5))
    made = create_forecasts(where, STORM.grid, timeline, region.leads, region.thresholds, region.quantiles)
    with repository.transaction(where, made.repository, "layout of an earlier version") as group:
        del group["reason"]
