"""What was made lately, kept up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

Kept = TypeVar("Kept")

OVERHEAD = 500
"""Bytes that an entry is taken to need beside its value."""


@dataclass(eq=False)
class _Making(Generic[Kept]):
    """A value that a thread is at work on; `made` stays empty when it fails."""

    done: Event = field(default_factory=Event)
    made: list[Kept] = field(default_factory=list)


class ByteCache(Generic[Kept]):
    """Values by key, those used longest ago given up first; any thread may ask.

    `weigh` tells a value's bytes. Threads that ask for the same key at once wait for the one that came first. A value
    that is larger than the cache is handed out and not kept.
    """

    def __init__(self, most_bytes: int, weigh: Callable[[Kept], int]) -> None:
        self._most_bytes, self._weigh = most_bytes, weigh
        self._lock = Lock()
        self._held: OrderedDict[Hashable, tuple[Kept, int]] = OrderedDict()
        self._making: dict[Hashable, _Making[Kept]] = {}
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """The value of a key, made if it is not there; when `make` raises, nothing is kept and the next one tries."""
        while True:
            with self._lock:
                if key in self._held:
                    self._held.move_to_end(key)
                    return self._held[key][0]
                making = self._making.get(key)
                if making is None:
                    mine = self._making[key] = _Making()
                    break
            making.done.wait()
            if making.made:
                return making.made[0]
        return self._made(key, mine, make)

    def _made(self, key: Hashable, mine: _Making[Kept], make: Callable[[], Kept]) -> Kept:
        try:
            value = make()
            mine.made.append(value)
            self._keep(key, value)
        finally:
            with self._lock:
                del self._making[key]
            mine.done.set()
        return value

    def _keep(self, key: Hashable, value: Kept) -> None:
        weight = self._weigh(value) + OVERHEAD
        if weight > self._most_bytes:
            return
        with self._lock:
            self._held[key] = value, weight
            self._bytes += weight
            while self._bytes > self._most_bytes:
                _, (_, freed) = self._held.popitem(last=False)
                self._bytes -= freed
