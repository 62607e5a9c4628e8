"""Storms made up from a seed, with exactly known motion: for tests, and for a demo without any radar files.

A correlated Gaussian field, periodic and shifted exactly in Fourier space, carries cells that grow, decay and split.
The whole drifts at a constant velocity and is seen by one radar, whose range leaves the corners uncovered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.core.types import BoolField, FloatField

SPECTRAL_SLOPE = 1.6
"""Amplitude falls as wavenumber to this power, as in observed rain fields."""

RAIN_SHARE_SIGMA = 0.9
"""The field rains where it is this many standard deviations above its mean."""

LIFETIME = 24
"""Scans from the birth of a cell to its end."""


@dataclass(frozen=True)
class Storm:
    """`motion` is (rows, columns) per scan, towards the south and east; `size` the side of the square grid [pixels]."""

    start: datetime
    seed: int = 7
    size: int = 256
    motion: tuple[float, float] = (1.5, 3.0)
    cadence: timedelta = timedelta(minutes=5)
    cells: int = 14

    @cached_property
    def grid(self) -> Grid:
        """1 km pixels around 60 N 25 E."""
        crs = "+proj=laea +lat_0=60 +lon_0=25 +R=6371000 +units=m +no_defs"
        half = self.size * 500.0
        return Grid(crs, -half, half, 1000.0, 1000.0, self.size, self.size)

    @cached_property
    def coverage(self) -> BoolField:
        """Within the radar's range."""
        offset = np.arange(self.size) - (self.size - 1) / 2
        disc: BoolField = np.hypot(offset[:, None], offset[None, :]) <= 0.55 * self.size
        return disc

    def scans(self, count: int) -> Iterator[Scan]:
        """The first `count` scans."""
        for step in range(count):
            values = np.where(self.coverage, self.rain_rate(step), np.float32(np.nan))
            time = self.start + step * self.cadence
            yield Scan("synthetic", f"storm-{self.seed}", time, "rain_rate", values, self.coverage, self.grid)

    def rain_rate(self, step: int) -> FloatField:
        """mm h-1 at scan `step`, (y, x), everywhere."""
        decibels = 8.0 * (self._background(step) - RAIN_SHARE_SIGMA) + 14.0 * self._cells(step)
        rate = 10.0 ** ((decibels - 8.0) / 10.0)
        return np.where(decibels > 0.0, np.minimum(rate, 120.0), 0.0).astype(np.float32)

    @cached_property
    def _spectrum(self) -> NDArray[np.complex128]:
        noise = np.random.default_rng(self.seed).standard_normal((self.size, self.size))
        rows, cols = self._wavenumbers
        radius = np.hypot(rows, cols)
        radius[0, 0] = np.inf
        spectrum = np.fft.rfft2(noise) * radius**-SPECTRAL_SLOPE
        return np.asarray(spectrum / np.fft.irfft2(spectrum).std())

    @cached_property
    def _wavenumbers(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cycles per pixel along rows and columns, broadcastable."""
        rows, cols = np.fft.fftfreq(self.size), np.fft.rfftfreq(self.size)
        return rows[:, None].astype(np.float64), cols[None, :].astype(np.float64)

    def _background(self, step: int) -> NDArray[np.float64]:
        rows, cols = self._wavenumbers
        phase = -2j * np.pi * (rows * self.motion[0] + cols * self.motion[1]) * step
        return np.fft.irfft2(self._spectrum * np.exp(phase), s=(self.size, self.size))

    def _cells(self, step: int) -> NDArray[np.float64]:
        """Strength of the convective cells, 0 where there is none; every other cell splits in two as it ages."""
        random = np.random.default_rng(self.seed + 1)
        field = np.zeros((self.size, self.size))
        for number in range(self.cells):
            row, col, angle = random.uniform(size=3) * (self.size, self.size, np.pi)
            radius, birth = random.uniform(4.0, 9.0), random.integers(-LIFETIME, LIFETIME)
            age = (step - birth) % (2 * LIFETIME)
            if age >= LIFETIME:
                continue
            strength = np.sin(np.pi * age / LIFETIME) ** 2
            apart = 0.6 * age if number % 2 else 0.0
            for side in (-0.5, 0.5) if number % 2 else (0.0,):
                centre = row + side * apart * np.sin(angle), col + side * apart * np.cos(angle)
                field = np.maximum(field, strength * self._blob(centre, radius, step))
        return field

    def _blob(self, centre: tuple[float, float], radius: float, step: int) -> NDArray[np.float64]:
        """A round cell that moves with the storm, on the periodic domain."""
        along = []
        for axis in (0, 1):
            distance = np.arange(self.size) - centre[axis] - self.motion[axis] * step
            wrapped = (distance + self.size / 2) % self.size - self.size / 2
            along.append(np.exp(-0.5 * (wrapped / radius) ** 2))
        return np.outer(along[0], along[1])
