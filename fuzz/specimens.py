"""One small valid file per format to damage: a window cut from a real one, in the format's own layout."""

import gzip
import io
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.windows import Window

from nowcast.core.timeline import utc
from nowcast.sources import odim_hdf5
from nowcast.sources.synthetic import Storm

PNG = b"\x89PNG\r\n\x1a\n"
SIDE = 64


def specimens(radar: Path) -> dict[str, bytes]:
    """Format -> content, unpacked; only what can be made here when there is no folder of real files."""
    if not radar.is_dir():
        return {"odim-hdf5": _synthetic()}
    return {name: cut((radar / path).read_bytes()) for name, (path, cut) in REAL.items()}


def _synthetic() -> bytes:
    storm = Storm(utc("2020010120", "%Y%m%d%H"), size=SIDE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "composite.h5"
        odim_hdf5.write(next(storm.scans(1)), path)
        return path.read_bytes()


def liveliest(field: np.ndarray, side: int = SIDE) -> tuple[slice, slice]:
    """The square block with the most different values."""
    rows, columns = (size // side for size in field.shape)
    blocks = [np.s_[r * side : (r + 1) * side, c * side : (c + 1) * side] for r in range(rows) for c in range(columns)]
    return max(blocks, key=lambda block: len(np.unique(field[block])))


def pgm(content: bytes) -> bytes:
    """The first rows and columns; the corners stay, so that pixels are larger."""
    plain = gzip.decompress(content)
    head, size, rest = plain.partition(b"\n760 1226\n")
    assert size, "size line"
    depth, pixels = rest[:4], np.frombuffer(rest[4:], np.uint8).reshape(1226, 760)
    return head + b"\n%d %d\n" % (SIDE, 2 * SIDE) + depth + pixels[600 : 600 + 2 * SIDE, 300 : 300 + SIDE].tobytes()


def tiff(content: bytes) -> bytes:
    """A window of the composite with its tags."""
    with MemoryFile(content) as memory, memory.open() as whole, MemoryFile() as target:
        rows, columns = liveliest(whole.read(1))
        window = Window(columns.start, rows.start, SIDE, SIDE)
        layout = whole.profile | {"width": SIDE, "height": SIDE, "transform": whole.window_transform(window)}
        with target.open(**layout | {"tiled": False, "blockxsize": None, "blockysize": None}) as part:
            part.write(whole.read(window=window))
            part.update_tags(**whole.tags())
        return bytes(target.read())


def same(content: bytes) -> bytes:
    """Small enough as it is, or of a grid that the format fixes."""
    return content


def bom(content: bytes) -> bytes:
    """The window in the north-west, with its axes."""
    return _cut_hdf5(content, {"precipitation": np.s_[:SIDE, :SIDE], "x": np.s_[:SIDE], "y": np.s_[:SIDE]}, {})


def knmi(content: bytes) -> bytes:
    """A window in the middle; its corner is said to be the old one."""
    sizes = {"geo_number_rows": SIDE, "geo_number_columns": SIDE}
    return _cut_hdf5(content, {"image1/image_data": np.s_[350 : 350 + SIDE, 300 : 300 + SIDE]}, {"geographic": sizes})


def odim(content: bytes) -> bytes:
    """The window in the middle; the corners stay, so that pixels are larger."""
    sizes = {"xsize": SIDE, "ysize": SIDE}
    return _cut_hdf5(content, {"dataset1/data1/data": np.s_[300 : 300 + SIDE, 300 : 300 + SIDE]}, {"where": sizes})


def _cut_hdf5(content: bytes, windows: dict[str, object], attributes: dict[str, dict[str, int]]) -> bytes:
    """A copy, since HDF5 does not give space back, with parts of some datasets and some attributes anew."""
    target = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as old, h5py.File(target, "w") as new:
        new.attrs.update(old.attrs)
        for name in old:
            old.copy(name, new)
        parts = {name: (old[name][window], dict(old[name].attrs)) for name, window in windows.items()}
    final = io.BytesIO()
    with h5py.File(target, "r") as old, h5py.File(final, "w") as new:
        new.attrs.update(old.attrs)
        _copy_but(old, new, set(windows))
        for name, (values, attrs) in parts.items():
            kept = {k: v for k, v in attrs.items() if k not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME")}
            packing = {"compression": "gzip", "chunks": values.shape} if values.ndim == 2 else {}
            new.create_dataset(name, data=values, **packing).attrs.update(kept)
        for group, changes in attributes.items():
            for name, value in changes.items():
                old_value = new[group].attrs[name]
                new[group].attrs[name] = np.asarray(value).astype(np.asarray(old_value).dtype)
    return final.getvalue()


def _copy_but(old: h5py.Group, new: h5py.Group, left_out: set[str], above: str = "") -> None:
    for name, item in old.items():
        if f"{above}{name}" in left_out:
            continue
        if isinstance(item, h5py.Dataset):
            values = new.create_dataset(name, data=item[()])
        else:
            values = new.create_group(name)
            _copy_but(item, values, left_out, f"{above}{name}/")
        kept = (n for n in item.attrs if n not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"))
        values.attrs.update({n: item.attrs[n] for n in kept})


def grib(content: bytes) -> bytes:
    """A part of the field in a message with the same sections."""
    message = bytearray(content)
    parts = dict(grib_sections(message))
    with Image.open(io.BytesIO(parts[7][5:])) as image:
        whole = np.asarray(image)
    picture = whole[liveliest(whole)].astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    grid = parts[3]
    grid[6:10] = struct.pack(">I", SIDE * SIDE)
    grid[30:38] = struct.pack(">II", SIDE, SIDE)
    north, west, step = (int.from_bytes(grid[at : at + 4], "big") for at in (46, 50, 63))
    grid[55:63] = struct.pack(">II", north - (SIDE - 1) * step, west + (SIDE - 1) * step)
    parts[5][5:9] = struct.pack(">I", SIDE * SIDE)
    parts[7][5:] = buffer.getvalue()
    return grib_message(content[:8], list(parts.items()))


def grib_sections(message: bytes | bytearray) -> list[tuple[int, bytearray]]:
    """Number and bytes of each section after the first."""
    at, found = 16, []
    while message[at : at + 4] != b"7777":
        length = int.from_bytes(message[at : at + 4], "big")
        found.append((message[at + 4], bytearray(message[at : at + length])))
        at += length
    return found


def grib_message(start: bytes, sections: list[tuple[int, bytearray]]) -> bytes:
    """Sections put together again with right lengths."""
    for _, section in sections:
        section[:4] = struct.pack(">I", len(section))
    body = b"".join(bytes(section) for _, section in sections) + b"7777"
    return start + struct.pack(">Q", 16 + len(body)) + body


def right_checksums(image: bytearray) -> None:
    """Make the checksums of a PNG's chunks right, as far as its lengths lead."""
    at = image.find(PNG) + len(PNG)
    while len(PNG) <= at <= len(image) - 12:
        (length,) = struct.unpack_from(">I", image, at)
        if at + 12 + length > len(image):
            return
        image[at + 8 + length : at + 12 + length] = struct.pack(">I", zlib.crc32(image[at + 4 : at + 8 + length]))
        at += 12 + length


def radolan(content: bytes) -> bytes:
    """The plain file: the format fixes its grid."""
    return gzip.decompress(content)


def meteonet(content: bytes) -> bytes:
    """The first two scans."""
    with np.load(io.BytesIO(content), allow_pickle=True) as file:
        arrays = dict(file)
    return npz({"data": arrays["data"][:2], "dates": arrays["dates"][:2], "miss_dates": arrays["miss_dates"][:1]})


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    """As numpy packs them."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def zipped(parts: dict[str, bytes]) -> bytes:
    """A deflated zip of these members."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def members(content: bytes) -> dict[str, bytes]:
    """What a zip holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


REAL: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "fmi-pgm": ("fmi-pgm/20160928/201609281600_fmi.radar.composite.lowest_FIN_SUOMI1.pgm.gz", pgm),
    "fmi-geotiff": ("fmi-geotiff/20160928/201609281600_FINUTM.tif", tiff),
    "mch-gif": ("mch-gif/20160711/AQC161932045V_00005.801.gif", same),
    "bom-netcdf": ("bom-rf3/66-mtstapl-20201031/66_20201031_041000.prcp-c10.nc", bom),
    "knmi-hdf5": ("knmi-rap/20100826/RAD_NL25_RAP_5min_201008260000.h5", knmi),
    "odim-hdf5": ("extras/CPC2335513304_00060.001.h5", odim),
    "mrms-grib2": ("mrms/20190610/PrecipRate_00.00_20190610-000000.grib2", grib),
    "dwd-radolan": ("dwd-radolan/ry-20200101-nearly-dry/raa01-ry_10000-2001011500-dwd---bin.gz", radolan),
    "meteonet": ("meteonet/2016_08.3/rainfall_NW_2016_08.3.npz", meteonet),
}
"""Format -> a real file of the sample archive, and what makes a specimen of it."""
