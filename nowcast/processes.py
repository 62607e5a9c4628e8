"""Processes told apart: by machine, number, and the time they began, for numbers are used again."""

import socket
from typing import NamedTuple

import psutil

SAME_S = 1.0
"""Clocks that are set while a process runs move the time it began by less."""


class Process(NamedTuple):
    """A process of a machine; `born` [s] since 1970."""

    host: str
    pid: int
    born: float


def this_process() -> Process:
    """The one that asks."""
    me = psutil.Process()
    return Process(socket.gethostname(), me.pid, round(me.create_time(), 2))


def is_gone(process: Process) -> bool:
    """Whether it is certain that a process runs no more: one of this machine that is not there. Nobody knows of others.

    A container that is started again keeps its name and numbers its processes anew.
    """
    if process.host != socket.gethostname():
        return False
    try:
        found = psutil.Process(process.pid)
        return bool(found.status() == psutil.STATUS_ZOMBIE or abs(found.create_time() - process.born) > SAME_S)
    except psutil.NoSuchProcess:
        return True
