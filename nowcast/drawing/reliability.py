"""Reliability diagrams: observed frequency against forecast chance, and below each how often which chance was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nowcast.drawing.curves import COLOURS, MARKERS, finished, plainly
from nowcast.verify.scores_chances import Curve

FEWEST = 1e-5
"""Share of pixels from which a bin of chances is shown as a point."""

SIDE, LOW = 2.75, 0.3
"""Inches of a diagram; height of what stands below it, as a share of that."""


@dataclass(frozen=True, eq=False)
class Diagram:
    """One diagram: its title, and by method the curve of each bin, (bin,)."""

    title: str
    curves: Mapping[str, Curve]

    @property
    def frequency(self) -> float:
        """How often the event was observed, by the first method's sample."""
        curve = next(iter(self.curves.values()))
        return float(np.nansum(curve.frequency * curve.share))


def reliability_figure(rows: Sequence[Sequence[Diagram]], title: str) -> Figure:
    """Rows of diagrams, equally many in each. Grey is the diagonal, dotted the frequency observed in the sample.

    Lines become thinner from method to method, so that none hides another.
    """
    columns = len(rows[0])
    width = max(6.2, (SIDE + 0.35) * columns + 0.4)
    figure = Figure((width, (SIDE * (1 + LOW) + 0.55) * len(rows) + 1.0), layout="constrained")
    heights = [1.0, LOW] * len(rows)
    grid = figure.subplots(len(heights), columns, height_ratios=heights, sharex=True, squeeze=False)
    for row, diagrams in enumerate(rows):
        for column, diagram in enumerate(diagrams):
            _draw(grid[2 * row, column], grid[2 * row + 1, column], diagram)
        grid[2 * row, 0].set_ylabel("observed frequency", fontsize=9)
        grid[2 * row + 1, 0].set_ylabel("share", fontsize=9)
    for axis in grid[-1]:
        axis.set_xlabel("forecast chance", fontsize=9)
    figure.align_ylabels(grid[:, 0])
    return finished(figure, grid[0, 0], title)


def _draw(axis: Axes, below: Axes, diagram: Diagram) -> None:
    axis.plot([0, 1], [0, 1], color="0.6", linewidth=1, zorder=1, label="calibrated")
    rate: dict[str, Any] = {"color": "0.5", "linewidth": 0.9, "linestyle": ":", "label": "frequency in the sample"}
    axis.axhline(diagram.frequency, zorder=1, **rate)
    for k, (name, curve) in enumerate(diagram.curves.items()):
        share = np.nan_to_num(curve.share)
        seen = share >= FEWEST
        over = len(diagram.curves) - 1 - k
        size: dict[str, Any] = {"markersize": 3.5 + 1.2 * over, "linewidth": 1.5 + 0.6 * over}
        axis.plot(
            curve.probability[seen], curve.frequency[seen], label=name, color=COLOURS[k], marker=MARKERS[k], **size
        )
        edges, heights = np.linspace(0, 1, len(share) + 1), np.maximum(share, FEWEST / 10)
        if len(diagram.curves) == 1:
            below.stairs(heights, edges, baseline=FEWEST / 10, fill=True, color=COLOURS[k], alpha=0.15)
        below.stairs(heights, edges, color=COLOURS[k], linewidth=1.0 + 0.6 * over)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.set_title(diagram.title, fontsize=9.5)
    axis.set_box_aspect(1)
    below.set(yscale="log", ylim=(FEWEST, 1))
    below.set_box_aspect(LOW)
    for each in (axis, below):
        plainly(each)
