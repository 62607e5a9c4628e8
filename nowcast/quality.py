"""Is a scan plausible, and is a forecast? Doubtful pixels of a scan become "not observed", with the reason; values are
never edited. A doubtful forecast is not issued."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from nowcast.core.rain import MAX_RAIN_RATE, MAX_REFLECTIVITY, NO_ECHO, WET
from nowcast.core.scan import Scan
from nowcast.core.threads import each, is_beyond
from nowcast.core.timeline import isoformat
from nowcast.core.types import BoolField, FloatField

CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far a scan's nominal time may run ahead of our clock."""

MAX_IMPLAUSIBLE = 0.02
"""Share of the covered pixels above physical limits beyond which the whole scan is not believed."""

SPIKE, BESIDE_SPIKE = 20.0, 0.05
"""A pixel of so many mm/h with less than this part of it in each of the eight around it is no rain."""

ROUNDING = 1.01
"""A method that works in decibels may give a limit back a little higher."""

KEPT = 0.5
"""Share of the observed pixels that a forecast still covers a step later at least. In a step air comes in from outside
over a strip along the edges: of six events of six formats 5 % at most."""

MOST_WET, WET_FROM_NOTHING = 3.0, 0.05
"""Area of rain that is possible at any lead: so many times the observed one and this share of the view. Real events
and our methods stay below 2; within the few hours of a nowcast new rain beyond that is not forecast, but made up."""

MOST_RAIN, RAIN_FROM_NOTHING = 4.0, 0.05
"""Total rain that is possible at any lead, likewise; the second is a mean over the view [mm h-1]."""

WIDELY, VANISHED = 0.01, 0.1
"""Where it rains on this share of the view, more than this part of the area and of the total is left a step later."""


class ImplausibleScan(ValueError):
    """A scan that must not enter the archive; the message is the reason."""


class ImplausibleForecast(ValueError):
    """A forecast that must not be issued; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Checked:
    """A scan that may enter the archive, and what was noticed about it."""

    scan: Scan
    reasons: tuple[str, ...]


def check(scan: Scan, now: datetime) -> Checked:
    """The scan with implausible pixels masked; raises ImplausibleScan when it must be refused as a whole."""
    if scan.nominal_time > now + CLOCK_TOLERANCE:
        raise ImplausibleScan(f"nominal time {isoformat(scan.nominal_time)} is in the future of {isoformat(now)}")
    if not scan.coverage.any():
        return Checked(scan, ("no pixel is covered",))
    implausible = _implausible(scan)
    count = int(implausible.sum())
    if count > MAX_IMPLAUSIBLE * scan.coverage.sum():
        raise ImplausibleScan(f"{count} pixels beyond physical limits, {scan.coverage.sum()} covered")
    reasons: tuple[str, ...] = (f"{count} pixels beyond physical limits masked",) if count else ()
    if spikes := _count(lonely := _spikes(scan.rain_rate) & ~implausible):
        implausible |= lonely
        reasons += (f"{spikes} lonely pixels masked",)
    return Checked(scan.masked(implausible), reasons) if reasons else Checked(scan, ())


def _spikes(rain_rate: FloatField) -> BoolField:
    """Strong pixels with next to nothing around them; only the few strong ones are looked at."""
    rows, columns = np.nonzero(rain_rate >= SPIKE)
    padded = np.pad(rain_rate, 1, constant_values=np.nan)
    around = np.array([padded[rows + i, columns + j] for i in range(3) for j in range(3) if (i, j) != (1, 1)])
    lonely = ~(around >= BESIDE_SPIKE * rain_rate[rows, columns]).any(axis=0) & np.isfinite(around).any(axis=0)
    spikes = np.zeros(rain_rate.shape, bool)
    spikes[rows[lonely], columns[lonely]] = True
    return spikes


def _implausible(scan: Scan) -> BoolField:
    low, high = (NO_ECHO - 1.0, MAX_REFLECTIVITY) if scan.quantity == "reflectivity" else (0.0, MAX_RAIN_RATE)
    with np.errstate(invalid="ignore"):
        return (scan.values < low) | (scan.values > high)


def check_forecast(rain_rate: FloatField, observed: FloatField) -> None:
    """Raise ImplausibleForecast when rain rates [mm h-1] (lead, y, x) cannot follow the newest scan (y, x).

    Both are NaN where there is none. Numbers of pixels count, not shares of the forecast, so that what moves out of
    view makes nothing implausible.
    """
    first = rain_rate[0]
    doubt = _impossible(rain_rate) or _lost(first, observed) or _levelled(first, observed)
    if doubt := doubt or _beside(rain_rate, observed):
        raise ImplausibleForecast(doubt)


def _impossible(rain_rate: FloatField) -> str:
    """What no rain rate can be; empty when all can."""
    if not is_beyond(rain_rate, 0.0, ROUNDING * MAX_RAIN_RATE):
        return ""
    faults = {
        "infinite values": np.isinf(rain_rate),
        "negative rain rates": rain_rate < 0,
        f"rain rates above {MAX_RAIN_RATE:g} mm/h": rain_rate > ROUNDING * MAX_RAIN_RATE,
    }
    for what, where in faults.items():
        if fields := int(where.any(axis=(1, 2)).sum()):
            return f"{fields} of {len(rain_rate)} fields hold {what}"
    return ""


def _lost(first: FloatField, observed: FloatField) -> str:
    """Whether most of what was observed has no forecast a step later."""
    known = np.isfinite(observed)
    kept = _count(np.isfinite(first) & known) / max(1, _count(known))
    return f"no forecast at lead 1 on {1 - kept:.0%} of what was observed" if known.any() and kept < KEPT else ""


def _levelled(first: FloatField, observed: FloatField) -> str:
    """Whether it rains alike everywhere a step later, where it did not."""
    made, seen = (field[np.isfinite(field)] for field in (first, observed))
    if not len(made) or not len(seen) or np.ptp(made) or not np.ptp(seen) or not made[0]:
        return ""
    return f"{made[0]:.3g} mm/h everywhere at lead 1"


def _beside(rain_rate: FloatField, observed: FloatField) -> str:
    """How area and total of rain differ too much from the newest scan's."""
    pixels = max(1, _count(np.isfinite(observed)))
    fields = (observed, *rain_rate)
    seen, *areas = each(lambda field: _count(field >= WET) / pixels, fields, rain_rate.size)
    fallen, *totals = each(lambda field: float(np.nansum(field, dtype=np.float64)) / pixels, fields, rain_rate.size)
    for lead, (area, total) in enumerate(zip(areas, totals, strict=True), 1):
        if area > MOST_WET * seen + WET_FROM_NOTHING:
            return f"rain on {area:.0%} of the view at lead {lead}, {seen:.1%} was observed"
        if total > MOST_RAIN * fallen + RAIN_FROM_NOTHING:
            return f"mean rain of {total:.3g} mm/h at lead {lead}, {fallen:.3g} was observed"
    if seen >= WIDELY and (areas[0] < VANISHED * seen or totals[0] < VANISHED * fallen):
        return f"rain on {areas[0]:.1%} of the view at lead 1, {seen:.0%} was observed"
    return ""


def _count(where: BoolField) -> int:
    return int(np.count_nonzero(where))
