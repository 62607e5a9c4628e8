"""Where a nowcast comes from and how long it may pass as current: what every answer carries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import xarray as xr

from nowcast.core.timeline import isoformat
from nowcast.store.query import moment

STALE_AFTER_CADENCES = 3
"""A nowcast that as many newer scans should have replaced is stale."""


@dataclass(frozen=True)
class Provenance:
    """What is known of one nowcast beside its fields.

    `input_age` is the age of its newest scan when it was issued, `snapshot` the commit that it was read from; after
    `stale_after` it is no longer current.
    """

    region: str
    init_time: datetime
    issued_time: datetime
    input_age: timedelta
    model: str
    rung: str
    reason: str
    stale_after: datetime
    snapshot: str

    def is_stale(self, now: datetime) -> bool:
        """Whether newer scans should have replaced it."""
        return now > self.stale_after


def provenance(nowcast: xr.Dataset, region: str, stale_after: timedelta | None = None) -> Provenance:
    """Of a nowcast as `store.query` gives it; it is stale STALE_AFTER_CADENCES after its initial time if not told."""
    init_time = moment(nowcast.init_time)
    lasts = stale_after or STALE_AFTER_CADENCES * timedelta(seconds=nowcast.attrs["nowcast:cadence_s"])
    return Provenance(
        region=region,
        init_time=init_time,
        issued_time=moment(nowcast.issued_time),
        input_age=timedelta(seconds=int(nowcast.input_age)),
        model=str(nowcast.model.values),
        rung=str(nowcast.rung.values),
        reason=str(nowcast.reason.values),
        stale_after=init_time + lasts,
        snapshot=nowcast.attrs["nowcast:snapshot"],
    )


def fields(of: Provenance, now: datetime) -> dict[str, Any]:
    """As JSON has it; ages in seconds."""
    return {
        "region": of.region,
        "init_time": isoformat(of.init_time),
        "issued_time": isoformat(of.issued_time),
        "age_s": round((now - of.init_time).total_seconds()),
        "input_age_s": round(of.input_age.total_seconds()),
        "model": of.model,
        "rung": of.rung,
        "reason": of.reason,
        "stale_after": isoformat(of.stale_after),
        "is_stale": of.is_stale(now),
        "snapshot": of.snapshot,
    }
