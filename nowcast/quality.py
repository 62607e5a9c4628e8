"""Is a scan plausible? Doubtful pixels become "not observed", with the reason; values are never edited."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from nowcast.core.rain import MAX_RAIN_RATE, MAX_REFLECTIVITY, NO_ECHO
from nowcast.core.scan import Scan
from nowcast.core.timeline import isoformat
from nowcast.core.types import BoolField

CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far a scan's nominal time may run ahead of our clock."""

MAX_IMPLAUSIBLE = 0.02
"""Share of the covered pixels above physical limits beyond which the whole scan is not believed."""


class ImplausibleScan(ValueError):
    """A scan that must not enter the archive; the message is the reason."""


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
    if not count:
        return Checked(scan, ())
    return Checked(scan.masked(implausible), (f"{count} pixels beyond physical limits masked",))


def _implausible(scan: Scan) -> BoolField:
    low, high = (NO_ECHO - 1.0, MAX_REFLECTIVITY) if scan.quantity == "reflectivity" else (0.0, MAX_RAIN_RATE)
    with np.errstate(invalid="ignore"):
        return (scan.values < low) | (scan.values > high)
