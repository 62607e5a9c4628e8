"""A session as an operator has it, on this machine, from nothing: `python infra/session`.

Starts a Prefect server, a Ray head with a token, a worker, the service for users and Prometheus; registers the
deployments of one region and starts following it; puts a file into its feed every 5 s, a storm at 60 times its speed.
After a third the worker and all its runs are killed with SIGKILL and a worker is started again, as a supervisor would;
after two thirds the actor is killed. Writes reports/session.json. A cycle is on time when its nowcast can be read
before the next file comes.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pages import shoot
from prefect.client.orchestration import PrefectClient
from station import REGION, Station, open_up, prepare, start_worker, until
from watching import Watcher, judged

from nowcast.claims import holder
from nowcast.settings import Settings, calm_engines
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm

CADENCE, SPEED = timedelta(minutes=5), 60
STEP_S = CADENCE.total_seconds() / SPEED
SIDE = 128
"""Of the grid [pixels of 1 km]."""

SETTLE_S, DRAIN_S, SUPERVISOR_S = 180.0, 90.0, 2.0
"""For the region to be followed, for the last nowcasts, and before the worker is started again."""


def main() -> int:
    """Run it; 1 when a nowcast is missing."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=30.0)
    asked.add_argument("--report", type=Path, default=Path("reports/session.json"))
    asked.add_argument("--pictures", type=Path, help="folder for screenshots")
    asked.add_argument("--database", help="postgresql+asyncpg://... for Prefect's server; SQLite when absent")
    asked.add_argument("--keep", action="store_true", help="leave the folder of logs and stores")
    words = asked.parse_args()
    station = prepare(Path(tempfile.mkdtemp(prefix="nowcast-session-")), SPEED, words.database)
    os.environ.update(station.environment)
    calm_engines()
    print(f"in {station.folder}", flush=True)
    try:
        report = held(station, words.minutes)
        words.report.parent.mkdir(exist_ok=True)
        words.report.write_text(json.dumps(report, indent=1) + "\n")
        print(json.dumps(report, indent=1), flush=True)
        if words.pictures:
            print("pictures:", *shoot(station, words.pictures))
    finally:
        station.end()
        if not words.keep:
            shutil.rmtree(station.folder, ignore_errors=True)
    return int(bool(report["missed"]))


def held(station: Station, minutes: float) -> dict[str, Any]:
    """All of it, and what is to be said of it."""
    settings = Settings()
    watcher = Watcher(settings)
    open_up(station)
    region = settings.region(REGION)
    until(lambda: holder(region, settings, datetime.now(UTC)) is not None, SETTLE_S, "a run that follows the region")
    threading.Thread(target=watcher.run, daemon=True).start()
    put, kills = play(station, max(6, round(minutes * 60 / STEP_S)))
    ends = time.monotonic() + DRAIN_S
    while set(put) - set(watcher.seen) and time.monotonic() < ends:
        time.sleep(0.5)
    watcher.over.set()
    found = judged(put, kills, watcher, STEP_S)
    at = {"minutes": minutes, "cpus": os.cpu_count(), "database": "PostgreSQL" if station.database else "SQLite"}
    return {**at, **found, **asyncio.run(at_server())}


def play(station: Station, count: int) -> tuple[dict[str, float], dict[str, float]]:
    """Put `count` files into the feed, one every STEP_S; when each was there, and when what was killed [s]."""
    start = (datetime.now(UTC) - (count + 12) * CADENCE).replace(minute=0, second=0, microsecond=0)
    put: dict[str, float] = {}
    kills: dict[str, float] = {}
    begun = time.monotonic()
    for number, scan in enumerate(Storm(start, size=SIDE, cells=8).scans(count)):
        made = station.folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5"
        write(scan, made)
        os.utime(made, (time.time() - 60, time.time() - 60))
        time.sleep(max(0.0, begun + number * STEP_S - time.monotonic()))
        made.rename(station.folder / "feed" / made.name)
        put[scan.nominal_time.isoformat()] = time.monotonic()
        if number == count // 3:
            kills["worker"] = time.monotonic()
            station.kill("worker")
            threading.Timer(SUPERVISOR_S, start_worker, (station,)).start()
        if number == 2 * count // 3:
            kills["actor"] = time.monotonic()
            station.kill_actor()
    return put, kills


async def at_server() -> dict[str, Any]:
    """Runs by flow and state, artifacts by key, automations."""
    async with PrefectClient(os.environ["PREFECT_API_URL"]) as client:
        automations = [one.name for one in await client.read_automations()]
        return {"runs": await runs(client), "artifacts": await artifacts(client), "automations": automations}


async def runs(client: PrefectClient) -> dict[str, dict[str, int]]:
    """Counts by flow and state."""
    flows = {flow.id: flow.name for flow in await client.read_flows()}
    found: dict[str, Counter[str]] = {}
    offset = 0
    while page := await client.read_flow_runs(limit=200, offset=offset):
        for run in page:
            found.setdefault(flows[run.flow_id], Counter())[run.state_name or ""] += 1
        offset += len(page)
    return {flow: dict(states) for flow, states in found.items()}


async def artifacts(client: PrefectClient) -> dict[str, int]:
    """Counts by key."""
    found: Counter[str] = Counter()
    offset = 0
    while page := await client.read_artifacts(limit=50, offset=offset):
        found.update(one.key or "" for one in page)
        offset += len(page)
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
