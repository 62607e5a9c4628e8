"""Reflectivity, rain rate, and the limits of both."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nowcast.core.types import FloatField

NO_ECHO = -32.0
"""dBZ that stands for "observed, nothing detected"; such pixels have a rain rate of exactly 0."""

MAX_REFLECTIVITY = 80.0
"""dBZ above which a value is not weather: giant hail reaches about 75 dBZ."""

MAX_RAIN_RATE = 500.0
"""mm h-1 above which a 1 to 15 min mean over a radar pixel is not weather but clutter or a spike."""

WET = 0.1
"""mm h-1 from which it rains."""

DB_FLOOR = 0.1
"""mm h-1 below which the dB transform is flat; pysteps' usual threshold."""


@dataclass(frozen=True)
class ZR:
    """A power law Z = a R^b between reflectivity factor Z [mm6 m-3] and rain rate R [mm h-1]."""

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (0 < self.a < math.inf and 0 < self.b < math.inf):
            raise ValueError(f"Z-R coefficients must be positive and finite, not a={self.a}, b={self.b}")

    def rain_rate(self, reflectivity: FloatField) -> FloatField:
        """mm h-1 from dBZ, same shape; 0 at and below NO_ECHO, NaN stays NaN."""
        rate = (10.0 ** (reflectivity / 10.0) / self.a) ** (1.0 / self.b)
        return np.where(reflectivity <= NO_ECHO, 0.0, rate).astype(np.float32)

    def reflectivity(self, rain_rate: FloatField) -> FloatField:
        """dBZ from mm h-1, same shape; never below NO_ECHO, NaN stays NaN."""
        with np.errstate(divide="ignore"):
            dbz = 10.0 * np.log10(self.a * np.asarray(rain_rate, dtype=np.float64) ** self.b)
        return np.maximum(dbz, NO_ECHO).astype(np.float32)


MARSHALL_PALMER = ZR(200.0, 1.6)
"""Marshall and Palmer 1948; stratiform rain, used by KNMI and OPERA."""

FMI = ZR(223.0, 1.53)
"""Leinonen et al. 2012, J. Appl. Meteor. Climatol. 51; rain in Finland."""

HKO = ZR(58.53, 1.56)
"""Shi et al. 2017 (arXiv:1706.03458), Hong Kong Observatory."""

METEOSWISS = ZR(316.0, 1.5)
"""Joss et al. 1998, Operational use of radar for precipitation measurements in Switzerland."""


def to_db(rain_rate: FloatField, floor: float = DB_FLOOR) -> FloatField:
    """10 log10 of the rain rate [mm h-1], flat below `floor`; NaN stays NaN."""
    decibels: NDArray[np.float64] = 10.0 * np.log10(np.maximum(rain_rate, floor))
    return decibels.astype(np.float32)


def from_db(decibels: FloatField, floor: float = DB_FLOOR) -> FloatField:
    """Inverse of `to_db`: mm h-1, exactly 0 where the value is at the floor."""
    rate = 10.0 ** (np.asarray(decibels, dtype=np.float64) / 10.0)
    return np.where(rate <= floor * (1 + 1e-6), 0.0, rate).astype(np.float32)
