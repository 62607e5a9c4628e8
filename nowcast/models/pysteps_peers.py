"""The methods of pysteps as opponents (Pulkkinen et al. 2019, Geosci. Model Dev. 12). pysteps is optional."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nowcast.core.rain import DB_FLOOR, from_db, to_db
from nowcast.core.types import USUAL, BoolField, FloatField, Sampling

DRY_DB = -15.0
"""What pysteps' own examples put where it does not rain."""

RAIN_DB = -10.0
"""10 log10 of 0.1 mm/h, below which it does not rain."""

SCANS = 3
"""An autoregressive model of order 2 and Lucas-Kanade both want three."""

LEADS = 12

Frames = tuple[FloatField, ...]
Extrapolator = Callable[[NDArray[np.float64], NDArray[np.float64], Frames], NDArray[np.float64]]


class PystepsPeer:
    """Lucas-Kanade motion with one of pysteps' extrapolations; twelve leads, then it ends."""

    context = SCANS

    def __init__(self, name: str) -> None:
        if name not in EXTRAPOLATORS:
            raise ValueError(f"no pysteps method {name!r}, there are {', '.join(EXTRAPOLATORS)}")
        if find_spec("pysteps") is None:
            raise ValueError(f"method {name} needs pysteps: pip install -r requirements-peer.txt")
        self.model_id = f"pysteps-{name}"
        self._extrapolate = EXTRAPOLATORS[name]

    def observe(
        self, state: Frames | None, rain_rate: FloatField, coverage: BoolField, sampling: Sampling = USUAL
    ) -> Frames:
        """The last three frames (y, x) that covered anything."""
        if state is not None and not coverage.any():
            return state
        return (*(state or ()), np.where(coverage, rain_rate, np.float32(np.nan)))[-SCANS:]

    def forecast(self, state: Frames) -> Iterator[FloatField]:
        """Rain rates [mm h-1] (y, x) at lead 1 .. 12; NaN where the air comes from outside the coverage."""
        if not np.any(state[-1] >= DB_FLOOR):
            yield from (state[-1] for _ in range(LEADS))
            return
        decibels = np.stack([_decibels(frame) for frame in state])
        velocity = _call("pysteps.motion.lucaskanade", "dense_lucaskanade", decibels)
        advected = _advected(state[-1], velocity)
        fields = self._extrapolate(decibels, velocity, state)
        for field, known in zip(fields, np.isfinite(advected), strict=True):
            yield np.where(known, np.nan_to_num(field), np.nan).astype(np.float32)


def _decibels(rain_rate: FloatField) -> NDArray[np.float64]:
    decibels = to_db(np.nan_to_num(rain_rate)).astype(np.float64)
    decibels[np.nan_to_num(rain_rate) < DB_FLOOR] = DRY_DB
    return decibels


def _advected(rain_rate: FloatField, velocity: NDArray[np.float64]) -> NDArray[np.float64]:
    options = {"allow_nonfinite_values": True}
    return _call("pysteps.nowcasts.extrapolation", "forecast", rain_rate, velocity, LEADS, extrap_kwargs=options)


def _lk(_: NDArray[np.float64], velocity: NDArray[np.float64], state: Frames) -> NDArray[np.float64]:
    return _advected(state[-1], velocity)


def _sprog(decibels: NDArray[np.float64], velocity: NDArray[np.float64], state: Frames) -> NDArray[np.float64]:
    """S-PROG (Seed 2003); Lucas-Kanade alone until there are three scans."""
    if len(state) < SCANS:
        return _lk(decibels, velocity, state)
    found = _call("pysteps.nowcasts.sprog", "forecast", decibels, velocity, LEADS, precip_thr=RAIN_DB)
    rain_rate = from_db(np.nan_to_num(found, nan=DRY_DB))
    return np.where(found < RAIN_DB, 0.0, rain_rate)


def _call(module: str, function: str, *arguments: Any, **options: Any) -> NDArray[np.float64]:
    """A function of pysteps, which tells its progress on standard output, in silence."""
    with redirect_stdout(StringIO()):
        result: NDArray[np.float64] = getattr(import_module(module), function)(*arguments, **options)
    return result


EXTRAPOLATORS: dict[str, Extrapolator] = {"lk": _lk, "sprog": _sprog}
