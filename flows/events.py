"""What flows tell Prefect's server beside the states of their runs: that scans were committed, and by whom."""

from collections.abc import Sequence

from prefect.events import emit_event

from nowcast.core.timeline import isoformat
from nowcast.ingest import Ingested
from nowcast.replay import new_times
from nowcast.settings import Region

COMMITTED = "nowcast.scan.committed"
FOLLOW, INGEST = "follow", "ingest"
"""Who committed: the long-running flow, which issues by itself, or a short one, which leaves that to others."""

BY = "nowcast.by"
"""The label that says it."""


def resource_id(region: str) -> str:
    """How Prefect knows a region."""
    return f"nowcast.region.{region}"


def tell_committed(region: Region, taken: Sequence[Ingested], by: str) -> None:
    """One event for new scans that came in together, none when nothing is new.

    It is sent by a thread beside and waits for no server. Whoever listens must bear to hear it twice.
    """
    if not (times := new_times(taken)):
        return
    resource = {"prefect.resource.id": resource_id(region.name), "prefect.resource.name": region.name, BY: by}
    emit_event(COMMITTED, resource, payload={"times": [isoformat(moment) for moment in times]})
