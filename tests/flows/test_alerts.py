"""Alerts that wait are sent in every cycle, with a nowcast or without, and no nowcast waits for a receiver."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from polygons import outlook
from receiver import Receiver, receiving

from flows.steps import sending_alerts
from nowcast.alerts.book import read_book
from nowcast.alerts.judging import update_alerts
from nowcast.replay import follow_locally
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Replay


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=str(tmp_path / "store"), device="cpu")


def watching(settings: Settings, url: str) -> Region:
    rule = {"name": "flood", "threshold": 1, "probability": 0.5, "webhook": url}
    return Region(name="here", catchments="rivers.geojson", alerts=[rule], poll_s=0.1)


def raise_alert(region: Region, settings: Settings, catchment_id: str = "river") -> None:
    """As the issuing process does: 60 mm/h for 15 min on a nowcast of now."""
    made = outlook([[60, 60, 60]], catchment_id=catchment_id)
    now = datetime.now(UTC).replace(microsecond=0)
    object.__setattr__(made.origin, "init_time", now - timedelta(minutes=1))
    update_alerts(settings.location("here").child("alerts"), region.alerts, [made], now)


def test_what_waits_is_sent_while_no_scan_comes(settings: Settings, receiver: Receiver) -> None:
    """A message that waits from before, and one that is written down meanwhile."""
    region = watching(settings, receiver.url)

    async def quiet() -> None:
        raise_alert(region, settings, "first")
        async with sending_alerts(region, settings):
            assert await asyncio.to_thread(receiver.came.acquire, timeout=5)
            raise_alert(region, settings, "second")
            assert await asyncio.to_thread(receiver.came.acquire, timeout=5)

    asyncio.run(quiet())
    assert [body["catchment"] for body in receiver.bodies] == ["first", "second"]
    assert read_book(settings.location("here").child("alerts")).outbox == ()


def test_what_the_last_nowcast_led_to_is_sent_before_the_end(settings: Settings, receiver: Receiver) -> None:
    region = watching(settings, receiver.url).model_copy(update={"poll_s": 60.0})

    async def short() -> None:
        async with sending_alerts(region, settings):
            await asyncio.sleep(0.2)
            raise_alert(region, settings)

    asyncio.run(short())
    assert len(receiver.bodies) == 1


def test_nothing_waits_for_a_receiver_that_hangs(settings: Settings, receiver: Receiver) -> None:
    receiver.usual = "hang"
    region = watching(settings, receiver.url)
    raise_alert(region, settings)
    within = []

    async def work() -> None:
        async with sending_alerts(region, settings):
            began = time.monotonic()
            await asyncio.to_thread(receiver.came.acquire, timeout=5)
            await asyncio.sleep(0.1)
            within.append(time.monotonic() - began)
            receiver.released.set()

    asyncio.run(work())
    assert within[0] < 3


def test_following_locally_sends_what_waits_when_nothing_new_is_there(settings: Settings, receiver: Receiver) -> None:
    region = watching(settings, receiver.url)
    raise_alert(region, settings)

    class Silent(Replay):
        """Has nothing once, and then never more."""

        asked = 0

        @property
        def exhausted(self) -> bool:
            return self.asked > 0

        def poll(self) -> list[Path]:
            self.asked += 1
            return []

    follow_locally(region, settings, Silent([]), lambda *_: None, lambda: None)
    assert len(receiver.bodies) == 1
