"""Seconds to decode a file of each format: our readers, and pysteps' importers where it has one, in turn.

`python benchmarks/decode.py` reads real files from NOWCAST_RADAR_DIR. Ours also give coverage, georeference and checks.
"""

import gzip
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from measure import Row, alternately, faster, machine, show, spread
from pysteps.io import importers

from nowcast.settings import Settings
from nowcast.sources import decode

FILES = {
    "FMI PGM 1226 x 760": "fmi-pgm/20160928/201609281600_fmi.radar.composite.lowest_FIN_SUOMI1.pgm.gz",
    "FMI GeoTIFF 7316 x 4963": "fmi-geotiff/20160928/201609281600_FINUTM.tif",
    "MeteoSwiss GIF 640 x 710": "mch-gif/20160711/AQC161932045V_00005.801.gif",
    "BoM NetCDF 512 x 512": "bom-rf3/66-mtstapl-20201031/66_20201031_041000.prcp-c10.nc",
    "KNMI HDF5 rain 765 x 700": "knmi-rap/20100826/RAD_NL25_RAP_5min_201008260000.h5",
    "KNMI HDF5 reflectivity 765 x 700": "knmi-pcp/20210201/202102012005.hf5",
    "OPERA 2018 HDF5 2200 x 1900": "opera/20180824/T_PAAH21_C_EUOC_20180824180000.hdf",
    "OPERA ODIM 2.4 RATE 2200 x 1900": "opera/20241126-one-frame-each/T_PAAH22_C_EUOC_20241126010000.hdf",
    "OPERA ODIM 2.4 DBZH 4400 x 3800": "opera/20241126-one-frame-each/T_PABV21_C_EUOC_20241126010000.hdf",
    "MeteoSwiss ODIM HDF5 640 x 710": "extras/CPC2335513304_00060.001.h5",
    "MRMS GRIB2 3500 x 7000": "mrms/20190610/PrecipRate_00.00_20190610-000000.grib2",
    "DWD RADOLAN YW 1100 x 900, unpacked": "dwd-radolan/yw-20170816/raa01-yw2017.002_10000-1708160055-dwd---bin.gz",
    "DWD RADOLAN RY 900 x 900, unpacked": "dwd-radolan/ry-20200101-nearly-dry/raa01-ry_10000-2001011500-dwd---bin.gz",
    "MeteoNet npz 565 x 784, all scans": "meteonet/2016_08.3/rainfall_NW_2016_08.3.npz",
}
PEERS: dict[str, Callable[[str], Any]] = {
    "FMI PGM 1226 x 760": partial(importers.import_fmi_pgm, gzipped=True),
    "MeteoSwiss GIF 640 x 710": partial(importers.import_mch_gif, product="AQC", unit="mm", accutime=5),
    "BoM NetCDF 512 x 512": importers.import_bom_rf3,
    "KNMI HDF5 rain 765 x 700": partial(importers.import_knmi_hdf5, qty="ACRR"),
    "KNMI HDF5 reflectivity 765 x 700": partial(importers.import_knmi_hdf5, qty="DBZH"),
    "OPERA 2018 HDF5 2200 x 1900": partial(importers.import_opera_hdf5, qty="RATE"),
    "OPERA ODIM 2.4 RATE 2200 x 1900": partial(importers.import_odim_hdf5, qty="RATE"),
    "OPERA ODIM 2.4 DBZH 4400 x 3800": partial(importers.import_odim_hdf5, qty="DBZH"),
    "MeteoSwiss ODIM HDF5 640 x 710": partial(importers.import_mch_hdf5, qty="ACRR"),
    "DWD RADOLAN YW 1100 x 900, unpacked": partial(importers.import_dwd_radolan, product_name="YW"),
    "DWD RADOLAN RY 900 x 900, unpacked": partial(importers.import_dwd_radolan, product_name="RY"),
}
"""pysteps reads GeoTIFF and GRIB2 with packages that are not on the registry as wheels, and MeteoNet not at all."""

ROUNDS = 7


def rows() -> list[Row]:
    """A row per format."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        return [row(name, _at_hand(Settings().radar_dir / path, Path(folder))) for name, path in FILES.items()]


def row(name: str, path: Path) -> Row:
    """Ours against pysteps', or ours alone."""
    ours = partial(decode, path)
    if name in PEERS:
        return faster(f"decode {name}", ours, partial(PEERS[name], str(path)), 1.0, ROUNDS)
    (times,) = alternately([ours], ROUNDS)
    return Row(f"decode {name}", f"{median(times):.4g} s", "-", None, "-", None, spread(times), machine())


def _at_hand(path: Path, folder: Path) -> Path:
    """The file; RADOLAN's unpacked, since pysteps reads no other."""
    if "dwd-radolan" not in path.parts:
        return path
    unpacked = folder / path.stem
    unpacked.write_bytes(gzip.decompress(path.read_bytes()))
    return unpacked


if __name__ == "__main__":
    show(rows())
