"""Who follows a region: one process at a time, known by a claim in its store that it renews while it lives.

Commits are safe without: they wait for a lock, or conflict. Two followers would do everything twice and, in a bucket,
undo each other's work again and again.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog

from nowcast.core.timeline import isoformat, parse_time
from nowcast.processes import Process, is_gone, this_process
from nowcast.settings import Region, Settings
from nowcast.store.objects import Overtaken, change, read
from nowcast.store.repository import Location

log = structlog.get_logger()

LASTS = timedelta(seconds=90)
"""After which a claim that is not renewed counts for nothing, as of a machine that lost its power."""

REMEMBERED = timedelta(hours=1)
"""How long it is told who was refused."""

RENEWED_S = 20.0
CLAIM = "claim.json"
NOBODY = b"{}"


class Rival(ValueError):
    """Another process follows the region; the message says which, and what to do."""


class Holder(NamedTuple):
    """Who follows a region, when it last said so, and who else was refused meanwhile, and when."""

    process: Process
    renewed: datetime
    refused: Process | None = None
    refused_time: datetime | None = None

    def words(self, region: str) -> str:
        """Who it is."""
        process, sign = self.process, isoformat(self.renewed)
        return f"region {region} is followed by process {process.pid} on {process.host} (sign of life at {sign})"


def holder(region: Region, settings: Settings, now: datetime) -> Holder | None:
    """Who follows a region now; OSError when the store cannot be reached."""
    return _living(read(_where(region, settings), CLAIM), now)


def rival(region: Region, settings: Settings, now: datetime) -> str:
    """Why this process must not follow a region, empty when it may; OSError when the store cannot be reached."""
    found = holder(region, settings, now)
    return "" if found is None or found.process == this_process() else _refusal(region.name, found)


def contest(region: Region, settings: Settings, now: datetime) -> str:
    """That two are set up to follow a region: one does, and another was refused not long ago."""
    found = holder(region, settings, now)
    if found is None or found.refused is None or found.refused_time is None or now - found.refused_time > REMEMBERED:
        return ""
    refused, moment = found.refused, isoformat(found.refused_time)
    return f"{_refusal(region.name, found)}; process {refused.pid} on {refused.host} was refused at {moment}"


@contextmanager
def holding(region: Region, settings: Settings) -> Iterator[None]:
    """Within, the region is this process's to follow, and others are refused.

    Raises Rival when it is another's already, OSError when the store cannot be written.
    """
    where, over = _where(region, settings), threading.Event()
    _claim(region.name, where)
    renewing = threading.Thread(target=_renew, args=(region.name, where, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        _leave(region.name, where)


def _renew(region: str, where: Location, over: threading.Event) -> None:
    while not over.wait(RENEWED_S):
        try:
            _claim(region, where)
        except (Rival, OSError) as error:
            log.error("claim not renewed", region=region, reason=str(error))


def _leave(region: str, where: Location) -> None:
    def edit(held: bytes | None) -> bytes:
        found = _holder(held)
        return NOBODY if found is None or found.process == this_process() else held or NOBODY

    try:
        change(where, CLAIM, edit)
    except (Overtaken, OSError) as error:
        log.warning("claim not given up, it ends by itself", region=region, reason=str(error))


def _claim(region: str, where: Location) -> None:
    """Rival when another has it. Overtaken is one that was faster by a moment, whom the second look shows."""
    try:
        held = _holder(change(where, CLAIM, _edit))
    except Overtaken:
        held = _holder(change(where, CLAIM, _edit))
    if held is not None and held.process != this_process():
        raise Rival(_refusal(region, held))


def _edit(held: bytes | None) -> bytes:
    """The claim is ours, or it says that we were refused."""
    me, now = this_process(), datetime.now(UTC)
    found = _living(held, now)
    if found is None or found.process == me:
        return _coded(Holder(me, now) if found is None else found._replace(renewed=now))
    return _coded(found._replace(refused=me, refused_time=now))


def _coded(one: Holder) -> bytes:
    fields: dict[str, Any] = one.process._asdict() | {"renewed": isoformat(one.renewed)}
    if one.refused and one.refused_time:
        fields["refused"] = one.refused._asdict() | {"time": isoformat(one.refused_time)}
    return json.dumps(fields).encode()


def _living(held: bytes | None, now: datetime) -> Holder | None:
    """None when nobody holds the claim, or its holder is gone or gave no sign of life for long."""
    found = _holder(held)
    return None if found is None or is_gone(found.process) or now - found.renewed > LASTS else found


def _holder(held: bytes | None) -> Holder | None:
    """None when nobody holds the claim, or nobody can read it."""
    try:
        found = json.loads(held or NOBODY)
        refused = found.get("refused")
        return Holder(
            _process(found),
            parse_time(found["renewed"]),
            refused and _process(refused),
            refused and parse_time(refused["time"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _process(found: dict[str, Any]) -> Process:
    return Process(str(found["host"]), int(found["pid"]), float(found["born"]))


def _refusal(region: str, found: Holder) -> str:
    return (
        f"{found.words(region)} already: two must not commit to one store; stop one of them, or give it a store of "
        "its own"
    )


def _where(region: Region, settings: Settings) -> Location:
    return settings.location(region.name).child("follower")
