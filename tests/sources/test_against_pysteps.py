"""The same files through pysteps' importers: same field, same extent, same projection, or a reason why not."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import Proj
from radar import needs_radar, sample

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.sources import decode

importers = pytest.importorskip("pysteps.io.importers")
pytestmark = needs_radar

Field = NDArray[np.float64]
PEERS: dict[str, Callable[[str], tuple[Any, Any, dict[str, Any]]]] = {
    "fmi-pgm": partial(importers.import_fmi_pgm, gzipped=True),
    "mch-gif": partial(importers.import_mch_gif, product="AQC", unit="mm", accutime=5),
    "bom": importers.import_bom_rf3,
    "knmi-rap": partial(importers.import_knmi_hdf5, qty="ACRR"),
    "knmi-pcp": partial(importers.import_knmi_hdf5, qty="DBZH"),
    "opera-2018": partial(importers.import_opera_hdf5, qty="RATE"),
    "opera-rate": partial(importers.import_odim_hdf5, qty="RATE"),
    "opera-dbzh": partial(importers.import_odim_hdf5, qty="DBZH"),
    "opera-acrr": partial(importers.import_odim_hdf5, qty="ACRR"),
    "combiprecip": partial(importers.import_mch_hdf5, qty="ACRR"),
}


def both(name: str) -> tuple[Scan, Field, dict[str, Any]]:
    field, _, metadata = PEERS[name](str(sample(name)))
    return decode(sample(name))[0], np.ma.filled(field, np.nan), metadata


def in_their_unit(scan: Scan) -> Field:
    """Sums in mm again, all else as it is."""
    return scan.values * ((scan.interval or timedelta(hours=1)) / timedelta(hours=1))


def their_bounds(grid: Grid, metadata: dict[str, Any]) -> list[float]:
    """West, south, east, north of pysteps' extent in our projection, by way of longitude and latitude."""
    ours, theirs = Proj(grid.crs), Proj(metadata["projection"])
    corners = ((metadata["x1"], metadata["y1"]), (metadata["x2"], metadata["y2"]))
    return [float(v) for corner in corners for v in ours(*theirs(*corner, inverse=True))]


@pytest.mark.parametrize("name", PEERS)
def test_same_field(name: str) -> None:
    """pysteps calls undetected pixels of ODIM reflectivity -30 dBZ, which may also be measured; we NO_ECHO."""
    scan, field, metadata = both(name)
    assert metadata["yorigin"] == "upper"
    np.testing.assert_array_equal(np.isfinite(field), scan.coverage)
    if name == "opera-dbzh":
        field = np.where((field == -30) & (scan.values == NO_ECHO), NO_ECHO, field)
    np.testing.assert_allclose(in_their_unit(scan), field, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(PEERS.keys() - {"bom", "combiprecip"}))
def test_same_place(name: str) -> None:
    """To a hundredth of a pixel (10 to 20 m).

    pysteps adds false eastings to FMI's projection, gives KNMI's sums in km on an ellipsoid of 6378 m and replaces the
    projection of KNMI's reflectivity, whose text lacks a `+`, by one with an ellipsoid 3 m smaller: all the same place.
    """
    scan, _, metadata = both(name)
    difference = np.abs(np.subtract(their_bounds(scan.grid, metadata), scan.grid.bounds))
    assert difference.max() < 0.01 * scan.grid.dx


def test_bom_extent_is_half_a_pixel_wider_than_pysteps() -> None:
    """The file gives pixel centres, which pysteps takes for the edges; it also rounds the origin to 0.001 degree."""
    scan, _, metadata = both("bom")
    centres = [metadata[key] for key in ("x1", "y1", "x2", "y2")]
    assert np.subtract(scan.grid.bounds, centres).tolist() == [-250.0, -250.0, 250.0, 250.0]
    assert metadata["xpixelsize"] == scan.grid.dx


def test_combiprecip_is_placed_by_its_corners() -> None:
    """pysteps puts every Swiss file on the nominal old grid; the corners in the file are up to 260 m away.

    New Swiss coordinates are the old ones plus 2000 km and 1000 km.
    """
    scan, _, metadata = both("combiprecip")
    old = np.subtract(scan.grid.bounds, [2e6, 1e6, 2e6, 1e6])
    nominal = [metadata[key] for key in ("x1", "y1", "x2", "y2")]
    assert np.abs(old - nominal).max() < 300


@pytest.mark.parametrize(("name", "product"), [("radolan-yw", "YW"), ("radolan-ry", "RY")])
def test_radolan_is_the_flipped_field_of_pysteps(name: str, product: str, tmp_path: Path) -> None:
    """Values agree after three corrections; places are not compared, since pysteps is wrong there.

    pysteps leaves the rows running north (and calls that "upper"), takes 0.01 mm off every value and shows clutter as
    dry, which we call not observed. It places the grid by an ellipsoid instead of DWD's sphere of 6370.04 km (RY 13 km
    too far south), and YW 80 km too far west; circles of radar coverage in the files lie around the radars on ours.
    """
    unpacked = tmp_path / product
    unpacked.write_bytes(gzip.decompress(sample(name).read_bytes()))
    field, _, metadata = importers.import_dwd_radolan(str(unpacked), product)
    (scan,) = decode(unpacked)
    theirs = field[::-1] + 0.01
    assert not scan.coverage[np.isnan(theirs)].any()
    np.testing.assert_allclose(in_their_unit(scan)[scan.coverage], theirs[scan.coverage], atol=1e-5)
    clutter = ~scan.coverage & np.isfinite(theirs)
    assert clutter.mean() < 0.005
    np.testing.assert_allclose(theirs[clutter], 0, atol=1e-9)
    assert metadata["y2"] - metadata["y1"] == 1000 * scan.grid.height


def test_pysteps_has_no_reader_for_mrms_and_geotiff_here() -> None:
    """It needs pygrib and GDAL's Python modules; test_formats.py checks both against their headers instead."""
    assert not importers.PYGRIB_IMPORTED
    assert not importers.GDAL_IMPORTED
