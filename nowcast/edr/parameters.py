"""The fields of a nowcast as EDR parameters: the rain rate, its quantiles, and chances at thresholds."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from nowcast.core.types import FloatField
from nowcast.edr.cells import Cells


@dataclass(frozen=True)
class Parameter:
    """One field (lead_time, y, x): `level` along `dim` of a variable where it has one. Units are UCUM codes."""

    id: str
    label: str
    unit: str
    variable: str
    dim: str = ""
    level: int = 0
    standard_name: str = ""


RAIN_RATE = Parameter("rain_rate", "Rain rate", "mm/h", "rain_rate", standard_name="rainfall_rate")


def parameters(nowcast: xr.Dataset) -> dict[str, Parameter]:
    """Every parameter of a nowcast by its id, the rain rate first."""
    found = [RAIN_RATE]
    for k, value in enumerate(nowcast.threshold.values if "threshold" in nowcast else ()):
        label = f"Probability of at least {value:g} mm/h"
        found.append(Parameter(f"probability_{value:g}", label, "1", "probability", "threshold", k))
    for k, value in enumerate(nowcast["quantile"].values if "quantile" in nowcast else ()):
        label = f"Rain rate not exceeded with probability {value:g}"
        found.append(Parameter(f"rain_rate_quantile_{value:g}", label, "mm/h", "rain_rate_quantile", "quantile", k))
    return {one.id: one for one in found}


def chosen(nowcast: xr.Dataset, names: str | None) -> list[Parameter]:
    """Those that a comma-separated list names, all when there is none; ValueError for one that there is not."""
    known = parameters(nowcast)
    wanted = list(known) if names is None else [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no parameter {unknown[0]!r}, there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(wanted)]


def values(nowcast: xr.Dataset, parameter: Parameter, cells: Cells) -> FloatField:
    """The parameter at cells, (lead_time, y, x) as the cells lie; NaN where there is no forecast and outside."""
    field = nowcast[parameter.variable]
    if parameter.dim:
        field = field.isel({parameter.dim: parameter.level})
    inside = cells.rows >= 0
    out = np.full((field.sizes["lead_time"], *inside.shape), np.nan, np.float32)
    if inside.any():
        rows, cols = cells.rows[inside], cells.cols[inside]
        top, left = int(rows.min()), int(cols.min())
        part = field.isel(y=slice(top, int(rows.max()) + 1), x=slice(left, int(cols.max()) + 1)).values
        out[:, inside] = np.round(part[:, rows - top, cols - left], 2)
    return out
