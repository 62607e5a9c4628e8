"""Reading aids shared by the HDF5 formats, which keep a file from reaching beyond itself.

HDF5 files can name other files, as links, as virtual datasets and as external storage, can ask for filters to be loaded
from plug-ins, and can declare arrays of any size. None of these is followed.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5l, h5pl, h5z

from nowcast.sources.limits import require_pixels
from nowcast.sources.payload import BadScan, Payload

MAGIC = b"\x89HDF\r\n\x1a\n"
FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_SZIP}
"""Those that HDF5 itself has and radar formats use."""
MAX_LINKS, MAX_ATTRIBUTE = 10_000, 65_536
"""Groups and datasets of a file; bytes of an attribute."""

while h5pl.size():
    h5pl.remove(0)


@contextmanager
def open_hdf5(payload: Payload) -> Iterator[h5py.File]:
    """The payload as a read-only HDF5 file; BadScan when a link leads anywhere but to a part of the file itself."""
    with h5py.File(io.BytesIO(payload.content), "r") as file:
        _require_plain_links(payload, file)
        yield file


def _require_plain_links(payload: Payload, file: h5py.File) -> None:
    count = 0

    def fault(name: bytes, link: Any) -> str | None:
        nonlocal count
        count += 1
        if link.type != h5l.TYPE_HARD:
            kind = "a soft" if link.type == h5l.TYPE_SOFT else "an external"
            return f"{name.decode('latin-1')} is {kind} link"
        return f"more than {MAX_LINKS} groups and datasets" if count > MAX_LINKS else None

    if found := file.id.links.visit(fault, info=True):
        raise BadScan(payload.name, found)


def holds(payload: Payload, *names: str) -> bool:
    """Whether the payload is HDF5 and has all the named groups or datasets; OSError and its like when it is damaged."""
    if not payload.content.startswith(MAGIC):
        return False
    with open_hdf5(payload) as file:
        return all(name in file for name in names)


def array(dataset: h5py.Dataset) -> Any:
    """All numbers of a dataset, a scalar or an array; ValueError unless they lie in the file and are of a sane size."""
    layout = dataset.id.get_create_plist()
    if layout.get_layout() == h5d.VIRTUAL or layout.get_external_count():
        raise ValueError(f"{dataset.name} lies in other files")
    filters = {layout.get_filter(k)[0] for k in range(layout.get_nfilters())}
    if unknown := filters - FILTERS:
        raise ValueError(f"{dataset.name} is packed by filter {min(unknown)}, which is not allowed")
    if dataset.dtype.kind not in "iuf" or dataset.dtype.itemsize > 8:
        raise ValueError(f"{dataset.name} holds {dataset.dtype}, not numbers")
    require_pixels(*dataset.shape)
    require_pixels(*(dataset.chunks or ()))
    return dataset[()]


def text(group: h5py.Group, name: str) -> str:
    """An attribute as text, whether stored as bytes, str or an array of one."""
    value = _first(group, name)
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def number(group: h5py.Group, name: str) -> float:
    """An attribute as a float, whether stored as a scalar or an array of one."""
    return float(_first(group, name))


def numbers(group: h5py.Group, name: str) -> list[float]:
    """An attribute as floats."""
    return [float(one) for one in _values(group, name)]


def _first(group: h5py.Group, name: str) -> Any:
    return _values(group, name)[0]


def _values(group: h5py.Group, name: str) -> Any:
    if (size := group.attrs.get_id(name).get_storage_size()) > MAX_ATTRIBUTE:
        raise ValueError(f"attribute {name} has {size} bytes")
    return np.asarray(group.attrs[name]).ravel()
