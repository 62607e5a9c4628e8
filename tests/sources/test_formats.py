"""One real file of each kind against what its maker and its header say."""

import gzip
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pyproj import Proj
from radar import RADAR, SAMPLES, needs_radar, sample

from nowcast.core.rain import FMI, MARSHALL_PALMER, METEOSWISS, NO_ECHO, ZR
from nowcast.core.scan import Scan
from nowcast.core.types import Quantity
from nowcast.sources import SOURCES, decode

pytestmark = needs_radar


@dataclass(frozen=True)
class Expected:
    """`peak` is the largest value in the unit of `quantity`; `covered` the share of pixels observed."""

    source: str
    product: str
    quantity: Quantity
    time: str
    shape: tuple[int, int]
    spacing: float
    covered: float
    peak: float
    minutes: int | None = None
    zr: ZR = MARSHALL_PALMER


EXPECTED = {
    "fmi-pgm": Expected(
        "fmi-pgm",
        "LOWEST CorrectedReflectivity",
        "reflectivity",
        "2016-09-28T16:00",
        (1226, 760),
        0.99965,
        0.757,
        50.0,
        zr=FMI,
    ),
    "fmi-geotiff": Expected(
        "fmi-geotiff",
        "Corrected reflectivity",
        "reflectivity",
        "2016-09-28T16:00",
        (7316, 4963),
        0.25,
        0.321,
        53.0,
        zr=FMI,
    ),
    "mch-gif": Expected(
        "mch-gif", "AQC", "rain_rate", "2016-07-11T20:45", (640, 710), 1.0, 0.704, 91.775, 5, zr=METEOSWISS
    ),
    "bom": Expected(
        "bom-netcdf",
        "66 Bias Corrected Radar Accumulation (10 min)",
        "rain_rate",
        "2020-10-31T04:10",
        (512, 512),
        0.5,
        1.0,
        91.5,
        10,
    ),
    "knmi-rap": Expected(
        "knmi-hdf5", "RAD_NL25_RAU_H1.5_5mi", "rain_rate", "2010-08-26T00:00", (765, 700), 1.0, 0.256, 8.64, 5
    ),
    "knmi-pcp": Expected(
        "knmi-hdf5", "RAD_NL25_PCP_H1.5_NA", "reflectivity", "2021-02-01T20:05", (765, 700), 1.0, 0.805, 30.5
    ),
    "opera-2018": Expected(
        "odim-hdf5", "ORG:247 COMP RATE", "rain_rate", "2018-08-24T18:00", (2200, 1900), 2.0, 0.501, 1205.22
    ),
    "opera-rate": Expected(
        "odim-hdf5", "ORG:247 PPI RATE", "rain_rate", "2024-11-26T01:00", (2200, 1900), 2.0, 0.514, 205.05
    ),
    "opera-dbzh": Expected(
        "odim-hdf5", "ORG:247 MAX DBZH", "reflectivity", "2024-11-26T01:00", (4400, 3800), 1.0, 0.509, 78.0
    ),
    "opera-acrr": Expected(
        "odim-hdf5", "ORG:247 PPI ACRR", "rain_rate", "2024-11-26T01:00", (2200, 1900), 2.0, 0.514, 51.26, 60
    ),
    "combiprecip": Expected(
        "odim-hdf5",
        "ORG:215, CTY:644, CMT:MeteoSwiss (Switzerland) RR ACRR",
        "rain_rate",
        "2023-12-21T13:30",
        (640, 710),
        1.0,
        0.769,
        2.4,
        60,
    ),
    "mrms": Expected("mrms-grib2", "PrecipRate", "rain_rate", "2019-06-10T00:00", (3500, 7000), 0.997, 0.642, 148.8),
    "mrms-reflectivity": Expected(
        "mrms-grib2",
        "ReflectivityAtLowestAltitude",
        "reflectivity",
        "2023-04-06T12:00:39",
        (3500, 7000),
        0.997,
        0.652,
        60.0,
    ),
    "radolan-yw": Expected("dwd-radolan", "YW", "rain_rate", "2017-08-16T00:55", (1100, 900), 1.0, 0.611, 81.6, 5),
    "radolan-ry": Expected("dwd-radolan", "RY", "rain_rate", "2020-01-01T15:00", (900, 900), 1.0, 0.780, 9.6, 5),
    "meteonet-rain": Expected(
        "meteonet", "rainfall", "rain_rate", "2016-08-21T00:10", (565, 784), 0.920, 0.875, 14.4, 5
    ),
    "meteonet-reflectivity": Expected(
        "meteonet", "reflectivity", "reflectivity", "2016-08-21T00:25", (515, 784), 0.958, 0.986, 55.0
    ),
}


@lru_cache(maxsize=2)
def first(name: str) -> Scan:
    return decode(sample(name))[0]


def test_every_sample_has_expectations_and_every_format_a_sample() -> None:
    assert EXPECTED.keys() == SAMPLES.keys()
    assert {e.source for e in EXPECTED.values()} == SOURCES.keys()


@pytest.mark.parametrize("name", EXPECTED)
class TestSample:
    def test_says_what_its_maker_says(self, name: str) -> None:
        scan, expected = first(name), EXPECTED[name]
        assert (scan.source, scan.product, scan.quantity) == (expected.source, expected.product, expected.quantity)
        assert scan.nominal_time == datetime.fromisoformat(expected.time).replace(tzinfo=UTC)
        assert scan.interval == (expected.minutes and timedelta(minutes=expected.minutes))
        assert scan.zr == expected.zr
        assert scan.grid.shape == expected.shape
        assert scan.grid.spacing_km == pytest.approx(expected.spacing, rel=1e-3)

    def test_covers_and_peaks_where_it_should(self, name: str) -> None:
        scan, expected = first(name), EXPECTED[name]
        assert scan.coverage.mean() == pytest.approx(expected.covered, abs=6e-4)
        assert np.nanmax(scan.values) == pytest.approx(expected.peak, rel=1e-4)

    def test_dry_is_not_missing(self, name: str) -> None:
        """Most of every scan is observed and dry; it has a value, and that value is exactly no rain."""
        scan = first(name)
        dry = scan.values == (NO_ECHO if scan.quantity == "reflectivity" else 0.0)
        assert 0.25 < dry.sum() / scan.coverage.sum() < 1.0
        assert scan.coverage[dry].all()
        assert (scan.rain_rate[dry] == 0).all()
        assert np.isnan(scan.rain_rate[~scan.coverage]).all()
        assert np.nanmin(scan.rain_rate) == 0

    def test_content_counts_not_the_name_nor_the_packing(self, name: str, tmp_path: Path) -> None:
        packed = sample(name).read_bytes()
        swapped = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else gzip.compress(packed, 1)
        other = tmp_path / "readme.txt"
        other.write_bytes(swapped)
        again = decode(other)[0]
        assert again.scan_id == first(name).scan_id
        assert again.grid == first(name).grid


@pytest.mark.parametrize(
    ("folder", "count", "step"),
    [
        ("mch-gif/20160711", 40, 5),
        ("knmi-pcp/20210208", 36, 5),
        ("dwd-radolan/yw-20170816", 12, 5),
        ("bom-rf3/66-mtstapl-20201031", 144, 10),
    ],
)
def test_an_event_is_evenly_spaced_on_one_grid(folder: str, count: int, step: int) -> None:
    scans = sorted((decode(path)[0] for path in (RADAR / folder).iterdir()), key=lambda scan: scan.nominal_time)
    assert len(scans) == count
    times = [scan.nominal_time for scan in scans]
    assert {b - a for a, b in pairwise(times)} == {timedelta(minutes=step)}
    assert len({scan.grid.fingerprint for scan in scans}) == 1
    assert len({scan.scan_id for scan in scans}) == count


def test_mrms_pixels_lie_where_the_grib_header_says() -> None:
    """First pixel centre 54.995 N, 129.995 W; last 20.005 N, 60.005 W."""
    grid = first("mrms").grid
    assert (grid.y[0], grid.x[0]) == pytest.approx((54.995, -129.995), abs=1e-9)
    assert (grid.y[-1], grid.x[-1]) == pytest.approx((20.005, -60.005), abs=1e-9)
    assert (grid.dx, grid.dy) == (0.01, 0.01)


@pytest.mark.parametrize(
    ("name", "coordinates"), [("meteonet-rain", "NW"), ("meteonet-reflectivity", "SE")], ids=["NW", "SE"]
)
def test_meteonet_grid_is_that_of_its_coordinate_file(name: str, coordinates: str) -> None:
    grid = first(name).grid
    with np.load(RADAR / f"meteonet/2016_08.3/radar_coords_{coordinates}.npz") as file:
        np.testing.assert_allclose(grid.y, file["lats"][:, 0], atol=1e-6)
        np.testing.assert_allclose(grid.x, file["lons"][0], atol=1e-6)


def test_meteonet_holds_many_scans_in_time_order() -> None:
    times = [scan.nominal_time for scan in decode(sample("meteonet-rain"))]
    assert len(times) == 45
    assert times == sorted(times)


def test_swiss_grid_shifts_the_datum() -> None:
    """600000 / 200000 is Bern's old observatory: 46.95108 N, 7.43864 E in WGS 84, 150 m from its Bessel coordinates."""
    corner = first("mch-gif").grid.lonlat(279.5, 344.5)
    assert corner == pytest.approx((7.43864, 46.95108), abs=1e-5)


@pytest.mark.parametrize("name", ["knmi-rap", "knmi-pcp"])
def test_knmi_corners_agree_with_the_files_own_geographic_corners(name: str) -> None:
    """geo_product_corners, printed to 0.001 degree in 2010: 49.362 N 0 E south-west, 55.389 N 10.856 E north-east."""
    grid = first(name).grid
    assert grid.lonlat(grid.height - 0.5, -0.5) == pytest.approx((0.0, 49.362), abs=1e-3)
    assert grid.lonlat(-0.5, grid.width - 0.5) == pytest.approx((10.856, 55.389), abs=1e-3)


@pytest.mark.parametrize(
    ("name", "south_west", "north_east"),
    [
        ("radolan-ry", (3.5889, 46.9526), (15.7208, 54.7405)),
        ("radolan-yw", (4.6759, 46.1929), (17.1128, 55.5342)),
    ],
)
def test_radolan_corners_are_those_dwd_publishes(
    name: str, south_west: tuple[float, float], north_east: tuple[float, float]
) -> None:
    """Longitude and latitude on DWD's own sphere, which no datum ties to WGS 84."""
    grid = first(name).grid
    west, south, east, north = grid.bounds
    sphere = Proj(grid.crs)
    assert sphere(west, south, inverse=True) == pytest.approx(south_west, abs=1e-4)
    assert sphere(east, north, inverse=True) == pytest.approx(north_east, abs=1e-4)


def test_one_storm_lies_in_one_place_in_both_finnish_files() -> None:
    """PGM and GeoTIFF show the same minute in different projections; a shift of 5 km makes them agree less."""
    coarse, fine = first("fmi-pgm"), first("fmi-geotiff")

    def correlation(shift: int) -> float:
        pairs = []
        for row in range(200, 1100, 6):
            for col in range(150, 650, 6):
                if coarse.values[row, col] < 10:
                    continue
                lon, lat = coarse.grid.lonlat(row, col)
                try:
                    r, c = fine.grid.locate(lat, lon)
                except ValueError:
                    continue
                pairs.append((coarse.values[row, col], fine.values[r, c + shift]))
        a, b = np.array([pair for pair in pairs if np.isfinite(pair).all()]).T
        return float(np.corrcoef(a, b)[0, 1])

    exact = correlation(0)
    assert exact > 0.7
    assert exact > max(correlation(20), correlation(-20)) + 0.1
