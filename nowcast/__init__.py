"""Distributed, streaming precipitation nowcasting. The public verbs load what they need when they are first used."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("nowcast")
except PackageNotFoundError:
    __version__ = "not installed"

VERBS = {
    "open_archive": "nowcast.access",
    "open_forecasts": "nowcast.access",
    "rolling_skill": "nowcast.access",
    "latest": "nowcast.store.query",
    "point": "nowcast.store.query",
    "box": "nowcast.store.query",
    "frames": "nowcast.store.query",
    "map_at": "nowcast.store.query",
    "history": "nowcast.store.history",
    "as_of": "nowcast.store.history",
    "to_pysteps": "nowcast.pysteps_exchange",
    "from_pysteps": "nowcast.pysteps_exchange",
}


def __getattr__(name: str) -> Any:
    if name not in VERBS:
        raise AttributeError(f"module 'nowcast' has no attribute {name!r}")
    return getattr(import_module(VERBS[name]), name)


def __dir__() -> list[str]:
    return sorted([*VERBS, "__version__"])
