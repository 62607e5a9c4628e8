"""Names for the array types that cross module borders."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatField = NDArray[np.float32]
"""Shape (y, x) or (t, y, x); NaN where there is no value."""

BoolField = NDArray[np.bool_]
"""Shape (y, x) or (t, y, x); True where observed."""

FlagField = NDArray[np.uint8]
"""Shape (y, x); small whole numbers with a meaning each."""

Quantity = Literal["reflectivity", "rain_rate"]
"""reflectivity in dBZ, rain_rate in mm h-1."""


class Sampling(NamedTuple):
    """How finely rain is seen: minutes between frames and the side of a pixel [km]."""

    minutes: float = 5.0
    spacing_km: float = 1.0


USUAL = Sampling()
"""What most national composites have."""
