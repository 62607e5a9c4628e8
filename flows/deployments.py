"""Every deployment and its schedule, in one place. `python -m flows.deployments` serves them all from one process;
`nowcast deploy` registers them for the workers of a pool."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from prefect import Flow, serve
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from flows.automations import automations, put_automation
from flows.backfill import backfill_folder
from flows.cycle import ingest_folder, issue, verify
from flows.events import BY, COMMITTED, INGEST, resource_id
from flows.follow import follow_region
from flows.guard import refuse_exposed
from flows.retention import retention
from flows.retrain import retrain
from flows.signing import TAG
from nowcast.logs import configure
from nowcast.settings import USUAL_CADENCE, Settings

RETRAIN_AT, RETENTION_AT = "30 2 * * *", "30 4 * * *"
"""Cron, UTC."""

ONE_PER_REGION = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE, grace_period_seconds=60
)
"""Another run waits its turn. A run whose process is gone loses its place after the seconds of grace."""

SHORTEST = timedelta(seconds=30)
"""Between runs of a schedule, however fast a replay is: each begins with a new process."""

AGAIN_AFTER = timedelta(minutes=1)
"""When `follow` has failed. When its process was killed it begins again at once."""


class Pool(NamedTuple):
    """A work pool, and the folder that its workers run flows in: relative paths of settings start there."""

    name: str
    folder: Path


def deployments(settings: Settings, pool: Pool | None = None, speed: float = 1.0) -> list[RunnerDeployment]:
    """Per region: follow and backfill (started by hand), ingest and issue each cadence as follow's fallback, verify
    hourly, retrain and retention daily.

    With a pool, `follow` begins again when it has crashed or failed, and `issue` runs when `ingest` has committed.
    `speed` is that of a replay, whose schedules are as much shorter.
    """
    made = []
    for name in settings.region_names():
        cadence = settings.region(name).cadence or USUAL_CADENCE
        schedules: tuple[tuple[Flow[Any, Any], timedelta | None, str | None], ...] = (
            (follow_region, None, None),
            (backfill_folder, None, None),
            (ingest_folder, cadence, None),
            (issue, cadence, None),
            (verify, timedelta(hours=1), None),
            (retrain, None, RETRAIN_AT),
            (retention, None, RETENTION_AT),
        )
        for flow, interval, cron in schedules:
            deployment = flow.to_deployment(
                name=name,
                parameters={"region": name},
                interval=max(interval / speed, SHORTEST) if interval else None,
                cron=cron,
                concurrency_limit=ONE_PER_REGION,
                tags=[TAG, name],
                triggers=list(_triggers(flow, name)) if pool else [],
                **_at(pool),
            )
            assert isinstance(deployment, RunnerDeployment)
            made.append(deployment)
    return made


def _at(pool: Pool | None) -> dict[str, Any]:
    """Workers import flows from the installed package."""
    if pool is None:
        return {}
    return {
        "entrypoint_type": EntrypointType.MODULE_PATH,
        "work_pool_name": pool.name,
        "job_variables": {"working_dir": str(pool.folder)},
    }


def _triggers(flow: Flow[Any, Any], region: str) -> Iterator[DeploymentEventTrigger]:
    if flow is issue:
        committed = {"prefect.resource.id": resource_id(region), BY: INGEST}
        yield DeploymentEventTrigger(name=f"issue {region} when scans are in", expect={COMMITTED}, match=committed)
    if flow is follow_region:
        for state, after in (("Crashed", timedelta(0)), ("Failed", AGAIN_AFTER)):
            yield DeploymentEventTrigger(
                name=f"follow {region} again when it has {state.lower()}",
                expect={f"prefect.flow-run.{state}"},
                match={"prefect.resource.id": "prefect.flow-run.*"},
                match_related=[
                    {"prefect.resource.role": "flow", "prefect.resource.name": flow.name},
                    {"prefect.resource.role": "deployment", "prefect.resource.name": region},
                ],
                schedule_after=after,
            )


class Registered(NamedTuple):
    """What is at the server now."""

    deployments: tuple[str, ...]
    automations: tuple[str, ...]
    followed: tuple[str, ...]


async def register(
    made: list[RunnerDeployment], settings: Settings, pool: Pool, speed: float = 1.0, following: bool = False
) -> Registered:
    """Put `deployments`, made for the pool, and all automations at the server, in place of those that are there.

    The pool is made when there is none. `following` starts `follow` for every region that no run follows.
    """
    async with get_client() as client:
        await _put_pool(client, pool.name)
        ids = {f"{one.flow_name}/{one.name}": await one.aapply() for one in made}
        put = [await put_automation(client, one) for one in await automations(settings, speed)]
        started = [name for name in settings.region_names() if following and await _start(client, name)]
    return Registered(tuple(ids), tuple(put), tuple(started))


async def _put_pool(client: PrefectClient, name: str) -> None:
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))


async def _start(client: PrefectClient, region: str) -> bool:
    """Whether a run was begun, as none waits or runs."""
    deployment = await client.read_deployment_by_name(f"{follow_region.name}/{region}")
    chosen = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    runs = await client.read_flow_runs(deployment_filter=chosen, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
    if any(run.state is None or not run.state.is_final() for run in runs):
        return False
    await client.create_flow_run_from_deployment(deployment.id)
    return True


if __name__ == "__main__":
    configure(Settings())
    refuse_exposed(Settings())
    serve(*deployments(Settings()))
