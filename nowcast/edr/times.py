"""Which leads a question about valid times means."""

from datetime import datetime, timedelta

import numpy as np
import xarray as xr

from nowcast.core.timeline import isoformat, parse_time

OPEN = ("", "..")


class NoSuchTime(ValueError):
    """The nowcast has no lead at the times asked for; the message names those it has."""


def valid_times(nowcast: xr.Dataset) -> list[datetime]:
    """Of every lead."""
    seconds = nowcast.valid_time.values.astype("datetime64[s]").astype(int)
    start = parse_time("1970-01-01")
    return [start + timedelta(seconds=int(second)) for second in seconds]


def leads_at(nowcast: xr.Dataset, text: str | None) -> xr.Dataset:
    """The leads of an instant or of an interval start/end, ends included, where .. leaves one open; all without text.

    Raises NoSuchTime when there is none, ValueError for text that is neither.
    """
    if text is None:
        return nowcast
    start, end = _interval(text)
    times = valid_times(nowcast)
    held = np.array([(start is None or start <= time) and (end is None or time <= end) for time in times])
    if not held.any():
        raise NoSuchTime(f"nothing is forecast for {text}, but for {isoformat(times[0])}/{isoformat(times[-1])}")
    return nowcast.isel(lead_time=np.flatnonzero(held))


def _interval(text: str) -> tuple[datetime | None, datetime | None]:
    first, slash, last = text.partition("/")
    if not slash:
        return parse_time(first), parse_time(first)
    start, end = (None if part in OPEN else parse_time(part) for part in (first, last))
    if start is not None and end is not None and end < start:
        raise ValueError(f"interval {text!r} ends before it starts")
    return start, end
