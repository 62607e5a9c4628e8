"""Histories of a region, drawn at random: whatever happens in whatever order, it holds what the model says."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from fakes import FIVE, NOW, START
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from stateful.files import OTHER_BYTES, OTHER_RAIN, Radar, radar, truncated
from stateful.model import Issued, Model
from stateful.region import Crash, Home, model_id, weights

from nowcast import registry
from nowcast.store import repository
from nowcast.store.history import history
from nowcast.store.query import Reader
from nowcast.store.retention import sweep

SLOTS = 18
"""An hour and a half."""

slots = st.integers(0, SLOTS - 1)
kinds = st.sampled_from(("whole",) * 6 + ("dim", "blank"))


class Histories(RuleBasedStateMachine):
    """A region and its model, side by side."""

    counted: ClassVar[Counter[str]] = Counter()
    """How many histories, and steps by name."""

    def __init__(self) -> None:
        super().__init__()
        self.home, self.model = Home(), Model()
        self.came: list[Radar] = []
        self.unfinished: list[Radar] = []
        self.latest = -1
        self.counted["histories"] += 1

    def teardown(self) -> None:
        self.home.close()

    @rule(ahead=st.integers(1, 3), kind=kinds)
    def arrive(self, ahead: int, kind: str) -> None:
        """The next scan, or one after it when some are missing; a nowcast follows, as in every cycle."""
        slot = max(self.model.slots, default=-1) + ahead
        if slot < SLOTS:
            self.take(radar(slot, kind))
            self.issue()

    @precondition(lambda self: self.model.gaps)
    @rule(which=slots, kind=kinds, followed=st.booleans())
    def late(self, which: int, kind: str, followed: bool) -> None:
        """A scan from before the newest; a nowcast is looked for at once, or later."""
        gaps = self.model.gaps
        self.take(radar(gaps[which % len(gaps)], kind))
        if followed:
            self.issue()

    @rule(ahead=st.integers(1, 2), followed=st.booleans())
    def reorder(self, ahead: int, followed: bool) -> None:
        """Two scans, the newer one first, and maybe a nowcast between them."""
        slot = max(self.model.slots, default=-1) + ahead
        if slot + 1 < SLOTS:
            self.take(radar(slot + 1))
            if followed:
                self.issue()
            self.take(radar(slot))

    @precondition(lambda self: self.came)
    @rule(which=st.integers(0, SLOTS))
    def duplicate(self, which: int) -> None:
        """A file that came before."""
        self.take(self.came[which % len(self.came)])

    @precondition(lambda self: self.model.slots)
    @rule(which=st.integers(0, SLOTS), variant=st.sampled_from((OTHER_BYTES, OTHER_RAIN)))
    def reissue(self, which: int, variant: str) -> None:
        """A scan of a slot that is taken, with other bytes: the same rain, or other rain."""
        held = sorted(self.model.slots)
        slot = held[which % len(held)]
        self.take(radar(slot, self.model.slots[slot].kind, variant))

    @rule(slot=slots, percent=st.sampled_from((0, 30, 90)))
    def corrupt(self, slot: int, percent: int) -> None:
        """The first part of a file."""
        self.take(truncated(slot, percent))

    @rule()
    def issue(self) -> None:
        """All nowcasts that are due."""
        due, after = self.model.due, self.model.issuing()[-1]
        wanted = [(START + slot * FIVE, one.rung) for slot in due if isinstance(one := after.nowcasts[slot], Issued)]
        assert [(nowcast.init_time, nowcast.rung) for nowcast in self.home.issue()] == wanted
        self.model = after
        self.count("issue")

    @rule(number=st.integers(1, 3))
    def retrain(self, number: int) -> None:
        """A challenger is registered; the same one twice changes nothing."""
        registry.register(self.home.models, weights(number), NOW)
        self.model = replace(self.model, versions=self.model.versions | {model_id(number)})
        self.count("retrain")

    @rule(number=st.integers(1, 3))
    def promote(self, number: int) -> None:
        """Refused when the model is unknown or champion already."""
        name = model_id(number)
        if name in self.model.versions and name != self.model.champion:
            registry.promote(self.home.models, name, "better", NOW)
            self.model = self.model.promoted(name)
        else:
            with pytest.raises(ValueError, match=name):
                registry.promote(self.home.models, name, "better", NOW)
        self.count("promote")

    @rule()
    def roll_back(self) -> None:
        """Refused before there was a promotion."""
        if self.model.champion != self.model.previous:
            registry.rollback(self.home.models, "worse", NOW)
            self.model = self.model.rolled_back()
        else:
            with pytest.raises(ValueError, match="no previous champion"):
                registry.rollback(self.home.models, "worse", NOW)
        self.count("roll_back")

    @rule(store=st.sampled_from(("archive", "forecasts")), kept=st.integers(0, 2))
    def expire(self, store: str, kept: int) -> None:
        """All commits but the newest ones go, with what only they held; the others are there as before."""
        where = self.home.location.child(store)
        if repository.exists(where):
            before, now = history(Reader(where, 0.0)), datetime.now(UTC)
            kept = min(kept, len(before))
            oldest = before[kept - 1].time - timedelta(microseconds=1) if kept else now
            sweep(where, now - oldest, now)
            assert history(Reader(where, 0.0)) == before[: max(1, kept)]
        self.count("expire")

    @rule()
    def restart(self) -> None:
        """A new process finishes what a crash has left, with no person."""
        self.home.restart()
        unfinished, self.unfinished = self.unfinished, []
        for one in unfinished:
            self.take(one)
        self.issue()
        self.count("restart")

    @rule(left=st.integers(0, 3), moment=st.sampled_from(("before", "within", "after")), slot=slots, kind=kinds)
    def crash_at_a_scan(self, left: int, moment: str, slot: int, kind: str) -> None:
        """While a file is taken in."""
        self.crash_at_file(left, moment, radar(slot, kind))

    @rule(left=st.integers(0, 1), moment=st.sampled_from(("before", "after")), slot=slots)
    def crash_at_a_refusal(self, left: int, moment: str, slot: int) -> None:
        """While a file is put aside."""
        self.crash_at_file(left, moment, truncated(slot, 60))

    @rule(left=st.integers(0, 3), moment=st.sampled_from(("before", "within", "after")), ahead=st.integers(1, 2))
    def crash_at_an_issue(self, left: int, moment: str, ahead: int) -> None:
        """While the nowcasts that are due are issued, one at least most of the time."""
        slot = max(self.model.slots, default=-1) + ahead
        if slot < SLOTS:
            self.take(radar(slot))
        self.crash(left, moment, self.home.issue, self.model.issuing())

    @rule(left=st.integers(0, 4), moment=st.sampled_from(("before", "after")), number=st.integers(1, 3))
    def crash_at_the_registry(self, left: int, moment: str, number: int) -> None:
        """While a challenger is registered or, when it is, promoted."""
        name = model_id(number)
        if name not in self.model.versions:
            after = replace(self.model, versions=self.model.versions | {name})
            self.crash(left, moment, lambda: registry.register(self.home.models, weights(number), NOW), [after])
        elif name != self.model.champion:
            after = self.model.promoted(name)
            self.crash(left, moment, lambda: registry.promote(self.home.models, name, "better", NOW), [after])

    @invariant()
    def stores_are_as_the_model_says(self) -> None:
        assert self.home.faults(self.model) == []

    @invariant()
    def latest_never_goes_back(self) -> None:
        assert self.model.latest >= self.latest
        self.latest = self.model.latest

    def take(self, one: Radar) -> None:
        self.model, outcome = self.model.taken(one)
        assert self.home.take(one) == outcome
        self.came.append(one)
        self.count(outcome)

    def crash_at_file(self, left: int, moment: str, one: Radar) -> None:
        self.crash(left, moment, lambda: self.home.take(one), [self.model.taken(one)[0]])
        self.unfinished.append(one)
        self.came.append(one)

    def crash(self, left: int, moment: str, action: Callable[[], object], states: list[Model]) -> None:
        """End the process at a write of an action, which then was done whole or not at all, step by step."""
        self.home.fuse.light(left, moment)
        try:
            action()
            states = states[-1:]
        except Crash:
            states = [self.model, *states]
            self.count("crash")
        self.home.restart()
        fitting = [state for state in states if not self.home.faults(state)]
        assert fitting, [self.home.faults(state) for state in states]
        self.model = fitting[-1]

    def count(self, step: str) -> None:
        self.counted[step] += 1
