"""What decoding in a child costs: seconds per file there and in this process, in turn, in the same run.

`python benchmarks/sandbox.py` reads real files from NOWCAST_RADAR_DIR and prints a line for each.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from measure import Row, machine, show

from nowcast.settings import Settings
from nowcast.sources import decode, sandbox
from nowcast.sources.limits import Limits

FILES = {
    "FMI 1226 x 760, PGM": ("fmi-pgm/20160928/201609281600_fmi.radar.composite.lowest_FIN_SUOMI1.pgm.gz", 30),
    "KNMI 765 x 700, HDF5": ("knmi-rap/20100826/RAD_NL25_RAP_5min_201008260000.h5", 30),
    "OPERA 4400 x 3800, HDF5": ("opera/20241126-one-frame-each/T_PABV21_C_EUOC_20241126010000.hdf", 7),
    "MRMS 3500 x 7000, GRIB2": ("mrms/20190610/PrecipRate_00.00_20190610-000000.grib2", 7),
    "FMI 7316 x 4963, GeoTIFF": ("fmi-geotiff/20160928/201609281600_FINUTM.tif", 7),
    "MeteoNet 45 scans, npz": ("meteonet/2016_08.3/rainfall_NW_2016_08.3.npz", 7),
}
"""What it is -> a file, and how often it is read."""


def rows() -> list[Row]:
    """Milliseconds in a child beside those in this process; then the start of a child."""
    radar, measured = Settings().radar_dir, []
    for name, (path, repeats) in FILES.items():
        here, there = in_turn(radar / path, repeats)
        told = f"{there:.1f} ms in a child", f"{here:.1f} ms in this process", round(there / here, 2)
        measured.append(Row(f"decoding, {name}", *told, "-", None, f"best of {repeats}", machine()))
    start = seconds(lambda: sandbox.start(Limits()).close())
    return [*measured, Row("start of a child", f"{1e3 * start:.0f} ms", "-", None, "-", None, "once", machine())]


def in_turn(path: Path, repeats: int) -> tuple[float, float]:
    """Milliseconds in this process and in a child, both warm, the best of some repeats."""
    ways: tuple[Callable[[Path], object], ...] = (decode, sandbox.decode)
    for way in ways:
        way(path)
    spent = [[seconds(lambda way=way: way(path)) for way in ways] for _ in range(repeats)]
    here, there = (1e3 * min(column) for column in zip(*spent, strict=True))
    return here, there


def seconds(work: Callable[[], object]) -> float:
    """Time that work takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


if __name__ == "__main__":
    show(rows())
