"""Machines in network namespaces of this one: each has an address, a /tmp and a /dev/shm of its own. Needs root."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil


@dataclass
class Host:
    """One machine, and what was started on it."""

    space: str
    address: str
    begun: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, words: list[str], environment: dict[str, str], log: str) -> None:
        """Start a command here; it writes to a log."""
        apart = 'mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm && exec "$@"'
        command = ["ip", "netns", "exec", self.space, "sh", "-c", apart, "-", *words]
        with open(log, "wb") as said:
            self.begun.append(subprocess.Popen(command, env=environment, stdout=said, stderr=said))

    def processes(self) -> list[psutil.Process]:
        """All that run here."""
        pids = subprocess.run(["ip", "netns", "pids", self.space], capture_output=True, text=True, check=False).stdout
        return [psutil.Process(int(pid)) for pid in pids.split() if psutil.pid_exists(int(pid))]

    def runs(self, name: str) -> bool:
        """Whether a process with such a title is here."""
        found = False
        for one in self.processes():
            with suppress(psutil.NoSuchProcess):
                found |= " ".join(one.cmdline()).startswith(name)
        return found

    def lose(self) -> None:
        """Cut it off, and end all that runs there."""
        subprocess.run(["ip", "-n", self.space, "link", "set", "eth0", "down"], check=False)
        for one in self.processes():
            with suppress(psutil.NoSuchProcess):
                one.kill()
        for begun in self.begun:
            begun.wait()


def can_be_made() -> bool:
    """Whether this machine lets us make namespaces."""
    if os.geteuid() or shutil.which("ip") is None:
        return False
    name = f"try-{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many machines on one switch, 10.77.0.1 and so on; gone at the end with all that ran there."""
    name = f"nowcast-{secrets.token_hex(3)}"
    hub, made = f"{name}-hub", [Host(f"{name}-{n}", f"10.77.0.{n}") for n in range(1, count + 1)]
    try:
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "add", "br0", "type", "bridge")
        _ip("-n", hub, "link", "set", "br0", "up")
        for number, host in enumerate(made):
            _ip("netns", "add", host.space)
            _ip("-n", host.space, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{number}", "netns", hub)
            _ip("-n", hub, "link", "set", f"port{number}", "master", "br0", "up")
            _ip("-n", host.space, "addr", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.space, "link", "set", "lo", "up")
            _ip("-n", host.space, "link", "set", "eth0", "up")
            _ip("-n", host.space, "route", "add", "default", "via", "10.77.0.254")
        yield made
    finally:
        for host in made:
            host.lose()
        for space in (hub, *(host.space for host in made)):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
