"""CRPS, spread, reliability and ranks, drawn from the tables of an evaluation of members and chances."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nowcast.drawing.curves import COLOURS, Panel, drawn, finished, plainly
from nowcast.drawing.reliability import FEWEST, Diagram, reliability_figure
from nowcast.drawing.saving import save
from nowcast.verify.scores_chances import Curve

Tables = Mapping[str, Any]
Cells = dict[str, Any]
"""Method -> what it has at one lead."""

THRESHOLDS = ("0.1", "1", "5")
"""mm h-1, of the reliability diagrams."""

SHOWN_LEADS = ("1", "3", "6", "12")
"""Steps, of rank histograms."""

RELIABLE_LEADS = ("3", "6", "12")
"""Steps, of reliability diagrams."""


def plots(tables: Tables, folder: Path, title: str) -> list[Path]:
    """One PNG each for CRPS with spread, reliability and ranks, over all events together; the files, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    leads = [float(lead) for lead in next(iter(tables["all"].values()))]
    heading = f"CRPS, and spread over error\n{title}"
    return [
        drawn(folder / "crps.png", heading, _abscissa(tables, leads), list(_panels(tables["all"])), 4),
        reliability_plot(tables, folder / "reliability.png", title),
        ranks_plot(tables, folder / "ranks.png", title),
    ]


def reliability_plot(tables: Tables, path: Path, title: str) -> Path:
    """Observed frequency against forecast chance, a row of thresholds per lead; below each how often it was given.

    A threshold whose chances are never more than a tenth is left out, but for the first.
    """
    methods = _with(tables, "chances")
    thresholds = [threshold for threshold in THRESHOLDS if threshold == THRESHOLDS[0] or _given(methods, threshold)]
    rows = [
        [
            Diagram(f"≥ {threshold} mm/h, {_after(tables, lead)}", _curves(methods, lead, threshold))
            for threshold in thresholds
        ]
        for lead in RELIABLE_LEADS
    ]
    return save(reliability_figure(rows, f"Reliability\n{title}"), path, dpi=110)


def ranks_plot(tables: Tables, path: Path, title: str) -> Path:
    """Share of the observations above so many members, times the number of ranks; a row for pixels, one for means."""
    size = (2.9 * len(SHOWN_LEADS), 6.1)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(2, len(SHOWN_LEADS), sharex=True, sharey="row")
    for axes, (part, words) in zip(grid, (("members", "pixels"), ("blocks", "means of 16 x 16 px")), strict=True):
        for axis, lead in zip(axes, SHOWN_LEADS, strict=True):
            _ranks(axis, {name: by_lead[lead][part] for name, by_lead in _with(tables, part).items()})
            axis.set_title(f"{words}, {_after(tables, lead)}", fontsize=9.5)
        axes[0].set_ylabel("frequency, 1 is flat", fontsize=9)
    for axis in grid[-1]:
        axis.set_xlabel("members below the observation", fontsize=9)
    return save(finished(figure, grid[0, 0], f"Rank histograms\n{title}"), path, dpi=110)


def _panels(methods: Tables) -> Iterator[Panel]:
    pixels = {name: [_crps(cell) for cell in by_lead.values()] for name, by_lead in methods.items()}
    yield Panel("CRPS or MAE, pixels [mm/h]", pixels, from_0_to=np.inf)
    yield Panel("CRPS, 16 x 16 px [mm/h]", _lines(methods, "blocks", "crps"), from_0_to=np.inf)
    for part, words in (("members", "pixels"), ("blocks", "16 x 16 px")):
        yield Panel(f"spread over error, {words}", _lines(methods, part, "spread_skill"), 1.0, np.inf)


def _lines(methods: Tables, part: str, score: str) -> dict[str, list[float | None]]:
    """Every method, so that each keeps its colour."""
    nothing: dict[str, None] = {score: None}
    return {name: [cell.get(part, nothing)[score] for cell in by_lead.values()] for name, by_lead in methods.items()}


def _crps(cell: Tables) -> float | None:
    score: float | None = cell["members"]["crps"] if "members" in cell else cell["mae"]
    return score


def _with(tables: Tables, part: str) -> dict[str, Any]:
    """The methods that have members or chances."""
    return {name: by_lead for name, by_lead in tables["all"].items() if part in by_lead["1"]}


def _given(methods: Tables, threshold: str) -> bool:
    """Whether any method gives more than the lowest chances."""
    cells = (by_lead[lead]["chances"][threshold] for by_lead in methods.values() for lead in RELIABLE_LEADS)
    return any((share or 0.0) >= FEWEST for cell in cells for share in cell["reliability_curve"]["share"][1:])


def _cadence(tables: Tables) -> float | None:
    """Minutes of a lead step where all events have the same."""
    cadences = {sample["cadence_minutes"] for sample in tables["sample"].values()}
    return cadences.pop() if len(cadences) == 1 else None


def _abscissa(tables: Tables, leads: Sequence[float]) -> tuple[str, Sequence[float]]:
    minutes = _cadence(tables)
    return ("steps", leads) if minutes is None else ("min", [minutes * lead for lead in leads])


def _after(tables: Tables, lead: str) -> str:
    minutes = _cadence(tables)
    return f"step {lead}" if minutes is None else f"+{int(lead) * minutes:g} min"


def _curves(methods: Tables, lead: str, threshold: str) -> dict[str, Curve]:
    cells = {name: by_lead[lead]["chances"][threshold]["reliability_curve"] for name, by_lead in methods.items()}
    lines = {name: (np.array(cell[field], np.float64) for field in Curve._fields) for name, cell in cells.items()}
    return {name: Curve(*line) for name, line in lines.items()}


def _ranks(axis: Axes, cells: Cells) -> None:
    axis.axhline(1.0, color="0.6", linewidth=1, zorder=0)
    for k, (name, cell) in enumerate(cells.items()):
        ranks = np.array(cell["rank_histogram"], np.float64)
        axis.stairs(ranks * len(ranks), np.arange(len(ranks) + 1) - 0.5, color=COLOURS[k], linewidth=1.5, label=name)
    axis.set_ylim(0)
    plainly(axis)
