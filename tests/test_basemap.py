"""Coasts, borders, meridians and parallels on grids."""

import numpy as np
import pytest
from fakes import CRS

from nowcast.basemap import Line, clipped, graticule, lines
from nowcast.core.grid import Grid

HELSINKI = Grid(CRS, -100_000.0, 100_000.0, 1000.0, 1000.0, 200, 200)
"""200 km around 60 N 25 E: the southern coast of Finland crosses it from west to east."""

OCEAN = Grid("EPSG:4326", -40.0, 30.0, 0.1, 0.1, 50, 50)


def inside(grid: Grid, found: list[Line]) -> bool:
    west, south, east, north = grid.bounds
    points = np.concatenate(found)
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((low >= (west - 1e-6, south - 1e-6)).all() and (high <= (east + 1e-6, north + 1e-6)).all())


def test_the_coast_lies_within_the_grid_and_where_it_is() -> None:
    """Cape Porkkala, 59.94 N 24.4 E or so, is land's end: some point of the coast is within 10 km of it."""
    coast = lines(HELSINKI, "land")
    assert inside(HELSINKI, coast)
    row, col = HELSINKI.locate(59.96, 24.4)
    cape = np.array([HELSINKI.x[col], HELSINKI.y[row]])
    assert np.hypot(*(np.concatenate(coast) - cape).T).min() < 10_000


def test_no_line_crosses_where_there_is_neither_coast_nor_border() -> None:
    assert lines(OCEAN, "land") == lines(OCEAN, "border") == []


def test_no_line_goes_around_the_earth() -> None:
    """Land that crosses the antimeridian leaves no line over Finland at its latitude."""
    finland = Grid("+proj=stere +lat_0=90 +lon_0=25 +lat_ts=60 +R=6371288", -380e3, -2170e3, 1000.0, 1000.0, 1226, 760)
    lengths = [np.hypot(*np.diff(line, axis=0).T).max() for line in lines(finland, "land")]
    assert max(lengths) < 200_000


def test_a_line_that_leaves_and_comes_back_is_in_two_parts() -> None:
    grid = Grid("EPSG:4326", 0.0, 10.0, 1.0, 1.0, 10, 10)
    parts = clipped(grid, np.array([[2.0, 5.0], [2.0, 20.0], [8.0, 20.0], [8.0, 5.0]]))
    assert [part.tolist() for part in parts] == [[[2.0, 5.0], [2.0, 10.0]], [[8.0, 10.0], [8.0, 5.0]]]


def test_meridians_and_parallels_stand_at_round_degrees() -> None:
    """The grid reaches from 23.2 to 26.8 E and from 59.1 to 60.9 N."""
    meridians, parallels = graticule(HELSINKI)
    assert [one.degrees for one in meridians] == [24.0, 25.0, 26.0]
    assert [one.degrees for one in parallels] == [59.5, 60.0, 60.5]
    (middle,) = meridians[1].lines
    assert middle[:, 0] == pytest.approx(0.0, abs=1e-6)
