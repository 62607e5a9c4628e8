"""Tallies as reports/fuzz.json, with 95 % bounds."""

import os
from collections.abc import Mapping
from typing import Any

from fuzz.campaign import Tally
from fuzz.judge import Verdict

WRONG = (Verdict.WRONG_GRID, Verdict.WRONG_TIME, Verdict.WRONG_SCAN)


def report(tallies: Mapping[str, Tally], inputs: int) -> dict[str, Any]:
    """Counts by format and in all."""
    formats = {name: counts(tally) for name, tally in tallies.items()}
    sums = {key: sum(one[key] for one in formats.values()) for key in next(iter(formats.values())) if key != "seeds"}
    bound = rule_of_three(sums["inputs"])
    return {
        "made_by": f"python -m fuzz --inputs {inputs}",
        "machine": f"{os.cpu_count()} cores",
        "totals": sums | {"parent_deaths_95": bound, "wrong_95": bound} if not sums["wrong"] else sums,
        "formats": formats,
        "notable": {name: tally.notable for name, tally in tallies.items() if tally.notable},
    }


def counts(tally: Tally) -> dict[str, Any]:
    """Of one format; `seeds` gives each input again: seed:format:number."""
    found = {verdict: tally.verdicts.get(verdict.value, 0) for verdict in Verdict}
    return {
        "inputs": tally.next,
        "unchanged": tally.unchanged,
        "accepted": found[Verdict.ACCEPTED],
        "refused": found[Verdict.REFUSED],
        "crashes": found[Verdict.CRASHED],
        "hangs": found[Verdict.HUNG],
        "parent_deaths": tally.parent_deaths,
        "wrong_grid": found[Verdict.WRONG_GRID],
        "wrong": sum(found[verdict] for verdict in WRONG),
        "seeds": f"{tally.seed}:0..{tally.next - 1}",
    }


def rule_of_three(trials: int) -> float:
    """Upper 95 % bound of a chance that showed itself in none of so many trials: 1 - 0.05^(1/n)."""
    return round(1 - 0.05 ** (1 / trials), 8)
