"""Colours of rain rates and chances, shared by the map, its legend and drawn pictures."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["rain", "chance"]


@dataclass(frozen=True)
class Palette:
    """Colours of classes: class k holds values from `bounds[k]` up to but not at `bounds[k + 1]`; the last is open.

    Values below the first bound have no colour. `colours` are #rrggbb, one per bound.
    """

    title: str
    units: str
    bounds: tuple[float, ...]
    colours: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.bounds) != len(self.colours) or list(self.bounds) != sorted(set(self.bounds)):
            raise ValueError(f"{len(self.colours)} colours for the bounds {self.bounds}, which must ascend")


RAIN_BOUNDS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0)
CHANCE_BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

CLASSIC = (
    *("#b3e0ff", "#80c7ff", "#4dabf7", "#1c7ed6", "#1558b0"),
    *("#37b24d", "#2b8a3e", "#94d82d", "#ffe066", "#fcc419"),
    *("#ff922b", "#f76707", "#f03e3e", "#c2255c", "#862e9c"),
)
VIRIDIS = (
    *("#fde725", "#d0e11c", "#a0da39", "#73d056", "#4ac16d"),
    *("#2db27d", "#1fa187", "#21908d", "#277f8e", "#2e6e8e"),
    *("#365c8d", "#3f4788", "#46327e", "#481b6d", "#440154"),
)
"""These and those below: evenly through the colour maps of their names, steps of lightness to a colour-blind reader."""
PLASMA = (
    *("#f0f921", "#fdca26", "#fb9f3a", "#ed7953", "#d8576b"),
    *("#bd3786", "#9c179e", "#7201a8", "#46039f", "#0d0887"),
)
PURPLES = (
    *("#e2e2ef", "#d1d2e7", "#bcbddc", "#a6a3cd", "#908dc2"),
    *("#7d77b7", "#6d57a6", "#5d3897", "#4d1b89", "#3f007d"),
)
INFERNO = (
    *("#4a0c6b", "#6c186e", "#8f2469", "#b1325a", "#cf4446"),
    *("#e8602d", "#f78410", "#fcaa0f", "#f6d543", "#f5f992"),
)
"""Brightest where it is surest, for dark maps."""

PALETTES: dict[Kind, dict[str, Palette]] = {
    "rain": {
        "classic": Palette("Rain rate", "mm/h", RAIN_BOUNDS, CLASSIC),
        "viridis": Palette("Rain rate", "mm/h", RAIN_BOUNDS, VIRIDIS),
    },
    "chance": {
        "plasma": Palette("Chance", "1", CHANCE_BOUNDS, PLASMA),
        "purples": Palette("Chance", "1", CHANCE_BOUNDS, PURPLES),
        "inferno": Palette("Chance", "1", CHANCE_BOUNDS, INFERNO),
    },
}
"""By kind of field and name; the first of a kind is its default. All but classic can be read without telling red from
green."""


def palette(kind: Kind, name: str | None = None) -> Palette:
    """A palette by name, the default of its kind when absent; ValueError naming those there are."""
    of_kind = PALETTES[kind]
    if name is None:
        return next(iter(of_kind.values()))
    if name not in of_kind:
        raise ValueError(f"no palette {name!r} for {kind}, there are {', '.join(of_kind)}")
    return of_kind[name]
