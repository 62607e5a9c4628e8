"""Tallies as reports/fuzz.json and as the table in docs/guarantees.md."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzz.campaign import Tally
from fuzz.judge import Verdict

WRONG = (Verdict.WRONG_GRID, Verdict.WRONG_TIME, Verdict.WRONG_SCAN)
PAGE = Path("docs/guarantees.md")
BEGIN, END = "<!-- fuzz: begin, written by `make fuzz` -->", "<!-- fuzz: end -->"


def report(tallies: Mapping[str, Tally], inputs: int) -> dict[str, Any]:
    """Counts by format and in all, with upper limits of the chances of what must not be."""
    formats = {name: counts(tally) for name, tally in tallies.items()}
    totals = {key: sum(one[key] for one in formats.values()) for key in next(iter(formats.values())) if key != "seeds"}
    limits = {
        f"{key}_at_most": upper(totals[key], totals["inputs"]) for key in ("parent_deaths", "wrong_grid", "wrong")
    }
    return {
        "made_by": f"python -m fuzz --inputs {inputs}",
        "machine": f"{os.cpu_count()} cores",
        "bounds": "upper limits are one-sided, 95 %, Clopper and Pearson 1934",
        "totals": totals | limits,
        "formats": formats,
        "notable": {name: tally.notable for name, tally in tallies.items() if tally.notable},
    }


def counts(tally: Tally) -> dict[str, Any]:
    """Of one format; `seeds` tells how to make its inputs again."""
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


def upper(found: int, among: int) -> float:
    """The rate that would give so few, or fewer, with a chance of 5 % only: the upper limit of Clopper and Pearson."""
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        chance = sum(_binomial(k, among, rate) for k in range(found + 1))
        low, high = (rate, high) if chance > 0.05 else (low, rate)
    return float(f"{high:.3g}")


def _binomial(k: int, among: int, rate: float) -> float:
    logs = math.lgamma(among + 1) - math.lgamma(k + 1) - math.lgamma(among - k + 1)
    return math.exp(logs + k * math.log(rate) + (among - k) * math.log1p(-rate))


def write(found: Mapping[str, Any], page: Path = PAGE) -> None:
    """Put the table between its marks; ValueError when the page lacks them."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {BEGIN} or {END}")
    page.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}")


def table(found: Mapping[str, Any]) -> str:
    """Markdown: a row per format, and what the totals tell."""
    keys = ("inputs", "accepted", "refused", "crashes", "hangs", "parent_deaths", "wrong")
    titles = ("format", "inputs", "accepted", "refused", "decoder died", "took too long", "parent died", "wrong")
    rows = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for name, one in [*found["formats"].items(), ("all", found["totals"])]:
        rows.append(f"| {name} | " + " | ".join(f"{one[key]:,}" for key in keys) + " |")
    totals = found["totals"]
    sentence = (
        f"Upper limits, 95 %, per file damaged so: the parent dies {totals['parent_deaths_at_most']:.2g}, "
        f"a scan on a wrong grid is accepted {totals['wrong_grid_at_most']:.2g} "
        f"({found['machine']}, shared with other work)."
    )
    return "\n".join([*rows, "", sentence])
