"""Scores against lead as panels of lines, and the look that all diagrams share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from nowcast.drawing.saving import save

Lines = dict[str, list[float | None]]
"""Method -> score by lead, None where undefined."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A6A00", "#56B4E9", "#444444")
"""Okabe and Ito's, which colour-blind readers tell apart."""

MARKERS = "osD^vPX"
RATIOS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.25, 2.0, 5.0, 10.0, 100.0)
"""Marks of an axis of ratios."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes: its title, its lines, the value of a perfect forecast, and where the y axis ends.

    `from_0_to` is infinite where the greatest value decides; a negative value is shown all the same.
    """

    title: str
    lines: Lines
    perfect: float | None = None
    from_0_to: float | None = None
    is_ratio: bool = False


def drawn(path: Path, title: str, abscissa: tuple[str, Sequence[float]], panels: Sequence[Panel], columns: int) -> Path:
    """Panels against lead in rows of so many, as one PNG. The title's second line stands small at the right."""
    rows = -(-len(panels) // columns)
    size = (2.9 * columns, 2.5 * rows + 1.1)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    axes = list(grid.flat)
    unit, leads = abscissa
    for axis, panel in zip(axes, panels, strict=False):
        _draw(axis, panel, leads)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for column in range(columns):
        lowest = axes[(len(panels) - 1 - column) // columns * columns + column]
        lowest.set_xlabel(f"lead [{unit}]", fontsize=9)
        lowest.tick_params(labelbottom=True)
    return save(finished(figure, axes[0], title), path, dpi=110)


def finished(figure: Figure, first: Axes, title: str) -> Figure:
    """With the heading, the title's second line at the right, and the legend of the first axes below."""
    heading, _, rest = title.partition("\n")
    figure.suptitle(heading, fontsize=12, fontweight="bold", x=0.01, ha="left")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), frameon=False, fontsize=9)
    figure.text(0.995, 1 - 0.09 / figure.get_figheight(), rest, ha="right", va="top", fontsize=8, color="0.35")
    return figure


def plainly(axis: Axes) -> None:
    """Small ticks, a pale grid behind the lines, and no frame above and at the right."""
    axis.tick_params(labelsize=8)
    axis.grid(color="0.92")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _draw(axis: Axes, panel: Panel, leads: Sequence[float]) -> None:
    if panel.perfect is not None:
        axis.axhline(panel.perfect, color="0.6", linewidth=1, zorder=0)
    for k, (name, values) in enumerate(panel.lines.items()):
        line = np.array([np.nan if value is None else value for value in values])
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        axis.plot(leads, line, label=name, markersize=3.5, linewidth=1.5, color=colour, marker=marker, zorder=9 - k)
    axis.set_title(panel.title, fontsize=9.5)
    plainly(axis)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_xlim(0, leads[-1] * 1.04)
    if panel.is_ratio:
        _as_ratio(axis)
    elif panel.from_0_to is not None:
        lowest = min((v for values in panel.lines.values() for v in values if v is not None), default=0.0)
        axis.set_ylim(min(0.0, lowest), panel.from_0_to if np.isfinite(panel.from_0_to) else None)


def _as_ratio(axis: Axes) -> None:
    """A logarithmic axis that shows one and all of the lines that lies above a thousandth."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in axis.lines])
    drawn = drawn[np.isfinite(drawn) & (drawn >= RATIOS[0])]
    low, high = min(0.8, drawn.min(initial=1.0)) / 1.1, max(1.25, drawn.max(initial=1.0)) * 1.1
    axis.set_yscale("log")
    axis.set_ylim(low, high)
    marks = [ratio for ratio in RATIOS if low <= ratio <= high]
    if high / low > 20:
        marks = [mark for mark in marks if mark not in (0.8, 1.25)]
    axis.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axis.yaxis.set_minor_locator(NullLocator())
