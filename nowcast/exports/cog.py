"""Rain rates as Cloud-Optimised GeoTIFF: tiled, with overviews, one band per lead."""

from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from nowcast.core.timeline import isoformat
from nowcast.exports.origin import lineage, origin
from nowcast.exports.whole import whole
from nowcast.store.query import grid_of, moment

BLOCK = 256
OPTIONS = {"COMPRESS": "DEFLATE", "PREDICTOR": "3", "BLOCKSIZE": str(BLOCK), "OVERVIEW_RESAMPLING": "AVERAGE"}
"""Overviews are means of what is known; NaN is not."""


def write_cog(found: xr.Dataset, path: Path) -> None:
    """The rain rates [mm h-1] of a nowcast, or a map or box of one, float32, NaN where there is no forecast.

    Bands say their lead and valid time. The file appears whole or not at all. ValueError for a point, OSError when it
    cannot be written.
    """
    grid = grid_of(found)
    one = found if "lead_time" in found.dims else found.expand_dims("lead_time")
    leads = one.lead_time.values
    profile = {"driver": "GTiff", "dtype": "float32", "nodata": float("nan"), "crs": grid.projection.to_wkt()}
    size = {"count": len(leads), "height": grid.height, "width": grid.width, "transform": Affine(*grid.affine)}
    with whole(path) as fresh, MemoryFile() as memory:
        with memory.open(**profile, **size) as file:
            file.update_tags(**_tags(found))
            file.write(one.rain_rate.transpose("lead_time", "y", "x").values.astype(np.float32))
            for band, (lead, valid) in enumerate(zip(leads, found.valid_time.values.ravel(), strict=True), 1):
                file.set_band_description(band, f"rain rate +{lead} min")
                file.set_band_unit(band, "mm h-1")
                file.update_tags(band, lead_time_min=int(lead), valid_time=f"{valid.astype('datetime64[s]')}Z")
        with memory.open() as file:
            rasterio.shutil.copy(file, fresh, driver="COG", **OPTIONS)


def _tags(found: xr.Dataset) -> dict[str, str]:
    told = origin(found)
    init_time = moment(found.init_time)
    said = {name: str(value) for name, value in told.items()}
    said["TIFFTAG_IMAGEDESCRIPTION"] = lineage(told)
    said["TIFFTAG_DATETIME"] = init_time.strftime("%Y:%m:%d %H:%M:%S")
    return said | {"init_time": isoformat(init_time)}
