"""Who made a nowcast and when, as files tell it."""

from typing import Any

import xarray as xr

import nowcast
from nowcast.core.timeline import isoformat
from nowcast.store.query import moment

TEXTS = ("model", "rung", "reason")


def origin(found: xr.Dataset) -> dict[str, Any]:
    """Those of model, rung, reason, issued_time, input_age_s and snapshot that the data set tells and are not empty."""
    told: dict[str, Any] = {name: str(found[name].values) for name in TEXTS if name in found}
    if "issued_time" in found:
        told["issued_time"] = isoformat(moment(found.issued_time))
    if "input_age" in found:
        told["input_age_s"] = int(found.input_age)
    told["snapshot"] = found.attrs.get("nowcast:snapshot", "")
    return {name: value for name, value in told.items() if value != ""}


def lineage(told: dict[str, Any]) -> str:
    """One line for people; the same nowcast always gives the same."""
    read = f", read from commit {told['snapshot']}" if "snapshot" in told else ""
    return f"{told.get('issued_time', '')} nowcast {nowcast.__version__}: issued by {told['model']}{read}".strip()
