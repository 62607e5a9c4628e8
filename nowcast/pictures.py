"""A picture and an animation of a nowcast beside what was observed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.colors import BoundaryNorm

from nowcast.core.timeline import isoformat
from nowcast.store.archive import open_archive, read_frames
from nowcast.store.forecasts import issued, open_forecasts, read_rain_rate
from nowcast.store.repository import Location

matplotlib.use("Agg")
LEVELS = (0.1, 0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, eq=False)
class Shown:
    """The nowcast in the picture: its slot, leads [min] shown, and the wettest pixel's (latitude, longitude)."""

    slot: int
    leads: tuple[int, ...]
    centre: tuple[float, float]


def picture(location: Location, path: Path, credit: str) -> Shown:
    """Observed, forecast and error by lead, of the newest nowcast that most leads have come true of."""
    archive, forecasts = open_archive(location.child("archive")), open_forecasts(location.child("forecasts"))
    done, leads = sorted(issued(forecasts)), len(forecasts.lead_times)
    slot = max((s for s in done if s + leads <= done[-1]), default=done[len(done) // 2])
    forecast, observed = read_rain_rate(forecasts, slot), read_frames(archive, slot + 1, slot + leads)
    last = min(leads, max(1, done[-1] - slot))
    columns = sorted({max(0, last * k // 4 - 1) for k in (1, 2, 3, 4)})
    figure, axes = plt.subplots(3, len(columns), figsize=(3.2 * len(columns), 9), squeeze=False, layout="constrained")
    for column, lead in enumerate(columns):
        minutes = int(forecasts.lead_times[lead].total_seconds() // 60)
        fields = observed.rain_rate[lead], forecast[lead], forecast[lead] - observed.rain_rate[lead]
        for row, (name, field) in enumerate(zip(("observed", "nowcast", "nowcast - observed"), fields, strict=True)):
            image = _draw(axes[row, column], field, is_error=row == 2)
            axes[row, column].set_title(f"{name} +{minutes} min", fontsize=9)
            if column == len(columns) - 1:
                figure.colorbar(image, ax=axes[row, column], shrink=0.8, label="mm/h")
    figure.suptitle(f"Nowcast from {isoformat(archive.timeline.time(slot))}   {credit}", fontsize=10)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    wettest = np.unravel_index(int(np.nanargmax(np.nan_to_num(forecast[0]))), forecast[0].shape)
    lon, lat = archive.grid.lonlat(float(wettest[0]), float(wettest[1]))
    return Shown(slot, tuple(int(lead.total_seconds() // 60) for lead in forecasts.lead_times), (lat, lon))


def animation(location: Location, shown: Shown, path: Path, credit: str) -> None:
    """Observed and forecast side by side, lead by lead."""
    archive, forecasts = open_archive(location.child("archive")), open_forecasts(location.child("forecasts"))
    forecast = read_rain_rate(forecasts, shown.slot)
    observed = read_frames(archive, shown.slot + 1, shown.slot + len(shown.leads)).rain_rate
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.5), layout="constrained")

    def draw(lead: int) -> list[Any]:
        for axis, field, name in zip(axes, (observed[lead], forecast[lead]), ("observed", "nowcast"), strict=True):
            axis.clear()
            _draw(axis, field, is_error=False)
            axis.set_title(f"{name} +{shown.leads[lead]} min", fontsize=9)
        figure.suptitle(credit, fontsize=8)
        return []

    FuncAnimation(figure, draw, frames=len(shown.leads)).save(path, writer=PillowWriter(fps=3), dpi=70)
    plt.close(figure)


def _draw(axis: Any, field: Any, is_error: bool) -> Any:
    """A field on grey, which stands for "not covered"; dry is white."""
    axis.set_facecolor("0.8")
    axis.set_xticks([])
    axis.set_yticks([])
    if is_error:
        return axis.imshow(field, cmap="RdBu", vmin=-5, vmax=5, interpolation="nearest")
    colours = matplotlib.colormaps["turbo"].resampled(len(LEVELS)).with_extremes(under="white")
    return axis.imshow(field, cmap=colours, norm=BoundaryNorm(LEVELS, colours.N, extend="max"), interpolation="nearest")
