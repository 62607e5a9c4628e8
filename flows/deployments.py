"""Every deployment and its schedule, in one place. `python -m flows.deployments` serves them all from one process."""

from datetime import timedelta
from typing import Any

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment

from flows.backfill import backfill_folder
from flows.cycle import ingest_folder, issue, verify
from flows.follow import follow_region
from flows.guard import refuse_exposed
from flows.retention import retention
from flows.retrain import retrain
from nowcast.logs import configure
from nowcast.settings import USUAL_CADENCE, Settings

RETRAIN_AT, RETENTION_AT = "30 2 * * *", "30 4 * * *"
"""Cron, UTC."""

ONE_PER_REGION = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)


def deployments(settings: Settings) -> list[RunnerDeployment]:
    """Per region: follow and backfill (started by hand), ingest and issue each cadence as follow's fallback, verify
    hourly, retrain and retention daily."""
    made = []
    for name in settings.region_names():
        cadence = settings.region(name).cadence or USUAL_CADENCE
        schedules: tuple[tuple[Any, timedelta | None, str | None], ...] = (
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
                interval=interval,
                cron=cron,
                concurrency_limit=ONE_PER_REGION,
                tags=["nowcast", name],
            )
            assert isinstance(deployment, RunnerDeployment)
            made.append(deployment)
    return made


if __name__ == "__main__":
    configure(Settings())
    refuse_exposed(Settings())
    serve(*deployments(Settings()))
