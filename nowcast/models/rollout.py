"""Recurrent state that streams: stepped once per scan, and at any moment equal to what the archive alone would give.

Two chains are kept, each started at a multiple of the method's context: the older one, between `context + 1` and
`2 context` frames long, makes the forecast; the younger one takes over when the older is full. A chain knows the scans
it consumed, so a late scan, a restart or another process leads to the same state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from nowcast.core.nowcaster import Nowcaster, State
from nowcast.core.scan import Frames


@dataclass(frozen=True, eq=False)
class Chain(Generic[State]):
    """The scan ids consumed since the anchor slot, b"" for missing ones, and the state they led to."""

    consumed: tuple[bytes, ...]
    state: State | None


@dataclass
class Rolling(Generic[State]):
    """A nowcaster that follows an archive slot by slot."""

    nowcaster: Nowcaster[State]
    chains: dict[int, Chain[State]] = field(default_factory=dict)

    def first_slot(self, slot: int) -> int:
        """The oldest slot that a forecast from `slot` depends on."""
        context = self.nowcaster.context
        return max(0, (slot // context - 1) * context)

    def advance(self, slot: int, ids: Sequence[bytes], read: Callable[[int, int], Frames]) -> State | None:
        """The state for a forecast from `slot`; None when no scan is there.

        `ids` are the archive's scan ids of the slots first_slot(slot) .. slot, b"" for missing; `read(first, last)`
        gives their frames and is asked only for those not yet consumed.
        """
        first, context = self.first_slot(slot), self.nowcaster.context
        assert len(ids) == slot - first + 1
        anchors = {first, slot // context * context}
        self.chains = {a: self._stepped(a, tuple(ids[a - first :]), read) for a in sorted(anchors)}
        return self.chains[first].state

    def _stepped(self, anchor: int, ids: tuple[bytes, ...], read: Callable[[int, int], Frames]) -> Chain[State]:
        chain = self.chains.get(anchor, Chain((), None))
        if ids[: len(chain.consumed)] != chain.consumed:
            chain = Chain((), None)
        if chain.consumed == ids:
            return chain
        state = chain.state
        frames = read(anchor + len(chain.consumed), anchor + len(ids) - 1)
        for k in range(len(frames)):
            if state is not None or frames.scan_ids[k]:
                state = self.nowcaster.observe(state, frames.rain_rate[k], frames.coverage[k], frames.sampling)
        return Chain(ids, state)
