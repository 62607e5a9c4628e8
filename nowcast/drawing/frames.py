"""Small multiples of a nowcast: the newest scan, leads, and below them what came true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nowcast.core.types import FloatField
from nowcast.drawing.maps import QUIET, Ground, colour_bar, draw_map, inches, key, label_meridians, label_parallels
from nowcast.drawing.subject import Layer, Subject, forecast, observed, require_leads
from nowcast.provenance import Provenance

MOST_COLUMNS = 6
LEFT, RIGHT, TOP, BOTTOM = 0.42, 1.0, 0.92, 0.82
"""Inches around the maps."""

BESIDE, ABOVE = 0.12, 0.27
"""Inches between maps, and for the words above each."""

SMALL: dict[str, Any] = {"fontsize": 8.5, "color": QUIET, "pad": 4}

TALLEST_BAR = 4.6
"""Inches."""


@dataclass(frozen=True)
class Sheet:
    """Where maps of one size lie on a page, in inches."""

    columns: int
    rows: int
    wide: float
    high: float

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) of the page."""
        across = self.columns * (self.wide + BESIDE) - BESIDE
        return LEFT + across + RIGHT, TOP + self.rows * (self.high + ABOVE) - ABOVE + BOTTOM

    def place(self, row: int, column: int) -> tuple[float, float, float, float]:
        """(left, bottom, width, height) of a map; row 0 is the uppermost."""
        below = self.rows - 1 - row
        return LEFT + column * (self.wide + BESIDE), BOTTOM + below * (self.high + ABOVE), self.wide, self.high


def frames_figure(
    of: Subject, shown: Layer, leads: Sequence[int], credit: str = "", with_observed: bool = True
) -> Figure:
    """Maps of a nowcast at leads [min], 0 being the newest scan.

    `with_observed` adds a row of what came true, as far as the archive has it. ValueError for a lead that there is not.
    """
    chosen, ground = require_leads(of, tuple(leads)), Ground(of.ground)
    truth = {lead: observed(of, shown, lead) for lead in chosen if lead} if with_observed else {}
    has_truth = any(field is not None for field in truth.values())
    bands = _bands(chosen)
    sheet = _sheet(ground, len(bands[0]), len(bands) * (1 + has_truth))
    figure = page(sheet.size, headings(of.source, "nowcast"), credit)
    for band, among in enumerate(bands):
        for column, lead in enumerate(among):
            pair = [_map(figure, sheet, (band * (1 + has_truth), column), ground, shown, *_upper(of, shown, lead))]
            if has_truth and lead:
                lower = shown.observed if truth[lead] is not None else "Not in the archive"
                pair.append(_map(figure, sheet, (2 * band + 1, column), ground, shown, truth[lead], lower))
            for axis in pair:
                axis.set_title(f"{of.init_time + timedelta(minutes=lead):%H:%M}", loc="right", **SMALL)
                if column == (1 if axis is not pair[0] and not among[0] else 0):
                    label_parallels(axis, ground)
            if column >= len(bands[band + 1] if band + 1 < len(bands) else ()):
                label_meridians(pair[-1], ground)
    _surround(figure, sheet, shown)
    return figure


def page(size: tuple[float, float], words: tuple[str, str], credit: str) -> Figure:
    """An empty figure of a size [inches] with a heading, smaller words below it, and a credit at the lower right."""
    figure = Figure(size)
    FigureCanvasAgg(figure)
    width, height = size
    heading, small = words
    figure.text(0.12 / width, 1 - 0.12 / height, heading, fontsize=12, fontweight="bold", va="top")
    wide = max(40, int(width * 15))
    rest = "\n".join(fill(line, wide, max_lines=2, placeholder=" ...") for line in small.splitlines())
    figure.text(0.12 / width, 1 - 0.37 / height, rest, fontsize=8.5, color=QUIET, va="top", linespacing=1.25)
    figure.text(1 - 0.12 / width, 0.1 / height, credit, fontsize=7.5, color=QUIET, ha="right", va="bottom")
    return figure


def headings(of: Provenance, what: str) -> tuple[str, str]:
    """Region and start; what is shown, the model, its rung, and why it stands there."""
    start = of.init_time
    rung = f", {of.rung}" if of.rung else ""
    why = f": {of.reason}" if of.reason else ""
    return f"{of.region}, {day(start)}, {start:%H:%M} UTC", f"{what} by {of.model}{rung}{why}"


def day(time: datetime) -> str:
    """28 September 2016."""
    return f"{time.day} {time:%B %Y}"


def _bands(leads: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Leads in as few bands as can be, of about the same length, the longest first."""
    length = -(-len(leads) // -(-len(leads) // MOST_COLUMNS))
    return [leads[k : k + length] for k in range(0, len(leads), length)]


def _sheet(ground: Ground, columns: int, rows: int) -> Sheet:
    """Fewer maps are larger."""
    area = {1: 20.0, 2: 12.0, 3: 9.0}.get(columns, 7.2)
    wide = (area / ground.aspect) ** 0.5
    return Sheet(columns, rows, wide, wide * ground.aspect)


def _upper(of: Subject, shown: Layer, lead: int) -> tuple[FloatField | None, str]:
    """The field at a lead and what it is."""
    if lead:
        return forecast(of, shown, lead), f"Forecast +{lead} min"
    return observed(of, shown, 0), shown.observed


def _map(
    figure: Figure,
    sheet: Sheet,
    at: tuple[int, int],
    ground: Ground,
    shown: Layer,
    field: FloatField | None,
    phase: str,
) -> Axes:
    axis = figure.add_axes(inches(figure, sheet.place(*at)))
    draw_map(axis, ground, shown, field, is_sure=shown.kind == "chance" and not phase.startswith("Forecast"))
    axis.set_title(phase, loc="left", fontsize=9, fontweight="bold", pad=4)
    return axis


def _surround(figure: Figure, sheet: Sheet, shown: Layer) -> None:
    """One colour bar for all maps, and the key."""
    left, bottom, wide, _ = sheet.place(sheet.rows - 1, sheet.columns - 1)
    _, upper, _, high = sheet.place(0, 0)
    whole = upper + high - bottom
    tall = min(whole, TALLEST_BAR)
    colour_bar(figure, (left + wide + 0.15, bottom + (whole - tall) / 2, 0.16, tall), shown)
    key(figure, (LEFT, 0.36), shown)
