"""The scheduled flows of a region, on a real Prefect server and Ray: ingest, issue, verify, and their deployments."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import Artifact, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.testing.utilities import prefect_test_harness

from flows.cycle import ingest_folder, issue, verify
from flows.deployments import deployments
from flows.retrain import retrain
from nowcast.ingest import Outcome
from nowcast.serving.actor import stop
from nowcast.serving.cluster import disconnect
from nowcast.settings import Settings
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm

YAML = "feed: {feed}\npattern: '*.h5'\ncadence: 5\nleads: 3\nmodel: advection\n"
FLOWS = ["backfill", "follow-region", "ingest", "issue", "retention", "retrain", "verify"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A feed of 5 scans, region `here` that follows it, `bare` without a YAML; the environment names both folders."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("feed", "regions"):
        (folder / name).mkdir()
    for scan in Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=64, cells=3).scans(5):
        write(scan, folder / "feed" / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    (folder / "feed" / "storm_202606011225.h5").write_text("<html>502 Bad Gateway</html>")
    (folder / "regions" / "here.yaml").write_text(YAML.format(feed=folder / "feed"))
    with pytest.MonkeyPatch.context() as patch, prefect_test_harness(server_startup_timeout=240):
        patch.setenv("NOWCAST_STORE", str(folder / "store"))
        patch.setenv("NOWCAST_REGIONS", str(folder / "regions"))
        yield folder


async def artifacts() -> list[Artifact]:
    """Everything that runs have left at the server."""
    async with get_client() as client:
        return await client.read_artifacts()


@pytest.mark.usefixtures("home")
def test_a_cycle_takes_scans_in_issues_nowcasts_and_leaves_a_table_of_scores() -> None:
    """5 scans and a file that is none: 5 nowcasts; doing it again adds nothing."""

    async def cycle() -> None:
        taken = await ingest_folder("here")
        assert [one.outcome for one in taken] == [Outcome.STORED] * 5 + [Outcome.QUARANTINED]
        assert await issue("here") == [f"2026-06-01T12:{minute:02d}:00Z" for minute in (0, 5, 10, 15, 20)]
        assert {one.outcome for one in await ingest_folder("here")} == {Outcome.DUPLICATE}
        assert await issue("here") == []
        summary = await verify("here")
        assert (summary["scans"], summary["issues"], summary["missed"]) == (5, 5, 0)
        (table,) = (one for one in await artifacts() if one.key == "verification-here")
        value = summary["csi"]["advection"]["0.1"]["5"]
        assert value > 0
        assert f"| advection | 0.1 | 5 | {value} |" in str(table.data).splitlines()

    try:
        asyncio.run(cycle())
    finally:
        stop(Settings().region("here"))
        disconnect()


@pytest.mark.usefixtures("home")
def test_retraining_too_little_is_an_answer_that_leaves_its_reason() -> None:
    """Five scans; nothing is trained."""

    async def nightly() -> None:
        await ingest_folder("here")
        made = await retrain("here")
        assert (made["outcome"], made["model"]) == ("refused", None)
        (table,) = (one for one in await artifacts() if one.key == "retrain-here")
        assert f"* {made['reasons'][0]}" in str(table.data).splitlines()

    asyncio.run(nightly())


@pytest.mark.usefixtures("home")
def test_another_folder_can_be_named_and_a_region_without_one_fails(tmp_path: Path) -> None:
    assert asyncio.run(ingest_folder("bare", tmp_path)) == []
    with pytest.raises(ValueError, match="region bare has no feed folder"):
        asyncio.run(ingest_folder("bare"))


@pytest.mark.usefixtures("home")
def test_verify_says_so_when_there_is_nothing_yet() -> None:
    assert asyncio.run(verify("bare"))["issues"] == 0


@pytest.fixture
def three_regions(home: Path, tmp_path: Path) -> Settings:
    """A settings folder with `here` every 5 minutes, `slow` every 15, and `plain` that says nothing."""
    (tmp_path / "here.yaml").write_text(YAML.format(feed=home / "feed"))
    (tmp_path / "slow.yaml").write_text("cadence: 15\n")
    (tmp_path / "plain.yaml").touch()
    return Settings(regions=tmp_path)


class TestDeployments:
    def test_six_per_region(self, three_regions: Settings) -> None:
        made = [(one.flow_name, one.name) for one in deployments(three_regions)]
        assert sorted(made) == sorted((flow, name) for flow in FLOWS for name in ("here", "plain", "slow"))

    @pytest.mark.parametrize(("flow", "cron"), [("retrain", "30 2 * * *"), ("retention", "30 4 * * *")])
    def test_retraining_and_retention_run_every_night(self, three_regions: Settings, flow: str, cron: str) -> None:
        crons = {one.name: [s.schedule.cron for s in one.schedules or []] for one in of_flow(flow, three_regions)}
        assert crons == {name: [cron] for name in ("here", "plain", "slow")}

    def test_ingest_and_issue_run_at_the_cadence_verify_hourly_others_by_hand(self, three_regions: Settings) -> None:
        every = {
            (one.flow_name, one.name): intervals(one)
            for f in FLOWS
            if f not in ("retrain", "retention")
            for one in of_flow(f, three_regions)
        }
        for name, minutes in (("here", 5), ("slow", 15), ("plain", 5)):
            assert every["ingest", name] == every["issue", name] == [timedelta(minutes=minutes)]
            assert every["verify", name] == [timedelta(hours=1)]
            assert every["follow-region", name] == every["backfill", name] == []

    def test_one_run_at_a_time_and_the_region_as_parameter(self, three_regions: Settings) -> None:
        for one in deployments(three_regions):
            assert one.concurrency_limit == 1
            assert one.concurrency_options is not None
            assert one.concurrency_options.collision_strategy is ConcurrencyLimitStrategy.ENQUEUE
            assert one.parameters == {"region": one.name}

    def test_a_server_takes_and_lists_them(self, three_regions: Settings) -> None:
        made = deployments(three_regions)

        async def register() -> None:
            for one in made:
                await one.aapply()
            async with get_client() as client:
                listed = {deployment.id: deployment for deployment in await client.read_deployments()}
                flows = {flow.id: flow.name for flow in await client.read_flows()}
            named = {(flows[one.flow_id], one.name): one for one in listed.values()}
            assert set(named) == {(flow, name) for flow in FLOWS for name in ("here", "plain", "slow")}
            (schedule,) = named["issue", "slow"].schedules
            assert schedule.active
            assert schedule.schedule.interval == timedelta(minutes=15)
            assert named["issue", "slow"].global_concurrency_limit.limit == 1
            assert named["issue", "slow"].tags == ["nowcast", "slow"]

        asyncio.run(register())


def of_flow(name: str, settings: Settings) -> list[RunnerDeployment]:
    """The deployments of one flow."""
    return [one for one in deployments(settings) if one.flow_name == name]


def intervals(deployment: RunnerDeployment) -> list[timedelta]:
    """The intervals of a deployment's schedules."""
    return [one.schedule.interval for one in deployment.schedules or []]
