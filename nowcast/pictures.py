"""The demo's picture and animation of the nowcast that most leads have come true of; a small one of the newest."""

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

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

GLANCES, DPI, COLOURS = 3, 72, 64
"""Maps in a glance, its dots per inch, and colours: some tens of kilobytes."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The nowcast in the picture: its slot, all its leads [min], and the wettest pixel's (latitude, longitude).

    `newest` is the initial time of the newest nowcast there is.
    """

    slot: int
    leads: tuple[int, ...]
    centre: tuple[float, float]
    newest: datetime


@dataclass(frozen=True, eq=False)
class Glance:
    """A small picture of a region's newest nowcast, where it starts, and what it stands on."""

    png: bytes
    init_time: datetime
    model: str
    rung: str
    reason: str


def glance(location: Location, region: str) -> Glance:
    """The newest scan and a few leads of the newest nowcast; StoreNotFound or NoForecast when there is none."""
    of = subject(location, region)
    places = sorted({len(of.leads) * k // (GLANCES - 1) for k in range(1, GLANCES)} - {0})
    figure = frames_figure(of, layer(of, "rain"), (0, *(of.leads[k - 1] for k in places)), with_observed=False)
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return Glance(small.getvalue(), of.init_time, of.source.model, of.source.rung, of.source.reason)


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
