"""Scores against lead, drawn from the tables of an evaluation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from nowcast.verify.spatial import BANDS

matplotlib.use("Agg")

Tables = Mapping[str, Any]
Lines = dict[str, list[float | None]]
"""Method -> score by lead, None where undefined."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A6A00", "#56B4E9", "#444444")
"""Okabe and Ito's, which colour-blind readers tell apart."""

MARKERS = "osD^vPX"
RATIOS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.25, 2.0, 5.0, 10.0, 100.0)
"""Marks of an axis of ratios."""

SHOWN_THRESHOLDS = ("0.1", "1", "5")
"""mm h-1, of the scores that also vary with scale."""

ERRORS = {
    "correlation": "correlation",
    "rmse": "root mean squared error [mm/h]",
    "mae": "mean absolute error [mm/h]",
    "mean_error": "mean error [mm/h]",
}

LIVE_ERRORS = {
    "correlation": "correlation",
    "root_mean_squared_error": "root mean squared error [mm/h]",
    "mean_error": "mean error [mm/h]",
}


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


def plots(tables: Tables, folder: Path, title: str) -> list[Path]:
    """One PNG per group of scores, over all events together; the files, all in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    groups = {
        "csi": ("Critical success index", _by_threshold(tables, "csi", from_0_to=np.inf), 4),
        "bias": ("Frequency bias", _by_threshold(tables, "bias", perfect=1.0, is_ratio=True), 4),
        "fss": ("Fractions skill score", _by_scale(tables, "fss"), len(SHOWN_THRESHOLDS)),
        "pooled_csi": ("CSI of block maxima", _by_scale(tables, "pooled_csi"), len(SHOWN_THRESHOLDS)),
        "errors": ("Rain rates pixel by pixel", _errors(tables), 4),
        "spectra": ("Spectral power, forecast over observed", _spectra(tables), 3),
    }
    return [
        drawn(folder / f"{name}.png", f"{heading}\n{title}", _leads(tables), list(panels), columns)
        for name, (heading, panels, columns) in groups.items()
    ]


def skill_plot(tables: Tables, path: Path, title: str) -> Path:
    """Live scores of `nowcast skill` against lead as one PNG; ValueError when nothing was scored in the window."""
    if not tables["nowcasts"]:
        raise ValueError(f"nothing to draw: no nowcast was scored after {tables['from']} until {tables['until']}")
    panels, leads = list(_live(tables)), [float(lead) for lead in tables["pixels"]["served"]]
    return drawn(path, title, ("min", leads), panels, max(3, len(tables["csi"]["served"])))


def _live(tables: Tables) -> Iterator[Panel]:
    """A row of thresholds for each score of events, and a row of errors."""
    styles: dict[str, dict[str, Any]] = {
        "csi": {"from_0_to": np.inf},
        "frequency_bias": {"perfect": 1.0, "is_ratio": True},
        "brier": {"from_0_to": np.inf},
    }
    names = {"csi": "CSI", "frequency_bias": "frequency bias", "brier": "Brier score"}
    for score, style in styles.items():
        for threshold in tables[score]["served"]:
            lines = {name: list(method[threshold].values()) for name, method in tables[score].items()}
            yield Panel(f"{names[score]}, ≥ {threshold} mm/h", lines, **style)
    for score, title in LIVE_ERRORS.items():
        lines = {name: list(line.values()) for name, line in tables[score].items()}
        yield Panel(title, lines, 0.0 if score == "mean_error" else None)


def _by_threshold(tables: Tables, score: str, **style: Any) -> Iterator[Panel]:
    for threshold in next(iter(tables["all"].values())):
        cells = {name: method[threshold].values() for name, method in tables["all"].items()}
        yield Panel(f"≥ {threshold} mm/h", {name: [c[score] for c in line] for name, line in cells.items()}, **style)


def _by_scale(tables: Tables, score: str) -> Iterator[Panel]:
    """A row of thresholds for each scale."""
    for scale in next(iter(tables["all"].values()))[SHOWN_THRESHOLDS[0]]["1"][score]:
        for threshold in SHOWN_THRESHOLDS:
            cells = {name: method[threshold].values() for name, method in tables["all"].items()}
            lines = {name: [c[score][scale] for c in line] for name, line in cells.items()}
            yield Panel(f"≥ {threshold} mm/h, {scale} px", lines, from_0_to=1.0)


def _errors(tables: Tables) -> Iterator[Panel]:
    by_lead = {name: method.values() for name, method in tables["lead_scores"]["all"].items()}
    for score, title in ERRORS.items():
        lines = {name: [cell[score] for cell in line] for name, line in by_lead.items()}
        perfect = 0.0 if score == "mean_error" else None
        yield Panel(title, lines, perfect, 1.0 if score == "correlation" else None)


def _spectra(tables: Tables) -> Iterator[Panel]:
    by_lead = {name: method.values() for name, method in tables["lead_scores"]["all"].items()}
    for shorter, longer in BANDS:
        band = f"{shorter}-{longer}"
        lines = {name: [cell["rapsd_ratio"][band] for cell in line] for name, line in by_lead.items()}
        yield Panel(f"wavelengths {shorter} to {longer} px", lines, 1.0, is_ratio=True)


def drawn(path: Path, title: str, abscissa: tuple[str, Sequence[float]], panels: Sequence[Panel], columns: int) -> Path:
    """Panels against lead in rows of so many, as one PNG. The title's second line stands small at the right."""
    rows = -(-len(panels) // columns)
    size = (2.9 * columns, 2.5 * rows + 1.1)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", sharex=True)
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
    return finished(figure, axes[0], title, path)


def finished(figure: Figure, first: Axes, title: str, path: Path) -> Path:
    """Heading, the title's second line at the right, and the legend of the first axes below; written to the path."""
    heading, _, rest = title.partition("\n")
    figure.suptitle(heading, fontsize=12, fontweight="bold", x=0.01, ha="left")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), frameon=False, fontsize=9)
    figure.text(0.995, 1 - 0.09 / figure.get_figheight(), rest, ha="right", va="top", fontsize=8, color="0.35")
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


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


def _leads(tables: Tables) -> tuple[str, Sequence[float]]:
    """Unit and values of the x axis: minutes when all events have one cadence, steps otherwise."""
    cadences = tables["sample"]["all"]["cadence_minutes"]
    steps = len(next(iter(tables["lead_scores"]["all"].values())))
    if len(cadences) == 1:
        return "min", [cadences[0] * (k + 1) for k in range(steps)]
    return "steps", [float(k + 1) for k in range(steps)]
