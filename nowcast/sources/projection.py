"""Which projections a file may name."""

import re
from functools import lru_cache

from pyproj import Proj

from nowcast.core.grid import Grid

MAX_LENGTH = 8192
REACHES_OUT = re.compile(r"grids|catalog|\+?\binit\s*=|\+?\bfile\s*=|pipeline|://|/", re.IGNORECASE)
"""Words by which PROJ opens further files, or takes steps that no map projection needs."""


def require_plain(crs: str) -> None:
    """Raise ValueError for a text by which PROJ would read further files."""
    if len(crs) > MAX_LENGTH:
        raise ValueError(f"projection of {len(crs)} characters")
    if found := REACHES_OUT.search(_without_names(crs)):
        raise ValueError(f"projection with {found[0]!r}: {crs[:200]!r}")


def plain_projection(crs: str) -> Proj:
    """The projection that a text of a file names; ValueError or pyproj's ProjError when it is none or reaches out."""
    require_plain(crs)
    return Proj(crs)


def _without_names(crs: str) -> str:
    """WKT without what stands between quotes: names, which may hold anything."""
    return re.sub(r'"[^"]*"', '""', crs) if "[" in crs else crs


@lru_cache(maxsize=64)
def require_usable(grid: Grid) -> None:
    """Raise ValueError or pyproj's ProjError when PROJ cannot place the grid on the Earth."""
    require_plain(grid.crs)
    grid.lonlat(0, 0)
    grid.lonlat(grid.height - 1, grid.width - 1)
