"""What follows a nowcast: outlooks kept and alerts sent; whatever is wrong with either stops no nowcast."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely
from fakes import GRID, NOW, forecasts_in, nowcast
from polygons import FIVE, INIT, drawn, rectangle
from receiver import Receiver, receiving
from structlog.testing import capture_logs

from nowcast.alerts.book import read_book
from nowcast.catchments.outlooks import Origin
from nowcast.core.types import FloatField
from nowcast.settings import Region, Settings
from nowcast.store.forecasts import publish
from nowcast.store.outlooks import newest_outlooks
from nowcast.watch import Watch, after_nowcast, from_store, one_member, send, watch

LEADS = (FIVE, 2 * FIVE)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Regions in a folder with a file of two catchments of one pixel each, at columns 1 and 3."""
    features = [
        {
            "type": "Feature",
            "id": name,
            "properties": {},
            "geometry": json.loads(shapely.to_geojson(drawn([rectangle(x, 0, x + 1000, 1000)]))),
        }
        for name, x in (("west", -2000), ("east", 0))
    ]
    (tmp_path / "rivers.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return Settings(store=str(tmp_path / "store"), regions=tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def watched(settings: Settings, url: str | None = None, catchment: str = "east") -> Watch:
    rule = {"name": "flood", "catchment": catchment, "threshold": 5, "probability": 0.6, "webhook": url}
    return watch(Region(name="here", catchments="rivers.geojson", alerts=[rule]), settings, GRID)


def fields(east: list[float], missing: bool = False) -> Iterator[FloatField]:
    """Two leads of members that rain at these rates [mm/h] in column 3, and nowhere else."""
    for _ in LEADS:
        lead = np.zeros((len(east), *GRID.shape), np.float32)
        lead[:, :, 3] = np.array(east)[:, None]
        yield np.full_like(lead, np.nan) if missing else lead


def origin(minutes: int = 0) -> Origin:
    return Origin("here", INIT + timedelta(minutes=minutes), LEADS, "fake-1")


def test_outlooks_are_kept_and_an_onset_is_sent_once(settings: Settings, receiver: Receiver) -> None:
    """Two of three members reach 5 mm in the east; nobody in the west, which the rule is not for."""
    at = watched(settings, receiver.url)
    for minutes in (0, 5):
        now = INIT + timedelta(minutes=minutes + 1)
        made = after_nowcast(at, fields([60, 60, 0]), origin(minutes), now)
        send(at.region, settings, now)
    assert [one.catchment_id for one in made] == ["west", "east"]
    assert made[1].rain_rate[:, 0].tolist() == [60, 60, 0]
    kept = newest_outlooks(settings.location("here").child("catchments"))
    assert kept[1].origin == origin(5)
    assert [(body["catchment"], body["probability"]) for body in receiver.bodies] == [("east", 0.6667)]


def test_a_nowcast_without_coverage_changes_no_alert(settings: Settings, receiver: Receiver) -> None:
    at = watched(settings, receiver.url)
    after_nowcast(at, fields([60]), origin(0), INIT)
    with capture_logs() as logs:
        after_nowcast(at, fields([60], missing=True), origin(5), INIT + FIVE)
    assert logs[0]["event"] == "chance left open by missing coverage"
    book = read_book(settings.location("here").child("alerts"))
    assert book.standings["flood/east"].raised
    assert len(book.outbox) == 1


@pytest.mark.parametrize(
    ("damaged", "events", "sent"),
    [
        ("alerts/alerts.json", ["alerts not judged", "alerts not sent"], 0),
        ("catchments", ["outlooks not kept", "alert"], 1),
    ],
)
def test_what_goes_wrong_is_logged_and_stops_nothing_else(
    settings: Settings, receiver: Receiver, damaged: str, events: list[str], sent: int
) -> None:
    at, path = watched(settings, receiver.url), Path(settings.store) / "here" / damaged
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with capture_logs() as logs:
        assert len(after_nowcast(at, fields([60]), origin(), INIT)) == 2
        send(at.region, settings, INIT)
    assert [one["event"] for one in logs] == events
    assert len(receiver.bodies) == sent


def test_members_that_cannot_be_made_are_logged(settings: Settings, receiver: Receiver) -> None:
    def failing() -> Iterator[FloatField]:
        yield from list(fields([60]))[:1]
        raise RuntimeError("out of memory")

    with capture_logs() as logs:
        assert after_nowcast(watched(settings, receiver.url), failing(), origin(), INIT) == ()
    assert (logs[0]["event"], logs[0]["reason"]) == ("no outlooks", "out of memory")


def test_without_catchments_nothing_is_made(settings: Settings) -> None:
    at = watch(Region(name="here"), settings, GRID)
    assert after_nowcast(at, fields([60]), origin(), INIT) == ()
    send(at.region, settings, INIT)
    assert not Path(settings.store).exists()


def test_a_rule_for_no_catchment_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"rule flood of region here: .*rivers\.geojson has no catchment north"):
        watched(settings, catchment="north")


def test_a_catchment_off_the_grid_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="catchment east lies outside"):
        watch(Region(name="here", catchments="rivers.geojson"), settings, GRID.crop(slice(0, 4), slice(0, 2)))


def test_a_stored_nowcast_is_an_ensemble_of_one(settings: Settings, tmp_path: Path) -> None:
    """Lead k of the fake rains k mm/h."""
    forecasts = forecasts_in(tmp_path)
    at = watched(settings)
    assert from_store(at, forecasts) == ()
    publish(forecasts, nowcast(3), NOW)
    _, east = from_store(at, forecasts)
    assert (east.rain_rate.tolist(), east.origin.model) == ([[1, 2, 3]], "fake-1")


def test_a_deterministic_field_is_one_member() -> None:
    assert [field.shape for field in one_member(np.zeros((2, 4, 6), np.float32))] == [(1, 4, 6)] * 2
