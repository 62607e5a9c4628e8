"""Real radar files for tests: never part of the repository, found through NOWCAST_RADAR_DIR or beside the checkout."""

import os
from pathlib import Path

import pytest

RADAR = Path(os.environ.get("NOWCAST_RADAR_DIR", Path(__file__).resolve().parents[2] / "shared" / "radar"))

needs_radar = pytest.mark.skipif(not RADAR.is_dir(), reason=f"no radar samples at {RADAR}; set NOWCAST_RADAR_DIR")

SAMPLES = {
    "fmi-pgm": "fmi-pgm/20160928/201609281600_fmi.radar.composite.lowest_FIN_SUOMI1.pgm.gz",
    "fmi-geotiff": "fmi-geotiff/20160928/201609281600_FINUTM.tif",
    "mch-gif": "mch-gif/20160711/AQC161932045V_00005.801.gif",
    "bom": "bom-rf3/66-mtstapl-20201031/66_20201031_041000.prcp-c10.nc",
    "knmi-rap": "knmi-rap/20100826/RAD_NL25_RAP_5min_201008260000.h5",
    "knmi-pcp": "knmi-pcp/20210201/202102012005.hf5",
    "opera-2018": "opera/20180824/T_PAAH21_C_EUOC_20180824180000.hdf",
    "opera-rate": "opera/20241126-one-frame-each/T_PAAH22_C_EUOC_20241126010000.hdf",
    "opera-dbzh": "opera/20241126-one-frame-each/T_PABV21_C_EUOC_20241126010000.hdf",
    "opera-acrr": "opera/20241126-one-frame-each/T_PASH22_C_EUOC_20241126010000.hdf",
    "combiprecip": "extras/CPC2335513304_00060.001.h5",
    "mrms": "mrms/20190610/PrecipRate_00.00_20190610-000000.grib2",
    "mrms-reflectivity": "extras/MRMS_ReflectivityAtLowestAltitude_00.50_20230406-120039.grib2.gz",
    "radolan-yw": "dwd-radolan/yw-20170816/raa01-yw2017.002_10000-1708160055-dwd---bin.gz",
    "radolan-ry": "dwd-radolan/ry-20200101-nearly-dry/raa01-ry_10000-2001011500-dwd---bin.gz",
    "meteonet-rain": "meteonet/2016_08.3/rainfall_NW_2016_08.3.npz",
    "meteonet-reflectivity": "meteonet/2016_08.3/reflectivity_old_SE_2016_08.3.npz",
}
"""Short name -> path below RADAR of one file of each kind."""


def sample(name: str) -> Path:
    """The path of one of the SAMPLES."""
    return RADAR / SAMPLES[name]
