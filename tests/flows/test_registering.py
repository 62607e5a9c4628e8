"""`nowcast deploy` at a real Prefect server: what is there after it, and after it was repeated."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import DoNothing
from prefect.testing.utilities import prefect_test_harness

from flows.automations import put_automation
from flows.deployments import Pool, Registered, deployments, register
from nowcast.settings import Settings

FLOWS = ["backfill", "follow-region", "ingest", "issue", "retention", "retrain", "verify"]
AUTOMATIONS = {"nowcast: no scan from here", "nowcast: a run failed", "nowcast: a run was lost"}
TRIGGERS = {
    "issue here when scans are in",
    "follow here again when it has crashed",
    "follow here again when it has failed",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Region `here`, and a server."""
    folder = tmp_path_factory.mktemp("regions")
    (folder / "here.yaml").write_text("cadence: 5\n")
    with prefect_test_harness(server_startup_timeout=240):
        yield Settings(regions=folder)


@pytest.fixture(scope="module")
def twice(settings: Settings) -> list[Registered]:
    """What is said to be there, each time."""
    pool = Pool("radars", Path("/srv/nowcast"))
    return [
        asyncio.run(register(deployments(settings, pool), settings, pool, following=following))
        for following in (True, True)
    ]


async def read(what: str, *words: Any) -> Any:
    """From the server."""
    async with get_client() as client:
        return await getattr(client, f"read_{what}")(*words)


def test_every_deployment_is_there_once_for_the_pool(twice: list[Registered]) -> None:
    wanted = [f"{flow}/here" for flow in FLOWS]
    assert [sorted(one.deployments) for one in twice] == [wanted, wanted]
    found = asyncio.run(read("deployments"))
    assert len(found) == len(FLOWS)
    assert {one.work_pool_name for one in found} == {"radars"}
    assert {one.job_variables["working_dir"] for one in found} == {"/srv/nowcast"}
    assert "flows.cycle.verify" in {one.entrypoint for one in found}
    assert asyncio.run(read("work_pool", "radars")).type == "process"


@pytest.mark.usefixtures("twice")
def test_every_automation_and_trigger_is_there_once() -> None:
    found = [one.name for one in asyncio.run(read("automations"))]
    assert {*found} == AUTOMATIONS | TRIGGERS
    assert len(found) == len(AUTOMATIONS | TRIGGERS)


def test_a_region_that_a_run_waits_for_is_not_followed_twice(twice: list[Registered]) -> None:
    assert [one.followed for one in twice] == [("here",), ()]
    runs = [one for one in asyncio.run(read("flow_runs")) if not one.auto_scheduled]
    assert [one.parameters for one in runs] == [{"region": "here"}]


@pytest.mark.usefixtures("settings")
def test_of_two_automations_of_one_name_one_is_left_as_it_is_wanted() -> None:
    def automation(words: str) -> AutomationCore:
        trigger = EventTrigger(posture=Posture.Reactive, expect={"nothing.like.this"})
        return AutomationCore(name="doubled", description=words, trigger=trigger, actions=[DoNothing()])

    async def held() -> list[str]:
        async with get_client() as client:
            for words in ("first", "second"):
                await client.create_automation(automation(words))
            assert await put_automation(client, automation("wanted")) == "doubled"
            return [one.description for one in await client.read_automations_by_name("doubled")]

    assert asyncio.run(held()) == ["wanted"]


@pytest.mark.usefixtures("twice")
def test_with_a_webhook_the_operators_are_told_by_it(settings: Settings) -> None:
    told = settings.model_copy(update={"operators_webhook": "http://127.0.0.1:9/told"})
    pool = Pool("radars", Path("/srv/nowcast"))
    asyncio.run(register(deployments(told, pool), told, pool))
    (failed,) = asyncio.run(read("automations_by_name", "nowcast: a run failed"))
    assert [one.type for one in failed.actions] == ["call-webhook"]
