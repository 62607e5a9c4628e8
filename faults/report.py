"""reports/faults.json: counts by kind, bounds, and what was run."""

import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from faults.campaign import Event
from faults.kinds import KINDS

PACKAGES = ("numpy", "torch", "zarr", "icechunk", "h5py")


def report(
    verdicts: Sequence[dict[str, Any]],
    clean: dict[str, Any],
    outage: dict[str, Any],
    seed: int,
    events: Sequence[Event],
) -> dict[str, Any]:
    """All of the report, from verdicts as dictionaries."""
    kinds = [_row(name, [one for one in verdicts if one["kind"] == name]) for name in KINDS]
    names = ("injected", "detected", "wrong_publications", "false_alarms")
    totals = {name: sum(row[name] for row in kinds) for name in names}
    totals["wrong_publications_at_most"] = upper(totals["wrong_publications"], totals["injected"])
    return {
        "kinds": kinds,
        "totals": {"kinds": sum(row["injected"] > 0 for row in kinds)} | totals,
        "clean": clean | {"false_alarm_rate_at_most": upper(clean["false_alarms"], clean["scans"])},
        "outage": outage,
        "bounds": "upper limits are one-sided, 95 %, Clopper and Pearson 1934",
        "seed": seed,
        "events": [event._asdict() for event in events],
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("nowcast", *PACKAGES)},
        "wrong": [one for one in verdicts if one["wrong"] or not one["detected"] or one["false_alarms"]],
    }


def upper(found: int, among: int) -> float:
    """The rate that would give so few, or fewer, with a chance of 5 % only: the upper limit of Clopper and Pearson."""
    if found >= among:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        chance = sum(_binomial(k, among, rate) for k in range(found + 1))
        low, high = (rate, high) if chance > 0.05 else (low, rate)
    return float(f"{high:.3g}")


def _binomial(k: int, among: int, rate: float) -> float:
    logs = math.lgamma(among + 1) - math.lgamma(k + 1) - math.lgamma(among - k + 1)
    return math.exp(logs + k * math.log(rate) + (among - k) * math.log1p(-rate))


def _row(name: str, verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    count = len(verdicts)
    wrong = sum(bool(one["wrong"]) for one in verdicts)
    return {
        "kind": name,
        "injected": count,
        "detected": sum(one["detected"] for one in verdicts),
        "wrong_publications": wrong,
        "wrong_publications_at_most": upper(wrong, count) if count else 1.0,
        "false_alarms": sum(len(one["false_alarms"]) for one in verdicts),
        "rule": KINDS[name].rule,
    }
