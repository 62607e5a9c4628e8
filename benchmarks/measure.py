"""Measure ours and a peer in one run, interleaved, so that what else the machine does falls on both."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure: ours against a peer's (or a limit), the ratio the goal speaks of, and whether it is met."""

    name: str
    ours: str
    peer: str
    ratio: float | None
    goal: str
    met: bool | None
    spread: str
    machine: str


def machine() -> str:
    """Processor, cores and the versions that matter, in one line."""
    model = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {version('torch')}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def alternately(works: Sequence[Callable[[], object]], rounds: int, warm: int = 1) -> list[list[float]]:
    """Seconds of each of the works, (work, round), run one after another in every round."""
    for _ in range(warm):
        for work in works:
            work()
    taken = [[seconds(work) for work in works] for _ in range(rounds)]
    return [list(times) for times in zip(*taken, strict=True)]


def spread(times: Sequence[float]) -> str:
    """Least and greatest, in seconds."""
    return f"{min(times):.3g} to {max(times):.3g} s"


def faster(name: str, ours: Callable[[], object], peer: Callable[[], object], at_least: float, rounds: int = 5) -> Row:
    """How many times faster ours is than the peer; the goal is `at_least`."""
    mine, theirs = alternately([ours, peer], rounds)
    ratio = statistics.median(theirs) / statistics.median(mine)
    each = sorted(b / a for a, b in zip(mine, theirs, strict=True))
    return Row(
        name,
        f"{statistics.median(mine):.4g} s",
        f"{statistics.median(theirs):.4g} s",
        round(ratio, 2),
        f">= {at_least} x faster",
        ratio >= at_least,
        f"{each[0]:.2f} to {each[-1]:.2f} over {rounds} rounds",
        machine(),
    )


def show(rows: Sequence[Row]) -> None:
    """Print each figure."""
    for row in rows:
        met = {True: "met", False: "NOT MET", None: "-"}[row.met]
        print(f"{row.name}: ours {row.ours}, peer {row.peer}, ratio {row.ratio} (goal {row.goal}: {met}; {row.spread})")


def keep(rows: Sequence[Row], path: Path) -> None:
    """Write the figures as a JSON list of {name, ours, peer, ratio, goal, met, spread, machine}."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
