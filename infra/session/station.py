"""The processes of a session, in one folder with their logs: started, killed, and all gone at the end."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

REGION, POOL = "storm", "nowcast"
PATIENCE_S = 180.0
"""For a server to come up on a busy machine."""

RULES = Path(__file__).resolve().parents[1] / "prometheus/rules.yml"


@dataclass
class Station:
    """Where things are, and what runs."""

    folder: Path
    speed: int
    prefect: int
    ray: int
    api: int
    prometheus: int
    database: str | None = None
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def environment(self) -> dict[str, str]:
        """What every process is told."""
        url = f"http://127.0.0.1:{self.prefect}/api"
        return {
            "NOWCAST_STORE": str(self.folder / "store"),
            "NOWCAST_REGIONS": str(self.folder / "regions"),
            "NOWCAST_RAY_ADDRESS": f"127.0.0.1:{self.ray}",
            "NOWCAST_MAP_URL": f"http://127.0.0.1:{self.api}/",
            "NOWCAST_LOG_FORMAT": "json",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": url,
            "PREFECT_UI_API_URL": url,
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            **({"PREFECT_API_DATABASE_CONNECTION_URL": self.database} if self.database else {}),
        }

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

    def kill(self, name: str) -> None:
        """SIGKILL for a process and all that it started."""
        top = psutil.Process(self.processes[name].pid)
        _kill([*top.children(recursive=True), top])
        self.processes[name].wait()

    def kill_actor(self) -> None:
        """SIGKILL for the process of the region's actor; LookupError when there is none."""
        actors = [one for one in self._alive() if "ray::RegionActor" in " ".join(one.cmdline())]
        if not actors:
            raise LookupError("no process of an actor")
        _kill(actors)

    def end(self) -> None:
        """Nothing of it runs any more: known by its store, for Ray and Prefect start processes of their own."""
        _kill(list(self._alive()))

    def _alive(self) -> Iterator[psutil.Process]:
        store = self.environment["NOWCAST_STORE"]
        for one in psutil.process_iter():
            try:
                if one.pid != os.getpid() and one.environ().get("NOWCAST_STORE") == store:
                    yield one
            except (psutil.Error, ProcessLookupError):
                continue


def prepare(folder: Path, speed: int, database: str | None = None) -> Station:
    """The region's YAML, an empty feed, what Prometheus reads, and free ports."""
    for name in ("feed", "regions"):
        (folder / name).mkdir(parents=True)
    region = {"feed": str(folder / "feed"), "pattern": "*.h5", "cadence": 5, "leads": 6, "poll_s": 0.3}
    _write(folder / "regions" / f"{REGION}.yaml", region | {"thresholds": [0.5, 2.0]})
    prefect, ray, api, prometheus = free_ports(4)
    scrape = {"job_name": "nowcast", "static_configs": [{"targets": [f"127.0.0.1:{api}"]}]}
    often = {"scrape_interval": "5s", "evaluation_interval": "5s"}
    _write(folder / "prometheus.yml", {"global": often, "rule_files": [str(RULES)], "scrape_configs": [scrape]})
    return Station(folder, speed, prefect, ray, api, prometheus, database)


def open_up(station: Station) -> None:
    """Server, Ray head, deployments, worker, the service for users, and Prometheus where it is installed."""
    station.start("server", sys.executable, "-m", "prefect", "server", "start", "--port", str(station.prefect))
    ray = str(Path(sys.executable).parent / "ray")
    head = ("start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--port", str(station.ray))
    station.start("ray", ray, *head, "--include-dashboard=false", "--disable-usage-stats", "--num-cpus", "2")
    until(lambda: "Ray runtime started" in (station.folder / "ray.log").read_text(), PATIENCE_S, "Ray's head")
    until(lambda: answers(f"{station.environment['PREFECT_API_URL']}/health"), PATIENCE_S, "Prefect's server")
    nowcast = (sys.executable, "-m", "nowcast")
    deploy = (*nowcast, "deploy", POOL, "--follow", "--speed", str(station.speed))
    subprocess.run(deploy, env=os.environ | station.environment, cwd=station.folder, check=True)
    start_worker(station)
    station.start("serve", *nowcast, "serve", "--region", REGION, "--port", str(station.api), "--open")
    if (found := shutil.which("prometheus")) is not None:
        where = f"--storage.tsdb.path={station.folder / 'prometheus'}"
        listen = f"--web.listen-address=127.0.0.1:{station.prometheus}"
        station.start("prometheus", found, f"--config.file={station.folder / 'prometheus.yml'}", where, listen)


def start_worker(station: Station) -> None:
    """A worker of the pool."""
    station.start("worker", sys.executable, "-m", "nowcast", "worker", POOL)


def until(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait; TimeoutError naming it when it is not in time."""
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


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in taken]
    for one in taken:
        one.close()
    return ports


def _kill(processes: list[psutil.Process]) -> None:
    for one in processes:
        try:
            one.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def _write(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content))
