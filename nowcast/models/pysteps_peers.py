"""The methods of pysteps as opponents (Pulkkinen et al. 2019, Geosci. Model Dev. 12). pysteps is optional."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from itertools import pairwise, product
from pathlib import Path
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

LARGEST = 7_000_000
"""Pixels that pysteps works on at once; S-PROG takes about 750 bytes for each."""

OVERLAP = 128
"""Pixels beyond a part of a large grid that are seen as well: rain moves less in twelve steps of two minutes."""

Frames = tuple[FloatField, ...]
Part = tuple[slice, ...]
"""Rows and columns."""

Method = Callable[[Frames], FloatField]

FAILURES = (ValueError, RuntimeError, ArithmeticError, IndexError, TypeError)
"""What pysteps raises where there is too little rain for it."""


class PystepsPeer:
    """Lucas-Kanade motion with one of pysteps' extrapolations; twelve leads, then it ends."""

    context = SCANS

    def __init__(self, name: str) -> None:
        if name not in EXTRAPOLATORS:
            raise ValueError(f"no pysteps method {name!r}, there are {', '.join(EXTRAPOLATORS)}")
        if find_spec("pysteps") is None:
            raise ValueError(f"method {name} needs pysteps: pip install -r requirements-peer.txt")
        self.name = name
        self.model_id = f"pysteps-{name}"

    def observe(
        self, state: Frames | None, rain_rate: FloatField, coverage: BoolField, sampling: Sampling = USUAL
    ) -> Frames:
        """The last three frames (y, x) that covered anything."""
        if state is not None and not coverage.any():
            return state
        return (*(state or ()), np.where(coverage, rain_rate, np.float32(np.nan)))[-SCANS:]

    def forecast(self, state: Frames) -> Iterator[FloatField]:
        """Rain rates [mm h-1] (y, x) at lead 1 .. 12; NaN where the air comes from outside the coverage."""
        yield from self.attempt(state)[1]

    def attempt(self, state: Frames) -> tuple[str, FloatField]:
        """The method that could, and its rain rates [mm h-1] (lead, y, x).

        Where pysteps fails, as it does on scans without rain, a simpler method stands in: lk, then persistence. A large
        grid is worked on in parts, and the simplest method that any part needed is named.
        """
        whole, simplest = np.empty((LEADS, *state[-1].shape), np.float32), 0
        for seen, kept in parts(state[-1].shape):
            step, fields = self._attempt(tuple(frame[seen] for frame in state))
            within = tuple(slice(k.start - s.start, k.stop - s.start) for s, k in zip(seen, kept, strict=True))
            whole[:, *kept] = fields[:, *within]
            simplest = max(simplest, step)
        return LADDER[simplest], whole

    def _attempt(self, state: Frames) -> tuple[int, FloatField]:
        for step in range(LADDER.index(self.name), len(LADDER) - 1):
            try:
                return step, EXTRAPOLATORS[LADDER[step]](state)
            except FAILURES:
                continue
        return len(LADDER) - 1, np.broadcast_to(state[-1], (LEADS, *state[-1].shape))


def steps_ensemble(
    state: Frames, sampling: Sampling, count: int, seed: int, folder: Path
) -> tuple[str, Iterator[FloatField]]:
    """Who made them, and rain rates [mm h-1] (member, y, x) of an ensemble of STEPS at lead 1 .. 12.

    STEPS is that of Bowler et al. 2006 (Q. J. R. Meteorol. Soc. 132); its fields lie in `folder`, which must exist,
    until they are asked for. Where it fails, as on scans without rain, all members are what stands in for it: lk, then
    persistence.
    """
    try:
        known = _steps(state, sampling, count, seed, folder)
    except FAILURES:
        name, fields = PystepsPeer("lk").attempt(state)
        return name, (np.broadcast_to(field, (count, *field.shape)) for field in fields)
    return "steps", (_rain_rate(np.load(_lead(folder, k)), covered) for k, covered in enumerate(known))


def _steps(state: Frames, sampling: Sampling, count: int, seed: int, folder: Path) -> BoolField:
    """Where each lead is known, (lead, y, x), after writing a file of decibels (member, y, x) for each."""
    velocity = _velocity(state)
    written = itertools.count()

    def keep(fields: NDArray[np.float64]) -> None:
        np.save(_lead(folder, next(written)), fields.astype(np.float32))

    options = {"n_ens_members": count, "seed": seed, "num_workers": 1, "callback": keep, "return_output": False}
    options |= {"n_cascade_levels": CASCADE_LEVELS, "precip_thr": RAIN_DB}
    options |= {"kmperpixel": sampling.spacing_km, "timestep": sampling.minutes}
    decibels = np.stack([_decibels(frame) for frame in state])
    _call("pysteps.nowcasts.steps", "forecast", decibels, velocity, LEADS, **options)
    if (made := next(written)) != LEADS:
        raise ValueError(f"STEPS made {made} leads")
    return np.isfinite(_advected(state[-1], velocity))


def _lead(folder: Path, lead: int) -> Path:
    return folder / f"steps-{lead}.npy"


def parts(shape: tuple[int, ...], largest: int = LARGEST, overlap: int = OVERLAP) -> Iterator[tuple[Part, Part]]:
    """Rows and columns that a method sees, and those of its forecast that are kept: together every pixel once.

    The longer side is halved until a part has at most `largest` pixels; it sees `overlap` pixels beyond what is kept.
    """
    counts = [1, 1]
    while np.prod(sides := [-(-side // n) for side, n in zip(shape, counts, strict=True)]) > largest:
        counts[sides.index(max(sides))] *= 2
    cuts = [np.linspace(0, side, n + 1).astype(int).tolist() for side, n in zip(shape, counts, strict=True)]
    for kept in product(*([slice(*pair) for pair in pairwise(cut)] for cut in cuts)):
        yield (
            tuple(
                slice(max(0, k.start - overlap), min(side, k.stop + overlap))
                for k, side in zip(kept, shape, strict=True)
            ),
            kept,
        )


def _lk(state: Frames) -> FloatField:
    return _advected(state[-1], _velocity(state))


def _sprog(state: Frames) -> FloatField:
    """S-PROG (Seed 2003), which knows no coverage: where air comes from outside it is told by extrapolation."""
    velocity = _velocity(state)
    known = np.isfinite(_advected(state[-1], velocity))
    decibels = np.stack([_decibels(frame) for frame in state])
    found = _call("pysteps.nowcasts.sprog", "forecast", decibels, velocity, LEADS, precip_thr=RAIN_DB)
    if not np.isfinite(found).any():
        raise ValueError("S-PROG gave nothing but NaN")
    return np.stack([_rain_rate(field, covered) for field, covered in zip(found, known, strict=True)])


def _rain_rate(decibels: NDArray[np.float64], known: BoolField) -> FloatField:
    """mm h-1; dry where S-PROG gives nothing, NaN where nothing is known."""
    rain_rate = from_db(np.nan_to_num(decibels, nan=DRY_DB))
    return np.where(known, np.where(decibels >= RAIN_DB, rain_rate, np.float32(0.0)), np.float32(np.nan))


def _velocity(state: Frames) -> NDArray[np.float64]:
    """Pixels per step along (columns, rows); ValueError when the newest scan is dry."""
    if not np.any(state[-1] >= DB_FLOOR):
        raise ValueError("no rain to follow")
    decibels = np.stack([_decibels(frame) for frame in state])
    return _call("pysteps.motion.lucaskanade", "dense_lucaskanade", decibels)


def _decibels(rain_rate: FloatField) -> NDArray[np.float64]:
    decibels = to_db(np.nan_to_num(rain_rate)).astype(np.float64)
    decibels[np.nan_to_num(rain_rate) < DB_FLOOR] = DRY_DB
    return decibels


def _advected(rain_rate: FloatField, velocity: NDArray[np.float64]) -> FloatField:
    options = {"allow_nonfinite_values": True}
    found = _call("pysteps.nowcasts.extrapolation", "forecast", rain_rate, velocity, LEADS, extrap_kwargs=options)
    return found.astype(np.float32, copy=False)


def _call(module: str, function: str, *arguments: Any, **options: Any) -> NDArray[np.float64]:
    """A function of pysteps, which tells its progress on standard output, in silence."""
    with redirect_stdout(StringIO()):
        result: NDArray[np.float64] = getattr(import_module(module), function)(*arguments, **options)
    return result


EXTRAPOLATORS: dict[str, Method] = {"lk": _lk, "sprog": _sprog}

CASCADE_LEVELS = 6
"""Scales of STEPS: pysteps' own choice."""

LADDER = ("sprog", "lk", "persistence")
"""Each is stood in for by the next."""
