"""Which Ray the service's parts join."""

from typing import Any

import pytest

from nowcast.serving import cluster
from nowcast.settings import Settings


@pytest.mark.parametrize(("told", "joined"), [(None, "local"), ("192.0.2.2:6379", "192.0.2.2:6379")])
def test_without_an_address_a_ray_of_our_own_is_started(
    monkeypatch: pytest.MonkeyPatch, told: str | None, joined: str
) -> None:
    """Left to itself, Ray would join the last head that was noted on this machine, and wait for it if it is dead."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", lambda **options: asked.update(options))
    cluster.connect(Settings(ray_address=told))
    assert asked["address"] == joined
