"""Named places where a process may die or a write may fail, for harnesses that make it happen there.

Each lies beside a write, a commit, a rename, or a call to another process. Where none is armed nothing happens.
"""

from collections.abc import Callable

POINTS = (
    "archive.create.begun",
    "archive.layout.written",
    "archive.scan.half",
    "archive.append.written",
    "archive.append.committed",
    "forecasts.create.begun",
    "forecasts.layout.written",
    "forecasts.upgrade.written",
    "forecasts.publish.written",
    "forecasts.publish.committed",
    "forecasts.withhold.written",
    "forecasts.withhold.committed",
    "repository.lock.held",
    "repository.commit.before",
    "repository.commit.after",
    "retention.expired",
    "retention.emptied",
    "objects.write.before",
    "objects.write.after",
    "objects.change.before",
    "objects.change.after",
    "objects.swap.before",
    "objects.swap.after",
    "quarantine.copy.written",
    "quarantine.part.written",
    "quarantine.record.written",
    "days.edited",
    "days.aside.written",
    "days.added",
    "outlooks.kept",
    "alerts.book.edited",
    "alerts.book.changed",
    "alerts.delivery.begun",
    "alerts.delivery.sent",
    "registry.register.half",
    "registry.register.written",
    "registry.register.recorded",
    "registry.pointer.edited",
    "registry.pointer.changed",
    "registry.event.written",
    "feed.put.before",
    "feed.remember.before",
    "ingest.begun",
    "ingest.decoded",
    "ingest.placed",
    "ingest.refused",
    "issue.made",
    "issue.published",
    "issue.beside",
    "issue.watched",
    "score.day.before",
    "score.day.after",
    "export.rename.before",
    "export.rename.after",
    "actor.call.before",
    "actor.call.after",
    "actor.issue.begun",
    "actor.issue.done",
)
"""Every name, once in the source each. `a.b.written` is before that becomes visible."""

Strike = Callable[[], None]
"""What is to happen at a place: the end of the process, or an exception."""

_armed: dict[str, Strike] = {}


def reached(name: str) -> None:
    """Say that a place is reached; whatever it is armed with happens, usually nothing."""
    if (strike := _armed.get(name)) is not None:
        strike()


def arm(name: str, strike: Strike) -> None:
    """Let something happen at a place whenever this process reaches it; ValueError for an unknown name."""
    if name not in POINTS:
        raise ValueError(f"no crash point {name!r}")
    _armed[name] = strike


def disarm() -> None:
    """Let nothing happen anywhere."""
    _armed.clear()
