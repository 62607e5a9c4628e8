"""The cache keeps what was used last, within its bytes, and makes nothing twice at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from nowcast.tiles.cache import OVERHEAD, ByteCache


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = ByteCache[bytes](2 * (OVERHEAD + 10), len)
    for key in "ab":
        cache.get(key, lambda: bytes(10))
    cache.get("a", lambda: pytest.fail("a is held"))
    cache.get("c", lambda: bytes(10))
    assert cache.get("a", lambda: b"made again") == bytes(10)
    assert cache.get("b", lambda: b"made again") == b"made again"


def test_it_never_holds_more_than_its_bytes() -> None:
    cache = ByteCache[bytes](5000, len)
    for k in range(100):
        cache.get(k, lambda k=k: bytes(17 * k))
        assert cache.nbytes <= 5000
    assert len(cache.get("large", lambda: bytes(6000))) == 6000
    assert cache.nbytes <= 5000


def test_threads_that_ask_at_once_get_one_value_made_once() -> None:
    cache, started, calls = ByteCache[bytes](10_000, len), Event(), []

    def make() -> bytes:
        calls.append(1)
        started.wait(5)
        return b"value"

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cache.get, "key", make) for _ in range(8)]
        started.set()
        assert {one.result(10) for one in asked} == {b"value"}
    assert len(calls) == 1


def test_a_failure_is_raised_and_not_kept() -> None:
    cache = ByteCache[bytes](10_000, len)
    with pytest.raises(ValueError, match="broken"):
        cache.get("key", _broken)
    assert cache.get("key", lambda: b"mended") == b"mended"


def test_who_waits_for_a_maker_that_fails_makes_it_then() -> None:
    cache, waiting = ByteCache[bytes](10_000, len), Event()

    def fail() -> bytes:
        waiting.wait(5)
        return _broken()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", fail)
        second = pool.submit(cache.get, "key", lambda: b"mended")
        waiting.set()
        with pytest.raises(ValueError, match="broken"):
            first.result(10)
        assert second.result(10) == b"mended"


def _broken() -> bytes:
    raise ValueError("broken")
