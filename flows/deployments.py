"""Every deployment and its schedule, in one place. `python -m flows.deployments` serves them all from one process."""

from datetime import timedelta

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment

from flows.cycle import ingest_folder, issue, verify
from flows.follow import follow_region
from nowcast.logs import configure
from nowcast.settings import Settings

DEFAULT_INTERVAL = timedelta(minutes=5)
ONE_PER_REGION = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)


def deployments(settings: Settings) -> list[RunnerDeployment]:
    """Per region: follow (started once, by hand), ingest and issue each cadence as its fallback, verify hourly."""
    made = []
    for name in settings.region_names():
        cadence = settings.region(name).cadence or DEFAULT_INTERVAL
        for flow, interval in (
            (follow_region, None),
            (ingest_folder, cadence),
            (issue, cadence),
            (verify, timedelta(hours=1)),
        ):
            deployment = flow.to_deployment(
                name=name,
                parameters={"region": name},
                interval=interval,
                concurrency_limit=ONE_PER_REGION,
                tags=["nowcast", name],
            )
            assert isinstance(deployment, RunnerDeployment)
            made.append(deployment)
    return made


if __name__ == "__main__":
    configure(Settings())
    serve(*deployments(Settings()))
