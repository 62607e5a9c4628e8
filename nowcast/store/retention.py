"""Old commits of a store go, and with them what only they held; the newest state stays, whatever its age."""

from datetime import datetime, timedelta
from typing import NamedTuple

from filelock import Timeout

from nowcast.core.crashpoints import reached
from nowcast.store import repository
from nowcast.store.repository import Location


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
