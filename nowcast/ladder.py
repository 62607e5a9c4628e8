"""The fallback ladder: of several ways to make a nowcast the first that works, and why those before it were passed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from nowcast.core.scan import Nowcast

FAILURES = (ValueError, ArithmeticError, LookupError, OSError, RuntimeError, MemoryError)
"""What a step may raise to be passed; torch's errors are RuntimeErrors."""

LONGEST_REASON = 200
"""Characters of a step's reason that are kept."""


class TooLate(RuntimeError):
    """The deadline is over; the message says how long it was."""


class Benched(RuntimeError):
    """A model rests for now; the message says why."""


class Step(NamedTuple):
    """A way to make a nowcast: its rung, what reasons call it, and what makes it or raises one of FAILURES."""

    rung: str
    name: str
    make: Callable[[], Nowcast]


def descend(steps: Iterable[Step], passed: Sequence[str] = ()) -> tuple[Nowcast | None, str]:
    """The nowcast of the first step that makes one, with its rung, and the reasons of those passed before it.

    `passed` are reasons known before. None, with all reasons, when no step does.
    """
    reasons = list(passed)
    for step in steps:
        try:
            made = step.make()
        except FAILURES as error:
            reasons.append(f"{_named(step)}: {_brief(error)}")
            continue
        why = "; ".join(reasons)
        return replace(made, rung=step.rung, reason=why), why
    return None, "; ".join(reasons)


def deadline(clock: Callable[[], float], seconds: float) -> Callable[[], None]:
    """A function to be called now and then, which raises TooLate once so many seconds have passed by the clock."""
    until = clock() + seconds

    def tick() -> None:
        if clock() > until:
            raise TooLate(f"not done after {seconds:g} s")

    return tick


def _named(step: Step) -> str:
    return step.rung if step.rung == step.name else f"{step.rung} {step.name}"


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:LONGEST_REASON]
