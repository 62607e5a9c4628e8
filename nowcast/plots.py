"""Scores against lead, drawn from the tables of an evaluation."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nowcast.drawing.curves import Panel, drawn
from nowcast.drawing.reliability import Diagram, reliability_figure
from nowcast.skill import Skill
from nowcast.store.rows import SERVED
from nowcast.verify.scores_chances import Curve, reliability_curve
from nowcast.verify.spatial import BANDS

Tables = Mapping[str, Any]

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


GROUPS: dict[str, tuple[str, Callable[[Tables], Iterator[Panel]], int]] = {
    "csi": ("Critical success index", lambda tables: _by_threshold(tables, "csi", from_0_to=np.inf), 4),
    "bias": ("Frequency bias", lambda tables: _by_threshold(tables, "bias", perfect=1.0, is_ratio=True), 4),
    "fss": ("Fractions skill score", lambda tables: _by_scale(tables, "fss"), len(SHOWN_THRESHOLDS)),
    "pooled_csi": ("CSI of block maxima", lambda tables: _by_scale(tables, "pooled_csi"), len(SHOWN_THRESHOLDS)),
    "errors": ("Rain rates pixel by pixel", lambda tables: _errors(tables), 4),
    "spectra": ("Spectral power, forecast over observed", lambda tables: _spectra(tables), 3),
}
"""Name -> heading, panels, and how many of them stand in a row."""


def plots(tables: Tables, folder: Path, title: str) -> list[Path]:
    """One PNG per group of scores, over all events together; the files, all in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return [group_plot(tables, name, folder / f"{name}.png", title) for name in GROUPS]


def group_plot(tables: Tables, group: str, path: Path, title: str) -> Path:
    """One of GROUPS over all events together; ValueError naming them for another."""
    if group not in GROUPS:
        raise ValueError(f"no scores {group!r}, there are {', '.join(GROUPS)}")
    heading, panels, columns = GROUPS[group]
    return drawn(path, f"{heading}\n{title}", _leads(tables), list(panels(tables)), columns)


def live_reliability(found: Skill, leads: Sequence[int], thresholds: Sequence[float], title: str) -> Figure:
    """Reliability diagrams of the chances that were served, a row per lead [min], a column per threshold [mm h-1].

    ValueError for a lead or threshold that was not scored, or when no chances were.
    """
    chances = found.together[SERVED].chances if SERVED in found.together else None
    if chances is None:
        raise ValueError(f"no chances were scored after {found.start} until {found.until}")
    curve = reliability_curve(chances)
    rows, columns = _places(leads, found.minutes, "lead"), _places(thresholds, chances.thresholds, "threshold")
    diagrams = [
        [
            Diagram(
                f"≥ {chances.thresholds[column]:g} mm/h, +{found.minutes[row]} min",
                {SERVED: Curve(*(part[row, column] for part in curve))},
            )
            for column in columns
        ]
        for row in rows
    ]
    return reliability_figure(diagrams, f"Reliability\n{title}")


def tables_in(path: Path, part: str, writer: str) -> Tables:
    """Tables that a command has written as JSON; ValueError unless the file holds `part`."""
    try:
        tables = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(tables, dict) or not isinstance(tables.get(part), dict) or not tables[part]:
        raise ValueError(f"{path} is not what {writer} writes: it has no {part}")
    return tables


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


def _leads(tables: Tables) -> tuple[str, Sequence[float]]:
    """Unit and values of the x axis: minutes when all events have one cadence, steps otherwise."""
    cadences = tables["sample"]["all"]["cadence_minutes"]
    steps = len(next(iter(tables["lead_scores"]["all"].values())))
    if len(cadences) == 1:
        return "min", [cadences[0] * (k + 1) for k in range(steps)]
    return "steps", [float(k + 1) for k in range(steps)]


def _places(wanted: Sequence[float], there: Sequence[float], what: str) -> list[int]:
    """Where each value stands among those there; ValueError naming them."""
    found = [next((k for k, one in enumerate(there) if np.isclose(one, value)), None) for value in wanted]
    if not found or None in found:
        listed = (", ".join(f"{value:g}" for value in values) for values in (wanted, there))
        raise ValueError("no such {}: {}, there are {}".format(what, *listed))
    return [place for place in found if place is not None]
