"""What follows a nowcast: members over catchments, alerts that are sent once, and the rest of a model that lags."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import shapely
import xarray as xr
from icechunk import IcechunkError
from models_at_hand import weights
from polygons import drawn, rectangle
from receiver import Receiver, receiving
from structlog.testing import capture_logs
from typer.testing import CliRunner

from nowcast import issue, members, watch
from nowcast.alerts.book import read_book
from nowcast.cli import app
from nowcast.desk import Desk, desk
from nowcast.ingest import ingest, intake
from nowcast.issue import issue_due, issue_without_actor
from nowcast.models.baselines import Advection
from nowcast.replay import score
from nowcast.settings import Region, Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.forecasts import Record, open_forecasts, records
from nowcast.store.outlooks import newest_outlooks
from nowcast.store.rows import CASE
from nowcast.watch import send

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
STORM = Storm(START, size=96, cells=4)
HALF = rectangle(-40_000, -40_000, 40_000, 40_000)


class Office:
    """A region with a catchment of 80 x 80 km under the storm; `now` is a minute after each scan."""

    def __init__(self, folder: Path, url: str, model: str = "default") -> None:
        regions = folder / "regions"
        regions.mkdir()
        (regions / "rivers.geojson").write_text(shapely.to_geojson(drawn([HALF], STORM.grid)))
        rule = f"{{name: wet, quantity: rate, threshold: 0.05, probability: 0.5, webhook: '{url}'}}"
        lines = ("cadence: 5", "leads: 4", f"model: {model}", "catchments: rivers.geojson", "members: 6")
        (regions / "here.yaml").write_text("\n".join([*lines, f"alerts: [{rule}]", ""]))
        self.folder, self.settings = folder, Settings(store=str(folder / "store"), regions=regions, device="cpu")
        self.region = self.settings.region("here")
        self.desk: Desk = desk(self.region, self.settings)

    def take(self, number: int) -> datetime:
        """Ingest a scan; the time a minute later."""
        scan = list(STORM.scans(number + 1))[-1]
        path = self.folder / f"{scan.nominal_time:%Y%m%d%H%M}.h5"
        write(scan, path)
        now = scan.nominal_time + timedelta(minutes=1)
        ingest(intake(self.region, self.settings), path, now)
        return now

    def follow(self, numbers: range) -> None:
        """Issue after each scan, then send what waits, as every follower does."""
        for number in numbers:
            now = self.take(number)
            issue_due(self.desk, now)
            send(self.region, self.settings, now)

    @property
    def held(self) -> list[Record]:
        """What is known of every nowcast."""
        return list(records(open_forecasts(self.settings.location("here").child("forecasts"))).values())


@pytest.fixture
def hook() -> Receiver:
    with receiving() as receiver:
        yield receiver


def test_members_of_every_nowcast_are_kept_and_the_alert_is_sent_once(tmp_path: Path, hook: Receiver) -> None:
    office = Office(tmp_path, hook.url)
    office.follow(range(4))
    (river,) = newest_outlooks(office.settings.location("here").child("catchments"))
    assert river.rain_rate.shape == (6, 4)
    assert river.origin.init_time == START + timedelta(minutes=15)
    assert river.origin.rung == "champion"
    assert len(np.unique(river.rain_rate[:, 3])) == 6
    assert [body["kind"] for body in hook.bodies] == ["onset"]
    assert len(set(hook.ids)) == 1


def test_members_go_on_when_the_model_is_out_of_reach(tmp_path: Path, hook: Receiver) -> None:
    office = Office(tmp_path, hook.url)
    office.follow(range(2))
    now = office.take(2)
    (made,) = issue_without_actor(office.region, office.settings, "actor died", now)
    send(office.region, office.settings, now)
    (river,) = newest_outlooks(office.settings.location("here").child("catchments"))
    assert (made.rung, river.origin.rung, river.origin.init_time) == ("advection", "advection", made.init_time)
    assert river.rain_rate.shape == (6, 4)
    assert len(hook.bodies) == 1


def test_a_wrong_file_of_catchments_stops_no_nowcast(tmp_path: Path, hook: Receiver) -> None:
    office = Office(tmp_path, hook.url)
    (tmp_path / "regions" / "rivers.geojson").write_text("{")
    office.follow(range(2))
    assert len(office.held) == 2


def test_issuing_sends_nothing_and_waits_for_no_receiver(tmp_path: Path, hook: Receiver) -> None:
    """The alert waits in the outbox until it is sent, beside the nowcasts."""
    office = Office(tmp_path, hook.url)
    for number in range(4):
        now = office.take(number)
        issue_due(office.desk, now)
    where = office.settings.location("here").child("alerts")
    assert (len(read_book(where).outbox), hook.bodies) == (1, [])
    send(office.region, office.settings, now)
    assert (len(read_book(where).outbox), len(hook.bodies)) == (0, 1)


@pytest.mark.parametrize("error", [IcechunkError("object store went away"), MemoryError(), OSError("disk full")])
def test_what_fails_after_publishing_is_logged_and_stops_nothing(
    tmp_path: Path, hook: Receiver, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Outlooks that cannot be kept, alerts that cannot be judged, members that cannot be drawn."""
    office = Office(tmp_path, hook.url)
    for number, (module, name) in enumerate(
        ((watch, "publish_outlooks"), (watch, "update_alerts"), (members, "correlated"), (issue, "members_from"))
    ):
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(module, name, _raises(error))
            assert len(issue_due(office.desk, office.take(number))) == 1
        assert "error" in {line["log_level"] for line in logs}, name
    assert len(office.held) == 4


def test_catchments_that_cannot_be_weighed_stop_no_nowcast(
    tmp_path: Path, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path, hook.url)
    monkeypatch.setattr(watch, "weigh", _raises(MemoryError()))
    office.follow(range(2))
    assert len(office.held) == 2


def _raises(error: Exception) -> Callable[..., Any]:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    return fails


@pytest.mark.parametrize("damage", ["no counts", "no folder", "no advection"])
def test_live_skill_that_cannot_be_read_is_no_verdict(tmp_path: Path, hook: Receiver, damage: str) -> None:
    """The champion's scores lack columns, their folder is a file, or advection's are not there: it serves on."""
    office = Office(tmp_path, hook.url)
    office.follow(range(3))
    score(office.region, office.settings)
    (path,) = (Path(office.settings.location("here").url) / "skill").glob("*.parquet")
    held = pq.read_table(path)
    if damage == "no advection":
        pq.write_table(held.filter(pc.not_equal(held["method"], "advection")), path)
    elif damage == "no counts":
        pq.write_table(held.select([*CASE, "thresholds"]), path)
    else:
        shutil.rmtree(path.parent)
        path.parent.touch()
    office.follow(range(3, 4))
    assert office.held[-1].rung == "champion"


def test_a_model_that_lags_behind_advection_rests_and_is_tried_again(tmp_path: Path) -> None:
    """Judged over an hour. Of an hour's nowcasts by a model that was never trained, seven or more are scored."""
    settings = Settings(store=str(tmp_path / "store"), device="cpu")
    bad = weights(tmp_path, seed=1, spread=30.0)
    region = Region(name="here", cadence=5, leads=2, model=str(bad), bench_after=timedelta(hours=1))
    at = desk(region, settings)
    for scan in STORM.scans(28):
        path = tmp_path / f"{scan.nominal_time:%Y%m%d%H%M}.h5"
        write(scan, path)
        ingest(intake(region, settings), path, scan.nominal_time)
        issue_due(at, scan.nominal_time)
        score(region, settings)
    held = list(records(open_forecasts(settings.location("here").child("forecasts"))).values())
    rungs = [record.rung for record in held]
    rests = rungs.index("advection")
    assert "below advection's" in held[rests].reason
    assert "over 1 h" in held[rests].reason
    assert rungs[1:rests] == ["champion"] * (rests - 1)
    assert "champion" in rungs[rests + 1 :]
    assert Advection.model_id == held[rests].model


def test_members_are_made_again_as_netcdf_and_are_the_same(tmp_path: Path, hook: Receiver) -> None:
    office = Office(tmp_path, hook.url)
    office.follow(range(3))
    settings = office.settings
    environment = {"NOWCAST_STORE": settings.store, "NOWCAST_REGIONS": str(settings.regions), "NOWCAST_DEVICE": "cpu"}
    for name in ("one.nc", "other.nc"):
        words = ["members", "--region", "here", "--out", str(tmp_path / name), "--count", "3"]
        result = CliRunner(env=environment).invoke(app, [*words, "--box", "59.9", "24.8", "60.1", "25.2"])
        assert result.exit_code == 0, result.output
    with xr.open_dataset(tmp_path / "one.nc") as one, xr.open_dataset(tmp_path / "other.nc") as other:
        assert one.rain_rate.dims == ("member", "lead_time", "y", "x")
        assert (one.sizes["member"], one.sizes["lead_time"]) == (3, 4)
        assert one.rain_rate.attrs["units"] == "mm h-1"
        assert float(one.rain_rate.std("member").max()) > 0
        xr.testing.assert_equal(one, other)
