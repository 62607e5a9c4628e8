"""Ray clusters in processes of their own, whose nodes can be added, removed and killed with SIGKILL."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Head:
    """A running cluster."""

    server: subprocess.Popen[str]
    address: str

    def ask(self, what: str) -> str:
        """`add` a worker node, `add KIND` one with a resource of that name, `remove` the one that was added last, or
        `lose ID` of a node, and wait until it is done; after `add` the id of the node."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(f"{what}\n")
        self.server.stdin.flush()
        return _answer(self.server)

    def kill(self) -> None:
        """All processes of the cluster, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()


@contextmanager
def ray_cluster(port: int | None = None, cpus: int = 2) -> Iterator[Head]:
    """A head with so many CPUs; killed at the end."""
    words = [sys.executable, __file__, str(port or free_port()), str(cpus)]
    server = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd="/"
    )
    head = Head(server, "")
    try:
        head.address = _answer(server)
        yield head
    finally:
        head.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _answer(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("answer: "):
            return line.removeprefix("answer: ").strip()
    raise RuntimeError("the cluster did not start")


def _serve(port: int, cpus: int) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": cpus, "gcs_server_port": port, "include_dashboard": False}
    )
    added: dict[str, Any] = {}
    _say(cluster.address)
    for line in sys.stdin:
        match line.split():
            case ["add", *kinds]:
                node = cluster.add_node(num_cpus=2, resources=dict.fromkeys(kinds, 1))
                added[node.node_id] = node
                _say(node.node_id)
            case ["lose", node_id]:
                cluster.remove_node(added.pop(node_id), allow_graceful=False)
                _say(node_id)
            case _:
                node_id, node = added.popitem()
                cluster.remove_node(node, allow_graceful=False)
                _say(node_id)


def _say(answer: str) -> None:
    sys.stdout.write(f"answer: {answer}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
