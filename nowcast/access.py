"""A region's stores by its name, for reading."""

from datetime import UTC, datetime
from typing import Any

from nowcast import skill
from nowcast.core.timeline import parse_time
from nowcast.settings import Settings
from nowcast.store.query import Reader


def open_archive(region: str, store: str | None = None) -> Reader:
    """The region's archive in `store`, a folder or URL, NOWCAST_STORE when absent; StoreNotFound when there is none."""
    return _open(region, store, "archive")


def open_forecasts(region: str, store: str | None = None) -> Reader:
    """The region's forecasts in `store`, a folder or URL, NOWCAST_STORE when absent; StoreNotFound when none."""
    return _open(region, store, "forecasts")


def rolling_skill(
    region: str, window: str = "24h", until: str | None = None, store: str | None = None
) -> dict[str, Any]:
    """What `nowcast skill --json` prints: scores of the nowcasts valid in a window such as 24h, 30d or 90min.

    The window ends at `until`, ISO 8601, the newest scored time when absent. Raises NothingScored when there is none.
    """
    settings = Settings() if store is None else Settings(store=store)
    end = parse_time(until) if until else None
    found = skill.skill(settings.location(settings.region(region).name), skill.parse_window(window), end)
    return {"region": region} | skill.tables(found, datetime.now(UTC))


def _open(region: str, store: str | None, kind: str) -> Reader:
    settings = Settings() if store is None else Settings(store=store)
    return Reader(settings.location(settings.region(region).name).child(kind))
