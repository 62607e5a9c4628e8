"""Small reading aids shared by the HDF5 formats."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from nowcast.sources.payload import Payload

MAGIC = b"\x89HDF\r\n\x1a\n"


@contextmanager
def open_hdf5(payload: Payload) -> Iterator[h5py.File]:
    """The payload as a read-only HDF5 file."""
    with h5py.File(io.BytesIO(payload.content), "r") as file:
        yield file


def holds(payload: Payload, *names: str) -> bool:
    """Whether the payload is HDF5 and has all the named groups or datasets; OSError and its like when it is damaged."""
    if not payload.content.startswith(MAGIC):
        return False
    with open_hdf5(payload) as file:
        return all(name in file for name in names)


def text(group: h5py.Group, name: str) -> str:
    """An attribute as text, whether stored as bytes, str or an array of one."""
    value = np.asarray(group.attrs[name]).ravel()[0]
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def number(group: h5py.Group, name: str) -> float:
    """An attribute as a float, whether stored as a scalar or an array of one."""
    value: Any = np.asarray(group.attrs[name]).ravel()[0]
    return float(value)
