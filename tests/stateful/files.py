"""Radar files of a tiny grid, each written once: what a feed may bring, and what it holds."""

import hashlib
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from fakes import CRS, FIVE, START

from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.core.types import FloatField
from nowcast.sources import decode
from nowcast.sources.odim_hdf5 import write

TINY = Grid(CRS, -4000.0, 4000.0, 1000.0, 1000.0, 8, 8)
COVERED = {"whole": 64, "dim": 1, "blank": 0}
"""Kind of scan -> how many pixels it covers: all, the first one, none."""

OTHER_BYTES, OTHER_RAIN = "copy", "other"
"""The same scan written differently; another scan of the same time."""

FOLDER = tempfile.TemporaryDirectory(prefix="nowcast-histories-")


@dataclass(frozen=True, eq=False)
class Radar:
    """A file and what it holds: the slot, the kind, the hash of its bytes, the scan's id and rain [mm h-1] (y, x)."""

    path: Path
    slot: int
    kind: str
    file_id: bytes
    scan_id: bytes = b""
    rain_rate: FloatField | None = None


@cache
def radar(slot: int, kind: str = "whole", variant: str = "") -> Radar:
    """Every picture differs from every other, in whole hundredths."""
    seed = slot * 10 + (variant == OTHER_RAIN)
    rain_rate = np.random.default_rng(seed).integers(50, 900, TINY.shape).astype(np.float32) / np.float32(100)
    coverage = np.arange(64).reshape(8, 8) < COVERED[kind]
    values = np.where(coverage, rain_rate, np.float32(np.nan))
    path = _path(slot, f"{kind}{variant}")
    write(Scan("fake", "rain", START + slot * FIVE, "rain_rate", values, coverage, TINY), path)
    if variant == OTHER_BYTES:
        with h5py.File(path, "a") as file:
            file.attrs["remark"] = "sent again"
    (held,) = decode(path)
    return Radar(path, slot, kind, _digest(path), held.scan_id, held.rain_rate)


@cache
def truncated(slot: int, percent: int) -> Radar:
    """The first part of a file, of 0 bytes up."""
    content = radar(slot).path.read_bytes()
    path = _path(slot, f"cut{percent}")
    path.write_bytes(content[: len(content) * percent // 100])
    return Radar(path, slot, "corrupt", _digest(path))


def _path(slot: int, what: str) -> Path:
    return Path(FOLDER.name) / f"radar_{START + slot * FIVE:%Y%m%d%H%M}_{what}.h5"


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
