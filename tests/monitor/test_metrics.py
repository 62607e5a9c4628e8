"""/metrics over small stores: figures that can be computed in the head."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import FIVE, START, file_id, nowcast, scan
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from service import client, stores_in

from nowcast.serving.api.app import create_app
from nowcast.serving.api.stores import Stores
from nowcast.settings import Settings
from nowcast.store.archive import append, open_archive
from nowcast.store.forecasts import open_forecasts, publish
from nowcast.store.repository import Location

SECOND = timedelta(seconds=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Scans of 12:00 and 12:10 with their nowcasts, none of 12:05; it is 12:11."""
    stores_in(tmp_path)
    return tmp_path


def figures(at: TestClient, **wanted: str) -> dict[str, float]:
    """Figures with these labels; others of a figure are told behind its name, in their order."""
    answer = at.get("/metrics")
    assert answer.status_code == 200
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if wanted.items() <= sample.labels.items():
                rest = [value for key, value in sorted(sample.labels.items()) if key not in wanted]
                found[" ".join([sample.name, *rest])] = sample.value
    return found


def test_what_the_stores_show(folder: Path) -> None:
    found = figures(client(folder), region="here")
    assert found["nowcast_region_up"] == 1
    assert found["nowcast_cadence_seconds"] == 300
    assert found["nowcast_scan_age_seconds"] == 60
    assert found["nowcast_nowcast_age_seconds"] == 60
    assert found["nowcast_stale_after_seconds"] == 900
    assert found["nowcast_slots observed"] == 2
    assert found["nowcast_slots missing"] == 1
    assert found["nowcast_rung_step"] == found["nowcast_best_rung_step"] == 0
    assert found["nowcast_queue_scans"] == 0
    assert found["nowcast_refused_files"] == 0
    assert found["nowcast_model_info shipped champion"] == 1


def test_a_nowcast_that_comes_is_counted_once_with_the_seconds_since_its_scan(folder: Path) -> None:
    """Received at 12:15:10, published at 12:15:40: 30 s. What was there before the service is not counted."""
    at, here = client(folder), Location(str(folder / "here"))
    before = figures(at, region="here")
    received = START + 3 * FIVE + 10 * SECOND
    append(open_archive(here.child("archive")), [scan(3)], file_id(3), received)
    waiting = figures(at, region="here")
    publish(open_forecasts(here.child("forecasts")), nowcast(3), received + 30 * SECOND)
    after, again = figures(at, region="here"), figures(at, region="here")
    assert (before["nowcast_queue_scans"], waiting["nowcast_queue_scans"], after["nowcast_queue_scans"]) == (0, 1, 0)
    assert before["nowcast_nowcasts_total champion"] == 0
    assert after["nowcast_nowcasts_total champion"] == again["nowcast_nowcasts_total champion"] == 1
    assert after["nowcast_scan_to_nowcast_seconds_sum"] == 30
    assert after["nowcast_scan_to_nowcast_seconds_bucket 20.0"] == 0
    assert after["nowcast_scan_to_nowcast_seconds_bucket 30.0"] == 1


def test_a_region_that_cannot_be_read_hides_no_other(folder: Path) -> None:
    at = client(folder, ("gone", "here"))
    assert figures(at, region="gone")["nowcast_region_up"] == 0
    assert figures(at, region="here")["nowcast_scan_age_seconds"] == 60


def test_prometheus_needs_the_token(folder: Path) -> None:
    settings = Settings(store=str(folder))
    at = TestClient(create_app(Stores(settings, ("here",), lambda: START, patience_s=0.0), "a token of some length"))
    assert at.get("/metrics").status_code == 401
    answer: Any = at.get("/metrics", headers={"Authorization": "Bearer a token of some length"})
    assert answer.status_code == 200
    assert "nowcast_build_info" in answer.text
