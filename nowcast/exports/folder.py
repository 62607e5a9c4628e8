"""One nowcast as a folder of files beside the STAC item that describes them."""

import json
from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from nowcast.core.timeline import name_of
from nowcast.exports import stac
from nowcast.exports.cog import write_cog
from nowcast.exports.netcdf import Convention, write_netcdf
from nowcast.exports.whole import whole
from nowcast.store.query import moment

FORMATS = ("netcdf", "cog", "stac")


def export(
    found: xr.Dataset,
    region: str,
    out: Path,
    formats: tuple[str, ...] = FORMATS,
    convention: Convention = Convention.CF,
) -> Iterator[Path]:
    """Write a nowcast below `out`, in a folder of its own that is made when it is not there; gives each finished file.

    A file is there whole or not at all; the item comes last. ValueError for other `formats` than FORMATS.
    """
    if unknown := set(formats) - set(FORMATS):
        raise ValueError(f"no format {', '.join(sorted(unknown))}, there are {', '.join(FORMATS)}")
    folder = out / f"{region}-{name_of(moment(found.init_time))}"
    folder.mkdir(parents=True, exist_ok=True)
    if "netcdf" in formats:
        write_netcdf(found, folder / stac.NETCDF, convention)
        yield folder / stac.NETCDF
    for lead in found.lead_time.values.tolist() if "cog" in formats else ():
        write_cog(found.sel(lead_time=lead), folder / stac.tif(lead))
        yield folder / stac.tif(lead)
    if "stac" in formats:
        with whole(folder / stac.ITEM) as fresh:
            fresh.write_text(json.dumps(stac.item(found, region, formats=formats)))
        yield folder / stac.ITEM
