"""`make histories`: many histories by seed, what came of them in reports/histories.json and a table in the guarantees.

    python tests/stateful/run.py [--seeds 80] [--fresh]

Each seed plays HISTORIES of them. The report is written after every seed; a run that was stopped goes on behind it.
"""

import argparse
import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import structlog
import torch
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from stateful.histories import Histories

REPORT = Path(__file__).parents[2] / "reports" / "histories.json"
PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"
BEGIN, END = "<!-- histories: begin, written by `make histories` -->", "<!-- histories: end -->"
HISTORIES = 25
STEPS = (5, 5, 5, 20)
"""Most steps of a history, seed by seed: many short ones, some long ones."""

CONFIDENCE = 0.95


def played(number: int) -> str:
    """Play the histories of a seed; why one failed, empty when none did. The smallest that fails is told."""
    chosen = settings(
        max_examples=HISTORIES,
        stateful_step_count=STEPS[number % len(STEPS)],
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    try:
        run_state_machine_as_test(seed(number)(Histories), settings=chosen)
    except Exception as error:
        return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
    return ""


def bound(count: int, failures: int) -> float | None:
    """The share of histories that fail at most, with CONFIDENCE, when none of `count` did (Clopper-Pearson)."""
    return None if failures or not count else round(1 - (1 - CONFIDENCE) ** (1 / count), 6)


def main() -> int:
    """Exit code: 1 when a history failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=80)
    parser.add_argument("--fresh", action="store_true")
    words = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    torch.set_num_threads(1)
    gc.freeze()
    known = json.loads(REPORT.read_text()) if REPORT.exists() and not words.fresh else {}
    steps, failing, spent = Counter(known.get("steps", {})), dict(known.get("failing", {})), known.get("cpu_s", 0.0)
    histories = known.get("histories", 0)
    for number in range(known.get("seeds", 0), words.seeds):
        Histories.counted.clear()
        began = time.process_time()
        if reason := played(number):
            failing[str(number)] = reason
        spent += time.process_time() - began
        histories += Histories.counted.pop("histories")
        steps.update(Histories.counted)
        report(number + 1, histories, steps, failing, spent)
        sys.stderr.write(f"seed {number}: {histories} histories, {len(failing)} seeds failed, {spent:.0f} s of CPU\n")
    regenerate(PAGE, json.loads(REPORT.read_text()))
    return 1 if failing else 0


def table(found: dict[str, Any]) -> str:
    """The report as Markdown."""
    limit = found["failure_rate_95_percent_upper_bound"]
    certain = f"; with 95 % certainty less than 1 in {int(1 / limit):,} does (Clopper-Pearson)" if limit else ""
    most = ", ".join(map(str, found["steps_at_most"]))
    steps = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in found["steps"].items())
    lines = [
        "| | |",
        "|---|---|",
        f"| histories | {found['histories']:,} by {found['seeds']} seeds, of at most {most} steps by turns |",
        f"| failed | {found['failures']}{certain} |",
        f"| steps | {steps} |",
        f"| time | {found['cpu_s']:.0f} s of CPU; {found['cores']} cores, shared with other work |",
    ]
    return "\n".join(lines)


def regenerate(page: Path, found: dict[str, Any]) -> None:
    """Put the table between the marks of a page."""
    head, rest = page.read_text().split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{table(found)}\n{END}{rest.split(END)[1]}")


def report(seeds: int, histories: int, steps: Counter[str], failing: dict[str, str], spent: float) -> None:
    """Replace the report."""
    found: dict[str, Any] = {
        "histories": histories,
        "failures": len(failing),
        "failure_rate_95_percent_upper_bound": bound(histories, len(failing)),
        "seeds": seeds,
        "histories_per_seed": HISTORIES,
        "steps_at_most": STEPS,
        "steps": dict(sorted(steps.items())),
        "cpu_s": round(spent, 1),
        "cores": os.cpu_count(),
        "failing": failing,
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
