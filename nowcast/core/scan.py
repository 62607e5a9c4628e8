"""The three nouns that flow through the system: Scan, Frames, Nowcast. Each checks itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.rain import MARSHALL_PALMER, ZR
from nowcast.core.threads import is_beyond
from nowcast.core.timeline import isoformat, require_utc
from nowcast.core.types import USUAL, BoolField, FlagField, FloatField, Quantity, Sampling

FINITE = float(np.finfo(np.float32).max)
"""No rain rate that is finite exceeds it."""

RUNGS = ("champion", "previous", "advection", "persistence")
"""The fallback ladder, the best first."""


def brief(scan_id: bytes) -> str:
    """A scan's id as the log has it: its first 12 of 64 digits, empty for none."""
    return scan_id.hex()[:12]


@dataclass(frozen=True, eq=False)
class Scan:
    """One radar field at one time.

    `values` and `coverage` have the grid's shape. `values` is in dBZ or mm h-1 as `quantity` says and
    is NaN exactly where `coverage` is False: not observed. Observed and dry is NO_ECHO dBZ or 0 mm h-1.
    `interval` is the accumulation period for sources that publish sums; `zr` turns dBZ into mm h-1.
    `identity` is the scan_id of the scan this one was masked or cropped from.
    """

    source: str
    product: str
    nominal_time: datetime
    quantity: Quantity
    values: FloatField
    coverage: BoolField
    grid: Grid
    zr: ZR = MARSHALL_PALMER
    interval: timedelta | None = None
    identity: bytes = b""

    def __post_init__(self) -> None:
        require_utc(self.nominal_time)
        for name, array, dtype in (("values", self.values, np.float32), ("coverage", self.coverage, np.bool_)):
            if array.shape != self.grid.shape or array.dtype != dtype:
                raise ValueError(
                    f"{name} is {array.dtype}{array.shape}, the grid needs {np.dtype(dtype)}{self.grid.shape}"
                )
        if not np.array_equal(np.isfinite(self.values), self.coverage):
            raise ValueError("values must be finite where covered and NaN elsewhere")

    @cached_property
    def scan_id(self) -> bytes:
        """32 bytes: sha256 of source, product, nominal time and payload as decoded."""
        if self.identity:
            return self.identity
        digest = hashlib.sha256(f"{self.source}|{self.product}|{isoformat(self.nominal_time)}".encode())
        digest.update(np.ascontiguousarray(self.values).data)
        digest.update(np.packbits(self.coverage).data)
        return digest.digest()

    @cached_property
    def rain_rate(self) -> FloatField:
        """mm h-1, shape (y, x), NaN where not covered."""
        return self.values if self.quantity == "rain_rate" else self.zr.rain_rate(self.values)

    def masked(self, implausible: BoolField) -> "Scan":
        """The same scan with further pixels marked as not observed."""
        values = np.where(implausible, np.float32(np.nan), self.values)
        return replace(self, values=values, coverage=self.coverage & ~implausible, identity=self.scan_id)

    def crop(self, rows: slice, cols: slice) -> "Scan":
        """The same scan on a part of its grid."""
        values, coverage = self.values[rows, cols], self.coverage[rows, cols]
        grid = self.grid.crop(rows, cols)
        return replace(self, values=values, coverage=coverage, grid=grid, identity=self.scan_id)


@dataclass(frozen=True, eq=False)
class Frames:
    """Consecutive frames on one cadence: `rain_rate` [mm h-1] and `coverage`, both (t, y, x).

    `rain_rate` is NaN where not covered; a missing scan is a frame without coverage.
    `scan_ids[i]` is the identity of the scan behind frame i, empty when it is missing.
    """

    times: tuple[datetime, ...]
    rain_rate: FloatField
    coverage: BoolField
    scan_ids: tuple[bytes, ...]
    sampling: Sampling = USUAL

    def __post_init__(self) -> None:
        count = len(self.times)
        if self.rain_rate.shape[0] != count or len(self.scan_ids) != count:
            raise ValueError(f"{count} times, {self.rain_rate.shape[0]} frames, {len(self.scan_ids)} scan ids")
        if self.rain_rate.shape != self.coverage.shape:
            raise ValueError(f"rain_rate is {self.rain_rate.shape}, coverage {self.coverage.shape}")

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, eq=False)
class Nowcast:
    """What will fall: `rain_rate` [mm h-1], shape (lead_time, y, x), NaN where no forecast is possible.

    `probability` maps a threshold [mm h-1] to P(rain_rate >= threshold), `quantile` a share to the rain rate [mm h-1]
    that is not exceeded with that chance; same shape, NaN alike.
    `model` names who made it, `scan_ids` the scans it used, newest last. `rung` is the step of the fallback ladder that
    it stands on, `reason` why those above were passed, empty when none was. `radar_coverage` (y, x), where given, is 0
    where no radar has looked for a day, 1 where none looks now, 2 where the newest scan observed.
    """

    init_time: datetime
    lead_times: tuple[timedelta, ...]
    rain_rate: FloatField
    grid: Grid
    model: str
    scan_ids: tuple[bytes, ...]
    input_age: timedelta = timedelta(0)
    probability: Mapping[float, FloatField] = field(default_factory=dict)
    quantile: Mapping[float, FloatField] = field(default_factory=dict)
    rung: str = RUNGS[0]
    reason: str = ""
    radar_coverage: FlagField | None = None

    def __post_init__(self) -> None:
        require_utc(self.init_time)
        if self.rung not in RUNGS:
            raise ValueError(f"rung {self.rung!r} is none of {', '.join(RUNGS)}")
        if self.radar_coverage is not None and self.radar_coverage.shape != self.grid.shape:
            raise ValueError(f"radar_coverage is {self.radar_coverage.shape}, the grid {self.grid.shape}")
        expected = (len(self.lead_times), *self.grid.shape)
        if self.rain_rate.shape != expected:
            raise ValueError(f"rain_rate is {self.rain_rate.shape}, leads and grid need {expected}")
        if not self.scan_ids:
            raise ValueError("a nowcast must name the scans it used")
        if is_beyond(self.rain_rate, 0.0, FINITE):
            raise ValueError(f"nowcast of {self.model} holds infinite or negative rain rates")
        for threshold, chance in self.probability.items():
            if chance.shape != expected:
                raise ValueError(f"probability at {threshold} is {chance.shape}, not {expected}")
            if is_beyond(chance, 0.0, 1.0):
                raise ValueError(f"probability at {threshold} is outside 0 .. 1")
        for share, rain_rate in self.quantile.items():
            if not 0 < share < 1:
                raise ValueError(f"a quantile must lie between 0 and 1, not at {share}")
            if rain_rate.shape != expected:
                raise ValueError(f"quantile at {share} is {rain_rate.shape}, not {expected}")
            if is_beyond(rain_rate, 0.0, FINITE):
                raise ValueError(f"quantile at {share} holds infinite or negative rain rates")
