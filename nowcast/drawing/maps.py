"""Fields as maps: the colours of the web map, coasts, meridians, and hatching where no radar looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle

from nowcast.basemap import Meridian, graticule, lines
from nowcast.core.grid import Grid
from nowcast.core.types import FloatField
from nowcast.drawing.subject import Layer
from nowcast.tiles.palettes import Palette

UNSEEN, HATCH = "#dcdcdc", "#b0b0b0"
DRY = "#ffffff"
COAST, BORDER, GRATICULE = "#3c3c3c", "#6e6e6e", "#8c8c8c"
QUIET = "#595959"
"""Of words that are not read first."""

EXACT = 4
"""Decimals that values are rounded to, so that what is stored in hundredths lies in the class of its decimal number."""


@dataclass(frozen=True)
class Ground:
    """What lies under every map of a grid."""

    grid: Grid

    @cached_property
    def coasts(self) -> list[Any]:
        """Lines in the grid's CRS."""
        return lines(self.grid, "land")

    @cached_property
    def borders(self) -> list[Any]:
        """Lines in the grid's CRS."""
        return lines(self.grid, "border")

    @cached_property
    def graticule(self) -> tuple[list[Meridian], list[Meridian]]:
        """Meridians and parallels."""
        return graticule(self.grid)

    @property
    def aspect(self) -> float:
        """Height over width on the ground."""
        return self.stretch * self.grid.height * self.grid.dy / (self.grid.width * self.grid.dx)

    @property
    def stretch(self) -> float:
        """How much longer a unit of y is than one of x: more than 1 for degrees."""
        _, south, _, north = self.grid.bounds
        return 1.0 / float(np.cos(np.radians((south + north) / 2))) if self.grid.projection.is_geographic else 1.0


def colours(palette: Palette) -> tuple[Colormap, BoundaryNorm]:
    """White below the first class, nothing where there is no value."""
    last = palette.colours[-1]
    chosen = ListedColormap(palette.colours).with_extremes(under=DRY, over=last, bad=(0.0, 0.0, 0.0, 0.0))
    return chosen, BoundaryNorm(palette.bounds, chosen.N, extend="max")


def draw_map(axis: Axes, ground: Ground, shown: Layer, field: FloatField | None, is_sure: bool = False) -> AxesImage:
    """A field (y, x) under coasts and borders; hatched where it has no value, everywhere if there is no field.

    Where a map has fewer dots than the field has pixels it shows means, but single pixels of chances that are all 0 or
    1, as `is_sure` tells.
    """
    axis.set(xticks=[], yticks=[])
    axis.add_patch(
        Rectangle((0, 0), 1, 1, transform=axis.transAxes, facecolor=UNSEEN, edgecolor=HATCH, hatch="/////", linewidth=0)
    )
    west, south, east, north = ground.grid.bounds
    chosen, norm = colours(shown.palette)
    values = exactly(np.full(ground.grid.shape, np.nan) if field is None else field)
    style: dict[str, Any] = {"extent": (west, east, south, north), "aspect": "auto", "interpolation_stage": "data"}
    style["interpolation"] = "nearest" if is_sure else "auto"
    image = axis.imshow(values, cmap=chosen, norm=norm, zorder=1.5, **style)
    meridians, parallels = ground.graticule
    crossing = [line for one in (*meridians, *parallels) for line in one.lines]
    for drawn, colour, width in (
        (crossing, GRATICULE, 0.35),
        (ground.borders, BORDER, 0.5),
        (ground.coasts, COAST, 0.7),
    ):
        axis.add_collection(LineCollection(drawn, colors=colour, linewidths=width, zorder=2), autolim=False)
    axis.spines[:].set(linewidth=0.6, color=COAST, zorder=3)
    axis.set(xlim=(west, east), ylim=(south, north))
    return image


def exactly(field: FloatField) -> Any:
    """Values as the decimal numbers that they stand for."""
    return np.round(np.asarray(field, np.float64), EXACT)


def label_parallels(axis: Axes, ground: Ground) -> None:
    """Degrees where parallels meet the western edge."""
    west, south, _, north = ground.grid.bounds
    for degrees, at in _meetings(ground.graticule[1], west, 0):
        words = f"{abs(degrees):g}°{'N' if degrees > 0 else 'S' if degrees < 0 else ''}"
        if south + 0.02 * (north - south) < at < north - 0.02 * (north - south):
            _beside(axis, words, (west, at), (-3, 0), ha="right", va="center")


def label_meridians(axis: Axes, ground: Ground) -> None:
    """Degrees where meridians meet the southern edge."""
    west, south, east, _ = ground.grid.bounds
    for degrees, at in _meetings(ground.graticule[0], south, 1):
        words = f"{abs(degrees):g}°{'E' if degrees > 0 else 'W' if degrees < 0 else ''}"
        if west + 0.04 * (east - west) < at < east - 0.04 * (east - west):
            _beside(axis, words, (at, south), (0, -3), ha="center", va="top")


def colour_bar(figure: Figure, place: Sequence[float], shown: Layer) -> Axes:
    """Classes and their units in a box of the figure, (left, bottom, width, height) in inches."""
    chosen, norm = colours(shown.palette)
    axis = figure.add_axes(inches(figure, place))
    bar = figure.colorbar(ScalarMappable(norm, chosen), cax=axis, spacing="uniform", ticks=shown.palette.bounds)
    scale, unit = (1, "") if shown.kind == "rain" else (100, "%")
    bar.ax.set_yticklabels([f"{bound * scale:g}{unit}" for bound in shown.palette.bounds])
    bar.ax.tick_params(labelsize=7.5, length=0, pad=3)
    bar.outline.set_linewidth(0.5)
    bar.set_label(shown.title, fontsize=9, labelpad=6)
    return axis


def key(figure: Figure, at: tuple[float, float], shown: Layer) -> None:
    """What white and hatching stand for, from a place (left, bottom) in inches."""
    first = shown.palette.bounds[0]
    dry = f"below {first:g} mm/h" if shown.kind == "rain" else f"below {first:.0%}"
    patches = [
        Patch(facecolor=DRY, edgecolor=COAST, linewidth=0.5, label=dry),
        Patch(facecolor=UNSEEN, edgecolor=HATCH, hatch="/////", linewidth=0, label="not seen by radar"),
    ]
    width, height = figure.get_size_inches()
    where: dict[str, Any] = {
        "loc": "lower left",
        "bbox_to_anchor": (at[0] / width, at[1] / height),
        "borderaxespad": 0.0,
    }
    look: dict[str, Any] = {
        "frameon": False,
        "fontsize": 8,
        "handlelength": 1.6,
        "handleheight": 1.0,
        "columnspacing": 1.5,
    }
    figure.legend(handles=patches, ncols=2, borderpad=0.0, **where, **look)


def inches(figure: Figure, place: Sequence[float]) -> tuple[float, float, float, float]:
    """A box given in inches as fractions of the figure."""
    width, height = (float(side) for side in figure.get_size_inches())
    left, bottom, wide, high = place
    return left / width, bottom / height, wide / width, high / height


def _meetings(marks: Sequence[Meridian], edge: float, coordinate: int) -> list[tuple[float, float]]:
    """Degrees of each line, and where along an edge of constant x (0) or y (1) it ends."""
    found = []
    for degrees, parts in marks:
        for end in (end for part in parts for end in (part[0], part[-1])):
            if np.isclose(end[coordinate], edge):
                found.append((degrees, float(end[1 - coordinate])))
    return found


def _beside(axis: Axes, words: str, at: tuple[float, float], away: tuple[int, int], **how: Any) -> None:
    axis.annotate(
        words, at, xytext=away, textcoords="offset points", fontsize=6.5, color=QUIET, annotation_clip=False, **how
    )
