"""What the stores say of a place: all leads of its pixel, and the sentence that sums them up."""

import math
from datetime import UTC, datetime

import numpy as np
import xarray as xr

from nowcast.catchments.sentence import RAIN, Sentence, Step, sentence
from nowcast.store.query import Reader, newest_observation, point
from nowcast.store.template import RADAR_FLAGS, RADAR_UNKNOWN


def tell(
    forecasts: Reader, archive: Reader | None, lat: float, lon: float, now: datetime, init_time: datetime | None = None
) -> tuple[xr.Dataset, Sentence]:
    """All leads of the pixel that holds a WGS 84 point, and what they and the newest scan up to `now` say of it.

    The chance of rain is the stored one at RAIN mm/h; a store without that threshold gives none. Raises NoForecast when
    no nowcast was issued, ValueError outside the grid.
    """
    found = point(forecasts, lat, lon, init_time)
    observed = newest_observation(archive, lat, lon, now) if archive is not None else None
    return found, sentence(_steps(found), now, Step(*observed) if observed else None)


def sight(found: xr.Dataset) -> str:
    """The flag of radar coverage at a place, in the store's words: never, unavailable, ok or unknown."""
    return RADAR_FLAGS.get(int(found.radar_coverage), RADAR_FLAGS[RADAR_UNKNOWN])


def _steps(found: xr.Dataset) -> list[Step]:
    seconds = found.valid_time.values.astype("datetime64[s]").astype(int)
    chances = np.full(len(seconds), math.nan)
    levels = found.threshold.values if "threshold" in found else np.empty(0)
    if len(at := np.flatnonzero(np.isclose(levels, RAIN))):
        chances = found.probability.isel(threshold=int(at[0])).values
    values = zip(seconds, found.rain_rate.values, chances, strict=True)
    return [Step(datetime.fromtimestamp(int(s), UTC), float(rate), float(chance)) for s, rate, chance in values]
