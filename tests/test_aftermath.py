"""What follows a nowcast: members over catchments, alerts that are sent once, and the rest of a model that lags."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr
from models_at_hand import weights
from polygons import drawn, rectangle
from receiver import Receiver, receiving
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.desk import Desk, desk
from nowcast.ingest import ingest, intake
from nowcast.issue import issue_due, issue_without_actor
from nowcast.models.baselines import Advection
from nowcast.replay import score
from nowcast.settings import Region, Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.forecasts import open_forecasts, records
from nowcast.store.outlooks import newest_outlooks

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
        for number in numbers:
            issue_due(self.desk, self.take(number))


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
    (made,) = issue_without_actor(office.region, office.settings, "actor died", office.take(2))
    (river,) = newest_outlooks(office.settings.location("here").child("catchments"))
    assert (made.rung, river.origin.rung, river.origin.init_time) == ("advection", "advection", made.init_time)
    assert river.rain_rate.shape == (6, 4)
    assert len(hook.bodies) == 1


def test_a_wrong_file_of_catchments_stops_no_nowcast(tmp_path: Path, hook: Receiver) -> None:
    office = Office(tmp_path, hook.url)
    (tmp_path / "regions" / "rivers.geojson").write_text("{")
    office.follow(range(2))
    assert len(records(open_forecasts(office.settings.location("here").child("forecasts")))) == 2


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
