"""The process that decodes: it reads orders from a socket, and has little to lose.

It gets no environment, can write no file, and dies of what costs too much. Its parent is `sandbox`.
"""

import json
import resource
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from time import process_time

from nowcast.sources import scans_in, wire
from nowcast.sources.limits import MIB, Limits
from nowcast.sources.payload import BadScan

GRACE_S = 5.0
"""A child whose parent was killed ends itself so long after the parent would have ended it."""
MAX_REASON = 1000
"""Characters of a reason, which may quote the file."""


def main() -> None:
    """Decode what is asked for until the other side hangs up: argv is a socket, limits, and modules to import."""
    _, number, limits_json, modules_json = sys.argv
    channel, limits = socket.socket(fileno=int(number)), Limits(**json.loads(limits_json))
    for name in json.loads(modules_json):
        import_module(name)
    _confine(limits)
    wire.send(channel, {"ready": True})
    while (order := wire.receive(channel)) is not None:
        _start_clocks(limits)
        wire.send(channel, _decode(channel, Path(order["path"]), limits))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _confine(limits: Limits) -> None:
    """Limits that hold for as long as the process lives."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))


def _start_clocks(limits: Limits) -> None:
    """Limits that count from now."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(process_time()) + 1 + limits.cpu_s, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s + GRACE_S)


def _decode(channel: socket.socket, path: Path, limits: Limits) -> wire.Message:
    """Send all scans of a file; how it ended."""
    try:
        for scan in scans_in(path):
            wire.send_scan(channel, scan)
    except BadScan as bad:
        return {"refused": bad.reason[:MAX_REASON]}
    except MemoryError:
        return {"refused": f"decoding needs more than {limits.memory // MIB} MiB"}
    except OSError as error:
        return {"unreadable": [error.errno or 0, error.strerror or str(error)]}
    return {"whole": True}
