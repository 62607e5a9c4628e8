"""Our advection beside pysteps' Lucas-Kanade and its extrapolation: seconds, and how much of the rain each finds.

`python benchmarks/advection.py` needs pysteps and real events (see radar_event). Timed is what a new scan brings about:
motion from the newest scans, and twelve leads of five minutes on the full grid, by one thread each.
"""

from collections.abc import Iterator
from itertools import islice, product
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from measure import Row, faster, machine, show
from radar_event import EVENTS, Seen, after, seen

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import FloatField
from nowcast.models.baselines import Advection
from nowcast.models.pysteps_peers import PystepsPeer
from nowcast.models.track import HISTORY

LEADS = 12
JUDGED = {6: "30 min", 12: "60 min"}
THRESHOLDS = (0.5, 1.0)
"""mm h-1"""

STARTS = 6
OURS, PEER = Advection(), PystepsPeer("lk")


class Case(NamedTuple):
    """Rain rates [mm h-1] (y, x) at one lead after one start."""

    lead: int
    ours: FloatField
    peer: FloatField
    observed: FloatField


def rows() -> list[Row]:
    """Of each event how much faster ours is, then the critical success index by lead and threshold."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return [row for event in EVENTS for row in (speed(event), *skill(event))]


def speed(event: str) -> Row:
    """One new scan in the middle of the event."""
    scans = seen(event)
    *before, new = scans[: len(scans) // 2][-HISTORY:]
    ours, peer = after(OURS, before), after(PEER, before)
    size = "{} x {}".format(*new.coverage.shape)
    return faster(
        f"advection, {LEADS} leads, {event} ({size})",
        lambda: forecast(OURS, OURS.observe(ours, *new)),
        lambda: forecast(PEER, PEER.observe(peer, *new)),
        at_least=2.0,
    )


def forecast(method: Nowcaster[Any], state: Any) -> list[FloatField]:
    """Rain rates [mm h-1] (y, x) at every lead."""
    return list(islice(method.forecast(state), LEADS))


def skill(event: str) -> list[Row]:
    """CSI over some starts, on the pixels that are observed and that both forecast."""
    known = list(cases(seen(event)))
    return [better(event, lead, threshold, known) for lead, threshold in product(JUDGED, THRESHOLDS)]


def cases(scans: list[Seen]) -> Iterator[Case]:
    """Of starts spread over the event."""
    for start in np.linspace(HISTORY, len(scans) - LEADS, STARTS).astype(int).tolist():
        context = scans[start - HISTORY : start]
        ours, peer = (forecast(method, after(method, context)) for method in (OURS, PEER))
        for lead in JUDGED:
            yield Case(lead, ours[lead - 1], peer[lead - 1], scans[start + lead - 1].rain_rate)


def better(event: str, lead: int, threshold: float, known: list[Case]) -> Row:
    """Hits over all pixels with rain observed or forecast: ours against the peer's."""
    at_lead = [case for case in known if case.lead == lead]
    ours, peer = (csi([(case[who], case) for case in at_lead], threshold) for who in (1, 2))
    return Row(
        f"advection, CSI at {threshold} mm/h after {JUDGED[lead]}, {event}",
        f"{ours:.3f}",
        f"{peer:.3f}",
        round(ours / peer, 3),
        ">= 1 x the peer's",
        ours >= peer,
        f"sums over {len(at_lead)} starts",
        machine(),
    )


def csi(forecasts: list[tuple[Any, Case]], threshold: float) -> float:
    """The critical success index."""
    hits = some = 0
    for field, case in forecasts:
        known = np.isfinite(case.ours) & np.isfinite(case.peer) & np.isfinite(case.observed)
        said, was = (field >= threshold) & known, (case.observed >= threshold) & known
        hits, some = hits + int((said & was).sum()), some + int((said | was).sum())
    return hits / some


if __name__ == "__main__":
    show(rows())
