"""Opening a payload with GDAL, which is kept from reading anything else.

GDAL looks for files beside the one it opens, and some of its drivers open further files and addresses that it
names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import rasterio
from rasterio.io import DatasetReader, MemoryFile

from nowcast.sources.limits import require_pixels
from nowcast.sources.payload import BadScan, Payload

ALONE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
}
"""GDAL settings: no file beside the one that is opened, no address."""


@contextmanager
def open_raster(payload: Payload, driver: Literal["GTiff", "GRIB"]) -> Iterator[DatasetReader]:
    """The payload as a raster of one driver's format, north up; BadScan for any other.

    ValueError when it is larger than any radar grid.
    """
    with rasterio.Env(**ALONE), MemoryFile(payload.content) as memory, memory.open(driver=driver) as dataset:
        require_pixels(dataset.height, dataset.width)
        for rows, columns in dataset.block_shapes:
            require_pixels(rows, columns)
        if dataset.transform.b or dataset.transform.d:
            raise BadScan(payload.name, f"pixels are not north up: {tuple(dataset.transform)[:6]}")
        yield dataset
