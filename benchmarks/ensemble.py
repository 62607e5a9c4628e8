"""Our members and chances beside an ensemble of STEPS (pysteps) of as many: seconds from the scans to all leads.

`python benchmarks/ensemble.py` needs pysteps and real events (see radar_event). Both start from the scans alone, on a
window of SIDE x SIDE pixels in the middle, and have one thread: STEPS finds motion by Lucas-Kanade and makes members;
the shipped model is stepped through its context and gives rain rates, members, and calibrated chances of every rate.
"""

import tempfile
from itertools import islice
from pathlib import Path

import cv2
import torch
from measure import Row, faster, show
from radar_event import EVENTS, Seen, after, seen

from nowcast.core.types import USUAL
from nowcast.desk import nowcaster
from nowcast.evaluation_ensembles import middle
from nowcast.models.exceedance import RATES
from nowcast.models.noise import correlated
from nowcast.models.outlook import Uncertain
from nowcast.models.pysteps_peers import LEADS, PystepsPeer, steps_ensemble
from nowcast.settings import Region

SIDE, MEMBERS, ROUNDS = 320, 24, 3
PEER = PystepsPeer("lk")
OURS = nowcaster(Region(name="benchmark", model="default"), "cpu")


def rows() -> list[Row]:
    """How much faster ours is, on each event."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return [row(event) for event in EVENTS]


def row(event: str) -> Row:
    """From scans in the middle of the event."""
    scans = seen(event)
    height, width = scans[0].coverage.shape
    window = middle((height, width), SIDE)
    some = [Seen(*(v[window] for v in scan)) for scan in scans[: len(scans) // 2][-OURS.context :]]
    size = "{} x {}".format(*some[0].coverage.shape)
    title = f"{MEMBERS} members and chances, {LEADS} leads, {event} ({size} of {height} x {width})"
    return faster(title, lambda: ours(some), lambda: peer(some), at_least=5.0, rounds=ROUNDS)


def ours(scans: list[Seen]) -> None:
    """Rain rate, members and chances at every lead."""
    assert isinstance(OURS, Uncertain)
    state = after(OURS, scans)
    noise = correlated(OURS.track(state), MEMBERS, seed=1)
    for outlook, normal in zip(islice(OURS.outlook(state), LEADS), noise, strict=False):
        outlook.members(normal)
        for rate in RATES:
            outlook.chance(rate)


def peer(scans: list[Seen]) -> None:
    """Members at every lead."""
    with tempfile.TemporaryDirectory() as folder:
        made_by, members = steps_ensemble(after(PEER, scans), USUAL, MEMBERS, 1, Path(folder))
        assert made_by == "steps"
        assert sum(1 for _ in members) == LEADS


if __name__ == "__main__":
    show(rows())
