"""How much a forecast holds of each scale: power spectra of its leads beside those of what was observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from nowcast.core.types import FloatField
from nowcast.drawing.curves import plainly
from nowcast.drawing.frames import headings, page
from nowcast.drawing.maps import inches
from nowcast.drawing.subject import Subject, forecast_rain, observed_rain, require_leads
from nowcast.verify.part import Counts, ratio
from nowcast.verify.spatial import spectrum

RATIOS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
WAVELENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""km, marks of the axis."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """Power [dB^2] by wavelength [km], descending: of the newest scan, and by lead [min] of forecasts and of what came
    true, as far as the archive has it. All are over the same pixels."""

    wavelengths: Counts
    newest: Counts
    forecasts: Mapping[int, Counts]
    observed: Mapping[int, Counts]


def spectra(of: Subject, leads: Sequence[int]) -> Spectra:
    """Spectra of a nowcast at leads [min], over the pixels that all fields have.

    ValueError for a lead that there is not, without the newest scan, or where no pixel is left.
    """
    chosen = require_leads(of, tuple(lead for lead in leads if lead))
    fields = {lead: forecast_rain(of, lead) for lead in chosen}
    truth = {lead: field for lead in chosen if (field := observed_rain(of, lead)) is not None}
    newest = observed_rain(of, 0)
    if newest is None:
        raise ValueError(f"the archive of {of.source.region} does not hold the scan that the nowcast starts from")
    mask = np.logical_and.reduce([np.isfinite(one) for one in (newest, *fields.values(), *truth.values())])
    if not mask.any():
        raise ValueError("no pixel was observed and forecast at all these leads")

    def power(field: FloatField) -> Counts:
        return spectrum(field, mask)[1:]

    first = power(newest)
    longest = max(of.grid.shape) * of.grid.spacing_km
    lines = ({lead: power(field) for lead, field in some.items()} for some in (fields, truth))
    return Spectra(longest / np.arange(1, len(first) + 1), first, *lines)


def spectra_figure(of: Subject, found: Spectra, credit: str = "") -> Figure:
    """Power against wavelength, both logarithmic; below it forecast over observed at the same time, where that is
    known."""
    has_ratio = bool(found.observed)
    high, low = 3.4, 1.35 if has_ratio else 0.0
    gap = 0.18 if has_ratio else 0.0
    figure = page((6.6, 0.8 + high + gap + low + 0.75), headings(of.source, "power spectra of the nowcast"), credit)
    upper = figure.add_axes(inches(figure, (0.75, 0.75 + low + gap, 4.4, high)))
    shades = dict(zip(found.forecasts, colormaps["viridis"](np.linspace(0.1, 0.85, len(found.forecasts))), strict=True))
    upper.plot(found.wavelengths, found.newest, color="black", linewidth=1.6, label="newest scan")
    for lead, power in found.forecasts.items():
        upper.plot(found.wavelengths, power, color=shades[lead], linewidth=1.4, label=f"forecast +{lead} min")
    upper.set(yscale="log")
    upper.set_ylabel("power [dB²]", fontsize=9)
    upper.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=8, borderaxespad=0.0)
    axes = [upper]
    if has_ratio:
        axes.append(figure.add_axes(inches(figure, (0.75, 0.75, 4.4, low)), sharex=upper))
        _ratios(axes[1], found, shades)
    for axis in axes:
        plainly(axis)
    _wavelengths(axes[-1], found.wavelengths)
    if has_ratio:
        upper.tick_params(labelbottom=False)
    return figure


def _ratios(axis: Axes, found: Spectra, shades: Mapping[int, object]) -> None:
    """Forecast over observed by lead."""
    axis.axhline(1.0, color="0.6", linewidth=1, zorder=0)
    low = 1.0
    for lead, power in found.observed.items():
        line = ratio(found.forecasts[lead], power)
        axis.plot(found.wavelengths, line, color=shades[lead], linewidth=1.2)
        low = min(low, float(np.nanmin(line)))
    axis.set(yscale="log", ylim=(max(low, RATIOS[0]) / 1.2, None))
    axis.set_ylabel("forecast\nover observed", fontsize=9)
    bottom, top = axis.get_ylim()
    marks = [mark for mark in RATIOS if bottom <= mark <= top]
    axis.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axis.yaxis.set_minor_locator(NullLocator())


def _wavelengths(axis: Axes, wavelengths: Counts) -> None:
    """Long waves at the left."""
    axis.set(xscale="log", xlim=(wavelengths[0], wavelengths[-1] * 0.98))
    axis.set_xlabel("wavelength [km]", fontsize=9)
    marks = [mark for mark in WAVELENGTHS if wavelengths[-1] * 0.98 <= mark <= wavelengths[0]]
    axis.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axis.xaxis.set_minor_locator(NullLocator())
