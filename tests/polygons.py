"""Catchments drawn in the metres or degrees of a grid, and outlooks whose rates are written out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from fakes import GRID
from pyproj import Transformer

from nowcast.catchments.outlooks import CatchmentOutlook, Origin
from nowcast.catchments.polygons import Catchment
from nowcast.core.grid import Grid

FIVE = timedelta(minutes=5)
INIT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def drawn(rings: Sequence[Sequence[tuple[float, float]]], grid: Grid = GRID) -> Any:
    """A polygon, the later rings being holes, from x and y of the grid's CRS."""
    to_grid = Transformer.from_crs("EPSG:4326", grid.projection, always_xy=True)
    outer, *holes = ([to_grid.transform(*point, direction="INVERSE") for point in ring] for ring in rings)
    return shapely.Polygon(outer, holes)


def rectangle(west: float, south: float, east: float, north: float) -> list[tuple[float, float]]:
    """A closed ring."""
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def catchment(*rings: Sequence[tuple[float, float]], grid: Grid = GRID) -> Catchment:
    """One named "river"."""
    return Catchment("river", "The River", drawn(rings, grid))


def outlook(
    rates: Sequence[Sequence[float]], minutes: int = 0, share: float = 1.0, catchment_id: str = "river"
) -> CatchmentOutlook:
    """Area means [mm/h] by member and lead, leads 5 min apart, from a nowcast `minutes` after 12:00."""
    rain_rate = np.array(rates, np.float32)
    lead_times = tuple(FIVE * (k + 1) for k in range(rain_rate.shape[1]))
    origin = Origin("here", INIT + timedelta(minutes=minutes), lead_times, "fake-1", "champion", timedelta(seconds=90))
    return CatchmentOutlook(catchment_id, "The River", 12.5, origin, rain_rate, np.full_like(rain_rate, share))
