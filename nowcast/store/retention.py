"""What is old goes: the commits of a store but the newest, with what only they held, and the fields of its slots."""

from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import zarr
from filelock import Timeout
from zarr.core.metadata import ArrayV3Metadata

from nowcast.core.crashpoints import reached
from nowcast.core.timeline import parse_time
from nowcast.store import repository
from nowcast.store.repository import Location, array
from nowcast.store.template import STATUS_ISSUED, STATUS_MISSING, STATUS_OBSERVED

AT_ONCE = 12
"""Slots that are emptied in one commit, as a scan that comes meanwhile waits for it."""

LIVE = timedelta(days=2)
"""This much before the newest scan or nowcast is in use, however long ago that was."""


class Swept(NamedTuple):
    """How many commits were forgotten, and how many bytes that frees."""

    commits: int
    freed: int


def sweep(location: Location, keep: timedelta, now: datetime) -> Swept:
    """Forget every commit made more than `keep` before `now` but the newest, and delete what only these referred to.

    `history` lists the others as before, and each can be opened. Whoever reads a forgotten commit at the moment may
    fail. Raises ValueError for a negative `keep`, StoreNotFound without a store, and TimeoutError when another process
    holds the committer's lock for too long.
    """
    if keep < timedelta(0):
        raise ValueError(f"keep must not be negative, not {keep}")
    opened, oldest = repository.open_existing(location), now - keep
    try:
        with location.lock():
            commits = opened.expire_snapshots(oldest)
            reached("retention.expired")
            return Swept(len(commits), int(opened.garbage_collect(oldest).bytes_deleted))
    except Timeout as error:
        raise TimeoutError(f"another process holds {error.lock_file}") from error


def empty(location: Location, keep: timedelta, now: datetime) -> int:
    """Take the fields out of slots more than `keep` before `now`, but for LIVE before the newest; how many slots.

    What is emptied counts as missing. Digests and texts stay, so that a file from then is known when it comes again.
    Sweeping the commits from before frees the space. Raises what `repository.transaction` does; repeating it goes on.
    """
    opened = repository.open_existing(location)
    old = _old(repository.read(opened), keep, now)
    for first in range(0, len(old), AT_ONCE):
        with repository.transaction(location, opened, "old slots emptied") as group:
            for slot in old[first : first + AT_ONCE]:
                _empty(group, slot)
            reached("retention.emptied")
    return len(old)


def _old(group: zarr.Group, keep: timedelta, now: datetime) -> list[int]:
    """Slots that hold something and are old enough to go, ascending."""
    status = np.asarray(array(group, "status")[:])
    filled = np.flatnonzero(np.isin(status, [STATUS_OBSERVED, STATUS_ISSUED]))
    if not len(filled):
        return []
    start, cadence = parse_time(str(group.attrs["nowcast:start"])), timedelta(seconds=_cadence_s(group))
    before = min(now - keep, start + int(filled[-1]) * cadence - LIVE)
    held = np.flatnonzero(status != STATUS_MISSING)
    return [int(slot) for slot in held[held < max(0, -((start - before) // cadence))]]


def _cadence_s(group: zarr.Group) -> float:
    seconds = group.attrs["nowcast:cadence_s"]
    assert isinstance(seconds, int | float)
    return seconds


def _empty(group: zarr.Group, slot: int) -> None:
    """Fill values in the place of a slot's fields, which deletes their chunks."""
    for name, stored in group.arrays():
        assert isinstance(stored.metadata, ArrayV3Metadata)
        dims = stored.metadata.dimension_names or ()
        if dims[0:1] in (("time",), ("init_time",)) and (name == "status" or "y" in dims):
            stored[slot] = np.full(stored.shape[1:], stored.fill_value, stored.dtype)
