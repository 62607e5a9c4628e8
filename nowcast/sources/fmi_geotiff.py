"""FMI reflectivity composites as 8-bit GeoTIFF.

Gain, offset, nodata, undetect and time sit in an XML text inside the GDAL_METADATA tag, not in GDAL's own fields.
"""

from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
from rasterio.io import DatasetReader

from nowcast.core.grid import Grid
from nowcast.core.rain import FMI, NO_ECHO
from nowcast.core.scan import Scan
from nowcast.core.timeline import utc
from nowcast.sources.payload import BadScan, Payload
from nowcast.sources.raster import open_raster

TIFF_MAGICS = (b"II*\x00", b"MM\x00*")


def recognises(payload: Payload) -> bool:
    """A TIFF whose metadata names an observation time and corrected reflectivity."""
    head = payload.content
    return head.startswith(TIFF_MAGICS) and b"Observation time" in head and b"Corrected reflectivity" in head


def read(payload: Payload) -> Iterator[Scan]:
    """The one scan in the file."""
    with open_raster(payload, "GTiff") as dataset:
        items = _items(dataset.tags().get("GDAL_METADATA", ""))
        if "Gain" not in items:
            raise BadScan(payload.name, "GDAL_METADATA holds no gain")
        pixels = dataset.read(1)
        grid = _grid(dataset)
    coverage = pixels != int(items["Nodata"])
    values = pixels.astype(np.float32) * np.float32(items["Gain"]) + np.float32(items["Offset"])
    values = np.where(pixels == int(items["Undetect"]), np.float32(NO_ECHO), values)
    values = np.where(coverage, values, np.float32(np.nan))
    nominal_time = utc(items["Observation time"], "%Y%m%d%H%M")
    yield Scan("fmi-geotiff", items["Quantity"], nominal_time, "reflectivity", values, coverage, grid, zr=FMI)


def _items(xml: str) -> dict[str, str]:
    if "<!DOCTYPE" in xml or not xml.strip():
        return {}
    return {item.get("name", ""): item.text or "" for item in ElementTree.fromstring(xml).iter("Item")}


def _grid(dataset: DatasetReader) -> Grid:
    affine = dataset.transform
    crs = f"EPSG:{dataset.crs.to_epsg()}" if dataset.crs.to_epsg() else dataset.crs.to_wkt()
    return Grid(crs, affine.c, affine.f, affine.a, -affine.e, dataset.height, dataset.width)
