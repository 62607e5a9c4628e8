"""A place over time: what the last hour was like, what is expected, how sure that is, and the chances."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from nowcast.drawing.curves import plainly
from nowcast.drawing.frames import day, headings, page
from nowcast.drawing.maps import HATCH, UNSEEN, inches
from nowcast.drawing.subject import observed_rain, subject
from nowcast.drawing.times import marks, signed
from nowcast.points import tell
from nowcast.provenance import Provenance
from nowcast.store.query import Reader
from nowcast.store.repository import Location
from nowcast.tiles.palettes import Palette

MINUTE = timedelta(minutes=1)
WIDE, HIGH, LOW = 6.2, 2.5, 1.45
LEFT, RIGHT, TOP, BOTTOM, BETWEEN = 0.7, 1.55, 0.98, 0.75, 0.2
"""Inches of the axes, and around them."""

SEEN, EXPECTED = "#5c6b7a", "#b3261e"
OBSERVED, TRUE, FORECAST, BLIND = ORDER = ("observed", "what came true", "forecast", "not seen by radar")
"""Words of the legend; the band and thresholds stand before the last."""

FEWEST_MM_H = 1.0
"""mm h-1 that the axis of rain rates reaches at least."""


@dataclass(frozen=True, eq=False)
class Place:
    """All leads of a pixel, the sentence that sums them up as of the start, and the observations there, (minutes
    from the start, rain rate [mm h-1], NaN where nothing was observed), from before it until the last lead."""

    lat: float
    lon: float
    nowcast: xr.Dataset
    source: Provenance
    outlook: str
    observations: Sequence[tuple[int, float]]

    @property
    def init_time(self) -> datetime:
        """When the nowcast starts."""
        return self.source.init_time


def place(location: Location, region: str, lat: float, lon: float, init_time: datetime | None, past: int) -> Place:
    """The pixel that holds a WGS 84 point, with so many minutes before the start.

    Raises StoreNotFound without a forecast store, NoForecast when none was issued then, ValueError outside the grid.
    """
    of, kept = subject(location, region, init_time), location.child("archive")
    row, col = of.grid.locate(lat, lon)
    archive = Reader(kept) if of.archive is not None else None
    nowcast, said = tell(Reader(location.child("forecasts")), archive, lat, lon, of.init_time, of.init_time)
    times = range(-(past // of.cadence) * of.cadence, of.leads[-1] + 1, of.cadence)
    fields = ((minutes, observed_rain(of, minutes)) for minutes in times)
    seen = [(minutes, math.nan if field is None else float(field[row, col])) for minutes, field in fields]
    return Place(lat, lon, nowcast.load(), of.source, said.text, seen)


def meteogram_figure(of: Place, colours: Palette, credit: str = "", past: int = 60) -> Figure:
    """Rain rates above, chances below, over time. What came true after the start is drawn hollow."""
    where = f"{abs(of.lat):.2f}°{'N' if of.lat >= 0 else 'S'} {abs(of.lon):.2f}°{'E' if of.lon >= 0 else 'W'}"
    start = of.init_time
    _, by = headings(of.source, f"{of.source.region}, nowcast")
    words = f"{where}, {day(start)}, {start:%H:%M} UTC", f"{of.outlook}\n{by}"
    figure = page((LEFT + WIDE + RIGHT, TOP + HIGH + BETWEEN + LOW + BOTTOM), words, credit)
    upper = figure.add_axes(inches(figure, (LEFT, BOTTOM + LOW + BETWEEN, WIDE, HIGH)))
    lower = figure.add_axes(inches(figure, (LEFT, BOTTOM, WIDE, LOW)), sharex=upper)
    _rain(upper, of)
    _chances(lower, of, colours)
    for axis in (upper, lower):
        axis.axvline(0, color="black", linewidth=1, zorder=1)
        _legend(axis)
        plainly(axis)
    _times(upper, lower, of, past)
    return figure


def _legend(axis: Axes) -> None:
    """At the right: what was, what is expected, thresholds, and last what is not known."""
    named = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    order = sorted(named, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER) - 1.5)
    where: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.015, 1.0), "borderaxespad": 0.0}
    axis.legend([named[name] for name in order], order, frameon=False, fontsize=8, **where)


def _rain(axis: Axes, of: Place) -> None:
    leads, step = _leads(of)
    minutes = np.array([minutes for minutes, _ in of.observations], np.float64)
    rates, expected = np.array([rate for _, rate in of.observations]), of.nowcast.rain_rate.values
    seen = np.isfinite(rates)
    _bars(axis, minutes, rates, seen & (minutes <= 0), 0.8 * step, OBSERVED, color=SEEN)
    _bars(axis, minutes, rates, seen & (minutes > 0), 0.8 * step, TRUE, facecolor="none", edgecolor=SEEN)
    if np.isfinite(expected).any():
        axis.plot(leads, expected, color=EXPECTED, linewidth=1.8, marker="o", markersize=3, label=FORECAST, zorder=3)
    _hatched(axis, np.append(minutes[~seen & (minutes <= 0)], leads[~np.isfinite(expected)]), step)
    highest = np.nanmax([FEWEST_MM_H, *rates, *expected, *_band(axis, of, leads)])
    axis.set_ylim(0, 1.08 * highest)
    axis.set_ylabel("rain rate [mm/h]", fontsize=9)


def _bars(
    axis: Axes,
    minutes: NDArray[np.float64],
    rates: NDArray[np.float64],
    shown: NDArray[np.bool_],
    width: float,
    label: str,
    **style: Any,
) -> None:
    if shown.any():
        axis.bar(minutes[shown], rates[shown], width, label=label, zorder=2, **style)


def _hatched(axis: Axes, minutes: NDArray[np.float64], step: float) -> None:
    """Times that nothing is known of."""
    style: dict[str, Any] = {"facecolor": UNSEEN, "edgecolor": HATCH, "hatch": "/////", "linewidth": 0, "zorder": 0.5}
    for k, at in enumerate(minutes):
        axis.axvspan(at - step / 2, at + step / 2, label="" if k else BLIND, **style)


def _leads(of: Place) -> tuple[NDArray[np.float64], float]:
    """All leads, and the time between two [min]."""
    leads = of.nowcast.lead_time.values.astype(np.float64)
    return leads, float(leads[0])


def _band(axis: Axes, of: Place, leads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between the lowest and the highest quantile; gives the upper edge."""
    if "quantile" not in of.nowcast or not of.nowcast.rain_rate_quantile.notnull().any():
        return np.empty(0)
    shares = of.nowcast["quantile"].values
    low, high = (of.nowcast.rain_rate_quantile.sel(quantile=share).values for share in (shares[0], shares[-1]))
    words = f"{shares[0] * 100:g} to {shares[-1] * 100:g} %"
    axis.fill_between(leads, low, high, color=EXPECTED, alpha=0.18, linewidth=0, label=words, zorder=1)
    return np.asarray(high, np.float64)


def _chances(axis: Axes, of: Place, colours: Palette) -> None:
    """Nested areas, the lowest threshold outermost, each in the colour that its rain rate has on maps."""
    leads, step = _leads(of)
    _hatched(axis, leads[~np.isfinite(of.nowcast.rain_rate.values)], step)
    levels = of.nowcast.threshold.values if "threshold" in of.nowcast else ()
    for level in sorted(float(value) for value in levels):
        chance = of.nowcast.probability.sel(threshold=level).values
        if not np.isfinite(chance).any():
            continue
        shade = colours.colours[max(0, int(np.searchsorted(colours.bounds, level + 1e-6)) - 1)]
        axis.fill_between(leads, 0, chance, color=shade, linewidth=0, label=f"≥ {level:g} mm/h")
        axis.plot(leads, chance, color="black", linewidth=0.4)
    axis.set_ylim(0, 1)
    axis.set_ylabel("chance", fontsize=9)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))


def _times(upper: Axes, lower: Axes, of: Place, past: int) -> None:
    last = int(of.nowcast.lead_time[-1])
    at = marks(-past, last)
    times = [f"{of.init_time + minutes * MINUTE:%H:%M}" for minutes in at]
    lower.set_xticks(at, [f"{time}\n{signed(minutes)}" for time, minutes in zip(times, at, strict=True)])
    upper.tick_params(labelbottom=False)
    _, step = _leads(of)
    upper.set_xlim(-past - 0.6 * step, last + 0.6 * step)
    lower.set_xlabel("UTC, and minutes from the newest scan", fontsize=8)
