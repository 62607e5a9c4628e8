"""Which Ray the service's parts join."""

from typing import Any

import pytest

from nowcast.serving import actor
from nowcast.settings import Settings


@pytest.mark.parametrize(("told", "joined"), [(None, "local"), ("192.0.2.2:6379", "192.0.2.2:6379")])
def test_without_an_address_a_ray_of_our_own_is_started(
    monkeypatch: pytest.MonkeyPatch, told: str | None, joined: str
) -> None:
    """Left to itself, Ray would join the last head that was noted on this machine, and wait for it if it is dead."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(actor.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(actor.ray, "init", lambda **options: asked.update(options))
    actor.connect(Settings(ray_address=told))
    assert asked["address"] == joined
