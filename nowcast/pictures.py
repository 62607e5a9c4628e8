"""The demo's picture and animation of the nowcast that most leads have come true of."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from nowcast.drawing.animation import animation as animate
from nowcast.drawing.frames import frames_figure
from nowcast.drawing.saving import save
from nowcast.drawing.subject import Subject, forecast_rain, layer, subject
from nowcast.store.forecasts import issued, open_forecasts
from nowcast.store.repository import Location

COLUMNS = 4
"""Leads in the picture, at most."""

PAST = 60
"""Minutes of observations before the forecast in the animation."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The nowcast in the picture: its slot, all its leads [min], and the wettest pixel's (latitude, longitude).

    `newest` is the initial time of the newest nowcast there is.
    """

    slot: int
    leads: tuple[int, ...]
    centre: tuple[float, float]
    newest: datetime


def picture(location: Location, region: str, path: Path, credit: str) -> Shown:
    """The newest nowcast that most leads have come true of, at a few leads, above what came true."""
    forecasts = open_forecasts(location.child("forecasts"))
    done, leads = sorted(issued(forecasts)), len(forecasts.lead_times)
    slot = max((s for s in done if s + leads <= done[-1]), default=done[len(done) // 2])
    of = subject(location, region, forecasts.timeline.time(slot))
    last = min(leads, max(1, done[-1] - slot))
    places = sorted({max(1, last * k // COLUMNS) for k in range(1, COLUMNS + 1)})
    chosen = (0, *(of.leads[k - 1] for k in places))
    save(frames_figure(of, layer(of, "rain"), chosen, credit), path)
    return Shown(slot, of.leads, _wettest(of), forecasts.timeline.time(done[-1]))


def animation(location: Location, region: str, shown: Shown, path: Path, credit: str) -> None:
    """The hour before the same nowcast as observed, then all its leads."""
    of = subject(location, region, open_forecasts(location.child("forecasts")).timeline.time(shown.slot))
    animate(of, layer(of, "rain"), path, credit, PAST)


def _wettest(of: Subject) -> tuple[float, float]:
    rain = np.nan_to_num(forecast_rain(of, of.leads[0]))
    row, column = np.unravel_index(int(rain.argmax()), rain.shape)
    lon, lat = of.grid.lonlat(float(row), float(column))
    return lat, lon
