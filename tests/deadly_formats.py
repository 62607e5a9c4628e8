"""Formats whose readers do what damaged files may make a library do; a child imports this to have them in SOURCES.

A file is `DEADLY what argument`.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import h5py
import numpy as np
import rasterio

from nowcast.core.scan import Scan
from nowcast.sources import SOURCES, Format
from nowcast.sources.payload import Payload
from nowcast.sources.synthetic import Storm

STORM = Storm(datetime(2020, 1, 1, tzinfo=UTC), size=8)
PAGE = 1 << 20


def recognises(payload: Payload) -> bool:
    """Made here."""
    return payload.content.startswith(b"DEADLY ")


def read(payload: Payload) -> Iterator[Scan]:
    """Does what the file says, then gives one small scan with its answer as product."""
    _, what, argument = payload.content.decode().split(" ", 2)
    yield from (scan_of(str(answer)) for answer in [DEEDS[what](argument)])
    if what == "flood":
        while True:
            yield scan_of("again")


def scan_of(product: str) -> Scan:
    """8 x 8 pixels."""
    (scan,) = STORM.scans(1)
    return Scan("deadly", product, scan.nominal_time, "rain_rate", scan.values, scan.coverage, scan.grid)


def spin(_: str) -> None:
    """Never ends, and computes."""
    while True:
        pass


def hoard(_: str) -> None:
    """Takes page after page and fills them."""
    kept = []
    while True:
        kept.append(np.ones(PAGE))


def die_once(flag: str) -> str:
    """Is killed, as from outside, at the first try."""
    try:
        os.mkdir(flag)
    except FileExistsError:
        return "second try"
    os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def write(path: str) -> str:
    """Tries to write a file; what comes of it."""
    try:
        with open(path, "wb") as file:
            file.write(b"x")
    except OSError as error:
        return type(error).__name__
    return "written"


def drivers(_: str) -> str:
    """GDAL drivers that can follow names in a file, and the plug-in folders of HDF5."""
    with rasterio.Env() as env:
        return f"{sorted({'VRT', 'HTTP', 'WMS', 'GTI'} & set(env.drivers()))} {h5py.h5pl.size()}"


DEEDS: dict[str, Callable[[str], object]] = {
    "nothing": lambda argument: argument,
    "pid": lambda _: os.getpid(),
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "spin": spin,
    "hoard": hoard,
    "allocate": lambda size: np.ones(int(size)),
    "segfault": lambda _: ctypes.string_at(0),
    "exit": lambda status: os._exit(int(status)),
    "die-once": die_once,
    "write": write,
    "environment": lambda _: sorted(os.environ),
    "drivers": drivers,
    "flood": lambda _: "first",
}

SOURCES["deadly"] = Format(recognises, read)
