"""A session as an operator has it, on this machine, from nothing: `python infra/session.py --minutes 30`.

Starts a Prefect server, a Ray head with a token, a worker; registers the deployments of one region and starts following
it; puts a file into its feed every 5 s, a storm at 60 times its speed. After a third the worker and all its runs are
killed with SIGKILL and a worker is started again, as a supervisor would; after two thirds the actor is killed. Writes
reports/session.json. A cycle is on time when its nowcast can be read before the next file comes.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from nowcast.settings import calm_engines

CADENCE, SPEED = timedelta(minutes=5), 60
STEP_S = CADENCE.total_seconds() / SPEED
REGION = "storm"
SIDE = 128
"""Of the grid [pixels of 1 km]."""

SETTLE_S, DRAIN_S, SUPERVISOR_S = 60.0, 90.0, 2.0
"""For the first nowcast, for the last ones, and before the worker is started again."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Station:
    """All processes of the session, in one folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *words: str) -> None:
        """A process in the background, logging to NAME.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                words,
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )

    def kill(self, name: str) -> list[int]:
        """SIGKILL for a process and all that it started; their ids."""
        top = psutil.Process(self.processes[name].pid)
        all_of_them = [*top.children(recursive=True), top]
        for one in all_of_them:
            with_nothing = (psutil.NoSuchProcess, ProcessLookupError)
            try:
                one.send_signal(signal.SIGKILL)
            except with_nothing:
                continue
        self.processes[name].wait()
        return [one.pid for one in all_of_them]

    def end(self) -> None:
        """All of them."""
        for name, process in self.processes.items():
            if process.poll() is None:
                self.kill(name)


def prepare(folder: Path) -> Station:
    """The region's YAML, an empty feed, and the environment of every process."""
    for name in ("feed", "regions"):
        (folder / name).mkdir(parents=True)
    (folder / "regions" / f"{REGION}.yaml").write_text(
        f"feed: {folder / 'feed'}\npattern: '*.h5'\ncadence: 5\nleads: 6\npoll_s: 0.3\nthresholds: [0.5, 2.0]\n"
    )
    api, ray_port = free_port(), free_port()
    return Station(
        folder,
        {
            "NOWCAST_STORE": str(folder / "store"),
            "NOWCAST_REGIONS": str(folder / "regions"),
            "NOWCAST_RAY_ADDRESS": f"127.0.0.1:{ray_port}",
            "NOWCAST_MAP_URL": "http://127.0.0.1:8000/",
            "NOWCAST_LOG_LEVEL": "warning",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{api}/api",
            "PREFECT_UI_API_URL": f"http://127.0.0.1:{api}/api",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_LOGGING_LEVEL": "INFO",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
    )


def open_up(station: Station) -> None:
    """Server, Ray head, deployments, worker."""
    api, ray_port = (station.environment[name].rsplit(":", 1)[1] for name in ("PREFECT_API_URL", "NOWCAST_RAY_ADDRESS"))
    station.start("server", sys.executable, "-m", "prefect", "server", "start", "--port", api.partition("/")[0])
    ray = str(Path(sys.executable).parent / "ray")
    head = ("start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--port", ray_port)
    station.start("ray", ray, *head, "--include-dashboard=false", "--disable-usage-stats", "--num-cpus", "2")
    wait(lambda: answers(f"{station.environment['PREFECT_API_URL']}/health"), 120, "Prefect's server")
    wait(lambda: listens(int(ray_port)), 120, "Ray's head")
    deploy = (sys.executable, "-m", "nowcast", "deploy", "nowcast", "--follow", "--speed", str(SPEED))
    subprocess.run(deploy, env=os.environ | station.environment, cwd=station.folder, check=True)
    start_worker(station)


def start_worker(station: Station) -> None:
    """A worker of the pool."""
    station.start("worker", sys.executable, "-m", "nowcast", "worker", "nowcast")


def wait(is_so: Any, seconds: float, what: str) -> None:
    """Until something is so; TimeoutError naming it when it is not in time."""
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError(f"{what}: not after {seconds:g} s")
        time.sleep(0.2)


def answers(url: str) -> bool:
    """Whether a GET succeeds."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Watcher:
    """When each nowcast could be read first, by its initial time; seen by a reader every 50 ms."""

    settings: Any
    seen: dict[str, float] = field(default_factory=dict)
    rungs: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it is over."""
        from nowcast.store import repository
        from nowcast.store.forecasts import open_forecasts, records

        where = self.settings.location(REGION).child("forecasts")
        wait_for = lambda: self.over.is_set() or repository.exists(where)  # noqa: E731
        wait(wait_for, 600, "forecasts")
        kept, last = None, ""
        while not self.over.wait(0.05):
            kept = kept or open_forecasts(where)
            if (snapshot := repository.snapshot_id(kept.repository)) == last:
                continue
            now, last = time.monotonic(), snapshot
            for slot, record in records(open_forecasts(where)).items():
                key = kept.timeline.time(slot).isoformat()
                self.seen.setdefault(key, now)
                self.rungs.setdefault(key, record.rung)


def actor_pid(settings: Any) -> int:
    """The process of the region's actor."""
    import ray

    from nowcast.serving.actor import region_actor
    from nowcast.serving.cluster import connect

    connect(settings)
    return int(ray.get(region_actor(settings.region(REGION), settings).status.remote(settings.region(REGION)))["pid"])


def play(station: Station, settings: Any, count: int) -> tuple[dict[str, float], dict[str, float]]:
    """Put `count` files into the feed, one every STEP_S; when each was there, and when what was killed [s]."""
    from nowcast.sources.odim_hdf5 import write
    from nowcast.sources.synthetic import Storm

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
            os.kill(actor_pid(settings), signal.SIGKILL)
            kills["actor"] = time.monotonic()
    return put, kills


def judged(put: dict[str, float], kills: dict[str, float], watcher: Watcher) -> dict[str, Any]:
    """Counts and latencies [s] from a file in the feed to its nowcast in a reader."""
    late = {key: watcher.seen[key] - moment for key, moment in put.items() if key in watcher.seen}
    times = sorted(late.values())
    centiles = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    recovery = {}
    for what, moment in kills.items():
        after = [key for key, there in put.items() if there >= moment - STEP_S and late.get(key, 1e9) > STEP_S]
        run = []
        for key in [k for k, there in put.items() if there >= moment - STEP_S]:
            if key not in after:
                break
            run.append(key)
        first = min((watcher.seen[k] for k in put if watcher.seen.get(k, 0) > moment), default=moment)
        recovery[what] = {"late_cycles": len(run), "first_nowcast_after_s": round(first - moment, 1)}
    rungs: dict[str, int] = {}
    for key in put:
        if key in watcher.rungs:
            rungs[watcher.rungs[key]] = rungs.get(watcher.rungs[key], 0) + 1
    return {
        "scans": len(put),
        "nowcasts": len(late),
        "missed": sorted(set(put) - set(late)),
        "on_time": sum(one <= STEP_S for one in times),
        "within_s": STEP_S,
        "latency_s": {"p50": round(centiles[49], 2), "p99": round(centiles[98], 2), "max": round(max(times), 2)},
        "kills": recovery,
        "rungs": rungs,
    }


async def at_server() -> dict[str, Any]:
    """Runs by flow and state, artifacts by key, automations."""
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        flows = {flow.id: flow.name for flow in await client.read_flows()}
        runs: dict[str, dict[str, int]] = {}
        offset = 0
        while page := await client.read_flow_runs(limit=200, offset=offset):
            for run in page:
                states = runs.setdefault(flows[run.flow_id], {})
                states[run.state_name or ""] = states.get(run.state_name or "", 0) + 1
            offset += len(page)
        artifacts: dict[str, int] = {}
        offset = 0
        while page_of := await client.read_artifacts(limit=50, offset=offset):
            for one in page_of:
                artifacts[one.key or ""] = artifacts.get(one.key or "", 0) + 1
            offset += len(page_of)
        automations = [one.name for one in await client.read_automations()]
    return {"runs": runs, "artifacts": artifacts, "automations": automations}


def shoot(station: Station, into: Path) -> None:
    """Prefect's pages, by headless Chromium if it is there."""
    from browser import chromium

    url = station.environment["PREFECT_API_URL"].removesuffix("/api")
    browser = chromium(1400, 1000)
    for name in ("dashboard", "runs", "deployments", "automations", "artifacts", f"artifacts/key/nowcast-{REGION}"):
        browser.get(f"{url}/{name}")
        time.sleep(4)
        (into / f"prefect-{name.split('/')[0] if name.count('/') == 0 else 'key'}.png").write_bytes(
            browser.get_screenshot_as_png()
        )
    browser.quit()


def main() -> None:
    """Run it; exit code 1 when a nowcast is missing."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=30.0)
    asked.add_argument("--report", type=Path, default=Path("reports/session.json"))
    asked.add_argument("--pictures", type=Path, help="folder for screenshots of Prefect's pages")
    asked.add_argument("--keep", action="store_true", help="leave the folder of logs and stores")
    words = asked.parse_args()
    station = prepare(Path(tempfile.mkdtemp(prefix="nowcast-session-")))
    os.environ.update({k: v for k, v in station.environment.items() if k != "PYTHONPATH"})
    calm_engines()
    from nowcast.settings import Settings

    settings = Settings()
    watcher = Watcher(settings)
    reader = threading.Thread(target=watcher.run, daemon=True)
    try:
        print(f"in {station.folder}", flush=True)
        open_up(station)
        wait(lambda: is_followed(settings), SETTLE_S * 3, "following")
        reader.start()
        count = max(6, round(words.minutes * 60 / STEP_S))
        put, kills = play(station, settings, count)
        ends = time.monotonic() + DRAIN_S
        while set(put) - set(watcher.seen) and time.monotonic() < ends:
            time.sleep(0.5)
        time.sleep(5)
        report = {
            "minutes": words.minutes,
            "cpus": os.cpu_count(),
            **judged(put, kills, watcher),
            **asyncio.run(at_server()),
        }
        words.report.parent.mkdir(exist_ok=True)
        words.report.write_text(json.dumps(report, indent=1) + "\n")
        print(json.dumps(report, indent=1))
        if words.pictures:
            shoot(station, words.pictures)
    finally:
        watcher.over.set()
        station.end()
        if not words.keep:
            shutil.rmtree(station.folder, ignore_errors=True)
    sys.exit(bool(report["missed"]))


def is_followed(settings: Any) -> bool:
    """Whether a process has claimed the region."""
    from nowcast.claims import holder

    return holder(settings.region(REGION), settings, datetime.now(UTC)) is not None


if __name__ == "__main__":
    main()
