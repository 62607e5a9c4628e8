"""`nowcast deploy` and `nowcast worker`: the regions' flows at a Prefect server, and a process that runs them."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from nowcast.cli_options import Json, errors, show, usage
from nowcast.settings import Settings

PoolName = Annotated[str, typer.Argument(help="Work pool; made when there is none.")]
Folder = Annotated[
    Path | None, typer.Option(help="Where workers run flows; relative paths of settings start there. Here when absent.")
]
Speed = Annotated[float, typer.Option(min=1.0, help="Schedules as for a replay that runs so many times faster.")]


def deploy(
    pool: PoolName = "nowcast",
    folder: Folder = None,
    follow: Annotated[bool, typer.Option(help="Start following every region that no run follows.")] = False,
    speed: Speed = 1.0,
    as_json: Json = False,
) -> None:
    """Register all regions' flows, schedules, triggers and automations at Prefect's server. Repeating it brings them
    up to date."""
    from flows.deployments import Pool, deployments, register
    from flows.guard import refuse_unready

    with usage():
        settings = Settings()
        refuse_unready(settings, settings.region_names())
        where = Pool(pool, (folder or Path.cwd()).absolute())
        made = asyncio.run(register(deployments(settings, where, speed), settings, where, speed, follow))
    rows = [{"what": kind, "name": name} for kind, names in made._asdict().items() for name in names]
    show(rows, as_json)


def worker(pool: PoolName = "nowcast", limit: Annotated[int | None, typer.Option(help="Runs at once.")] = None) -> None:
    """Run what is due in a work pool until interrupted. Runs that an earlier worker of this machine was killed with are
    ended first, so that theirs begin again at once."""
    from flows.guard import refuse_unready
    from flows.signing import end_lost_runs

    with usage():
        settings = Settings()
        refuse_unready(settings, settings.region_names())
        for name in asyncio.run(end_lost_runs()):
            errors.print(f"{name}: its process is gone", markup=False, highlight=False)
    words = ["worker", "start", "--pool", pool, "--type", "process", *(["--limit", str(limit)] if limit else [])]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "prefect", *words])
