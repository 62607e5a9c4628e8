"""A Ray head as operators start one: by `ray start`, with a token and a dashboard that takes jobs."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from ray_head import free_port

RAY = str(Path(sys.executable).with_name("ray"))
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class JobServer:
    """Where jobs are handed in, and the environment of those who may."""

    url: str
    environment: dict[str, str]

    def ray_job(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """`ray job ...` with the token, or with variables changed."""
        command = [RAY, "job", words[0], "--address", self.url, *words[1:]]
        return subprocess.run(
            command, env=self.environment | changed, capture_output=True, text=True, timeout=240, cwd=ROOT, check=False
        )


@contextmanager
def job_server(cpus: int, **variables: str) -> Iterator[JobServer]:
    """A head with so many CPUs on ports of its own, these variables in its environment; all its processes end here."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    port, dashboard = free_port(), free_port()
    environment = _outside() | variables | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    words = [RAY, "start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--temp-dir", str(folder)]
    words += ["--port", str(port), "--ray-client-server-port", str(free_port()), "--num-cpus", str(cpus)]
    words += ["--dashboard-port", str(dashboard), "--dashboard-agent-listen-port", str(free_port())]
    words += ["--object-store-memory", str(200_000_000), "--disable-usage-stats"]
    with (folder / "said").open("w+") as said:
        head = subprocess.Popen(words, env=environment, stdout=said, stderr=said, cwd=ROOT)
        server = JobServer(f"http://127.0.0.1:{dashboard}", environment)
        try:
            _wait(server)
            yield server
            assert head.poll() is None, (folder / "said").read_text()
        finally:
            _end(head)
            shutil.rmtree(folder, ignore_errors=True)


def _outside() -> dict[str, str]:
    """The environment without what would lead to another cluster."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "NOWCAST_"))}


def _wait(server: JobServer) -> None:
    ends = time.monotonic() + 200
    while server.ray_job("list").returncode:
        if time.monotonic() > ends:
            raise TimeoutError("the head takes no jobs")
        time.sleep(1)


def _end(head: "subprocess.Popen[bytes]") -> None:
    """Kill a process, if it still runs, and all that it started."""
    if head.poll() is None:
        top = psutil.Process(head.pid)
        for one in [top, *top.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    head.wait()
