"""Damage to HDF5 files by HDF5 itself: the checksums and lengths are right, the contents are not."""

import io
from collections.abc import Callable
from random import Random

import h5py
import numpy as np

VALUES: tuple[object, ...] = (
    *(0, -1, 1, 63, 65, 2**31 - 1, 2**63 - 1, 0.0, -1.0, 0.5, 1e308, 1e-308),
    *(float("nan"), float("inf"), -float("inf")),
    *("", "x", "nan", "+proj=longlat", "+proj=nonsense", "99999999", "240000", "20200230", "RATE", "DBZH", "COMP"),
    *("x" * 5000, "GEO = nan * PV + inf", "01-JAN-2020;00:00:00.000", np.zeros(0), np.zeros(3), np.zeros((2, 2), "i8")),
    *(np.bytes_(b"\xff\xfe"), np.array(["a", "b"], object), h5py.Empty("f8"), np.complex128(1j), True),
)
ABANDONED = (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError, ArithmeticError, MemoryError)
"""What h5py raises when it cannot do an operation."""
KINDS = ("u1", "i2", "<f4", ">f8", "i8", "S4", "V8", "c16", "?", "f2")


def operate(content: bytes, dice: Random) -> bytes:
    """One operation; the file as it was where HDF5 cannot open it or do this."""
    buffer = io.BytesIO(content)
    try:
        with h5py.File(buffer, "r+") as file:
            dice.choice(OPERATIONS)(file, dice)
    except ABANDONED:
        return content
    return buffer.getvalue()


def set_attribute(file: h5py.File, dice: Random) -> None:
    """Another value for an attribute."""
    item = _item(file, dice)
    name = dice.choice(sorted(item.attrs) or ["gain"])
    value = dice.choice(VALUES)
    if dice.random() < 0.3 and isinstance(old := item.attrs.get(name), np.number | np.ndarray):
        value = np.asarray(old) * dice.choice((-1, 0, 0.5, 2, 1e9)) + dice.choice((0, 1))
    item.attrs[name] = value


def delete_attribute(file: h5py.File, dice: Random) -> None:
    """An attribute lost."""
    item = _item(file, dice)
    if names := sorted(item.attrs):
        del item.attrs[dice.choice(names)]


def delete_item(file: h5py.File, dice: Random) -> None:
    """A group or dataset lost."""
    del file[dice.choice(_names(file))]


def swap_items(file: h5py.File, dice: Random) -> None:
    """A group or dataset in the place of another: cycles too."""
    one, other = dice.choice(_names(file)), dice.choice(_names(file))
    target = file[other]
    del file[one]
    file[one] = target


def link(file: h5py.File, dice: Random) -> None:
    """A link that leads elsewhere in the place of a group or dataset."""
    name = dice.choice(_names(file))
    del file[name]
    file[name] = dice.choice((h5py.SoftLink("/"), h5py.SoftLink(name), h5py.ExternalLink("/etc/passwd", "/")))


def replace_dataset(file: h5py.File, dice: Random) -> None:
    """A dataset of other shape, type, chunks, storage or values."""
    name = dice.choice([n for n in _names(file) if isinstance(file[n], h5py.Dataset)])
    attributes, shape = dict(file[name].attrs), file[name].shape
    del file[name]
    shape = dice.choice((shape, shape, (), (0,), (1,), (64, 63), (64, 64, 2), (2**40,), (2**20, 2**20), (64, 2**30)))
    layout: dict[str, object] = {"dtype": dice.choice(KINDS)}
    if shape and dice.random() < 0.5:
        layout |= dice.choice(
            ({"chunks": True}, {"external": [("/etc/passwd", 0, 64)]}, {"compression": "lzf"}, {"fletcher32": True})
        )
    new = file.create_dataset(name, shape, **layout)
    if new.size and new.size < 10**6 and new.dtype.kind == "f":
        new[...] = dice.choice((np.nan, np.inf, -1.0, 1e30))
    new.attrs.update({k: v for k, v in attributes.items() if k not in ("DIMENSION_LIST", "REFERENCE_LIST")})


def spoil_chunk(file: h5py.File, dice: Random) -> None:
    """Damage to a packed chunk, or a chunk lost."""
    chunked = [n for n in _names(file) if isinstance(file[n], h5py.Dataset) and file[n].chunks]
    dataset = file[dice.choice(chunked)]
    origin = (0,) * len(dataset.shape)
    mask, packed = dataset.id.read_direct_chunk(origin)
    spoilt = bytearray(packed)
    for _ in range(dice.choice((1, 4))):
        spoilt[dice.randrange(len(spoilt))] ^= dice.randrange(1, 256)
    cut = dice.choice((len(spoilt), len(spoilt), len(spoilt) // 2, 0))
    dataset.id.write_direct_chunk(origin, bytes(spoilt[:cut]), dice.choice((mask, mask, 1)))


def virtual(file: h5py.File, dice: Random) -> None:
    """A dataset that lies in another file, or in itself."""
    name = dice.choice([n for n in _names(file) if isinstance(file[n], h5py.Dataset)])
    shape, kind, attributes = file[name].shape, file[name].dtype, dict(file[name].attrs)
    layout = h5py.VirtualLayout(shape, kind)
    layout[...] = h5py.VirtualSource(dice.choice((".", "/etc/passwd")), name, shape)
    del file[name]
    file.create_virtual_dataset(name, layout)
    file[name].attrs.update(attributes)


def _names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visit(names.append)
    return sorted(names)


def _item(file: h5py.File, dice: Random) -> h5py.HLObject:
    return file[dice.choice(_names(file))]


OPERATIONS: tuple[Callable[[h5py.File, Random], None], ...] = (
    *(set_attribute, set_attribute, set_attribute, delete_attribute, delete_item, swap_items, link),
    *(replace_dataset, replace_dataset, spoil_chunk, virtual),
)
