"""A region's stores by its name, for reading."""

from nowcast.settings import Settings
from nowcast.store.query import Reader


def open_archive(region: str, store: str | None = None) -> Reader:
    """The region's archive in `store`, a folder or URL, NOWCAST_STORE when absent; StoreNotFound when there is none."""
    return _open(region, store, "archive")


def open_forecasts(region: str, store: str | None = None) -> Reader:
    """The region's forecasts in `store`, a folder or URL, NOWCAST_STORE when absent; StoreNotFound when none."""
    return _open(region, store, "forecasts")


def _open(region: str, store: str | None, kind: str) -> Reader:
    settings = Settings() if store is None else Settings(store=store)
    return Reader(settings.location(settings.region(region).name).child(kind))
