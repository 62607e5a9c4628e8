"""Clusters of several nodes: the one that holds a region's actor is lost, and no nowcast with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.test_engines import REGION, SCANS, Station
from ray._private.state import actors
from ray_head import ray_cluster

from nowcast.serving.cluster import disconnect
from nowcast.store.forecasts import open_forecasts, records

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def left() -> Iterator[None]:
    """Whatever cluster was joined is left."""
    yield
    disconnect()


def home() -> str:
    """The id of the node that the region's actor lives on."""
    (node,) = [one["Address"]["NodeID"] for one in actors().values() if one["Name"] == "region-here"]
    return str(node)


@pytest.mark.parametrize("kinds", [["", ""], ["north", "", "north", ""]])
def test_the_actor_comes_back_on_another_node_and_no_nowcast_is_missed(tmp_path: Path, kinds: list[str]) -> None:
    """Two nodes and four, besides the head, which has no CPU. With kinds, it may live on those of one kind alone."""
    wanted = {"north": 0.1} if "north" in kinds else {}
    region = REGION.model_copy(update={"cpus": 1, "actor_deadline_s": 120.0, "resources": wanted})
    with ray_cluster(cpus=0) as head:
        nodes = {head.ask(f"add {kind}"): kind for kind in kinds}
        here = Station(tmp_path, head.address, region)
        assert [here.scan() for _ in range(3)] == ["persistence", "champion", "champion"]
        lost = home()
        head.ask(f"lose {lost}")
        assert [here.scan() for _ in range(3)] == ["champion"] * 3
        assert home() in nodes.keys() - {lost}
        assert nodes[home()] == nodes[lost] or not wanted
    kept = open_forecasts(here.location.child("forecasts"))
    due = [kept.timeline.slot(scan.nominal_time) for scan in SCANS[:6]]
    assert sorted(records(kept)) == due
