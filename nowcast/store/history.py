"""Time travel: the commits of a store, and the store as any of them left it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from nowcast.core.timeline import as_utc, isoformat
from nowcast.store.query import Reader


@dataclass(frozen=True)
class Commit:
    """One state of a store: its snapshot id, when it was committed (UTC), and what was done."""

    snapshot: str
    time: datetime
    message: str


def history(forecasts: Reader, most: int = 100) -> list[Commit]:
    """The commits of a store, newest first; of a pinned one those up to its own. ValueError for a negative `most`."""
    if most < 0:
        raise ValueError(f"most must not be negative, not {most}")
    return list(islice(_commits(forecasts), most))


def as_of(forecasts: Reader, when: str | datetime) -> Reader:
    """The store as one commit left it, given by snapshot id or as the newest at or before a time (UTC).

    All questions can be asked of it, and the answers never change. Times are those of committing, not initial times.
    ValueError when there is no such commit.
    """
    if isinstance(when, str):
        known, said = (one for one in _commits(forecasts) if one.snapshot == when), repr(when)
    else:
        moment = as_utc(when)
        known, said = (one for one in _commits(forecasts) if one.time <= moment), f"at or before {isoformat(moment)}"
    if (found := next(known, None)) is None:
        raise ValueError(f"{forecasts.location.url} has no commit {said}")
    return Reader(forecasts.location, pinned=found.snapshot)


def _commits(forecasts: Reader) -> Iterator[Commit]:
    """Back to the layout of the store; the empty repository before it cannot be asked anything."""
    for one in forecasts.repository.ancestry(snapshot_id=forecasts.snapshot):
        if one.parent_id is not None:
            yield Commit(one.id, one.written_at, one.message)
