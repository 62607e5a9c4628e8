"""Files that are made to harm: to fill the memory, to read other files, to run code. Each is refused with a reason."""

import bz2
import gzip
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from radar import needs_radar, sample
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from nowcast.core.grid import Grid
from nowcast.core.scan import Scan
from nowcast.sources import BadScan, decode, hdf5, odim_hdf5
from nowcast.sources import payload as payloads
from nowcast.sources.limits import MAX_PIXELS, MIB
from nowcast.sources.meteonet import _dates

SECRET = "/etc/passwd"
TIME = datetime.fromisoformat("2020-01-01T20:00:00+00:00")


def composite(path: Path) -> Path:
    """An ODIM file of 4 x 4 pixels of 1 mm/h."""
    values = np.ones((4, 4), np.float32)
    grid = Grid("EPSG:3067", 2e5, 7e6, 1e3, 1e3, 4, 4)
    odim_hdf5.write(Scan("test", "lowest", TIME, "rain_rate", values, values > 0, grid), path)
    return path


def refused(path: Path, content: bytes | None = None) -> str:
    """Why a file, of this content where given, is refused."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadScan) as caught:
        decode(path)
    return caught.value.reason


def peak_of(work: Callable[[], object]) -> int:
    """Most bytes that Python and numpy held at once meanwhile."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


class TestBombs:
    """What unpacks to much more than it is."""

    @pytest.mark.parametrize(("pack", "packing"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2")])
    def test_ratio(self, tmp_path: Path, pack: Callable[[bytes], bytes], packing: str) -> None:
        """Given up a little after 64 MiB."""
        content = pack(bytes(200 * MIB))
        peak = peak_of(lambda: self._refuse(tmp_path / packing, content))
        assert peak < 90 * MIB

    def _refuse(self, path: Path, content: bytes) -> None:
        assert refused(path, content) == "unpacks to more than 200 times its size"

    def test_size(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(payloads, "MAX_BYTES", 10_000)
        content = bz2.compress(os.urandom(5000) + bytes(20_000))
        assert refused(tmp_path / "bomb.bz2", content) == "unpacks to more than 10000 bytes"

    def test_bzip2_is_seen_through_like_gzip(self, tmp_path: Path) -> None:
        plain = composite(tmp_path / "plain.h5")
        packed = tmp_path / "packed"
        packed.write_bytes(bz2.compress(plain.read_bytes()))
        assert decode(packed)[0].scan_id == decode(plain)[0].scan_id
        assert refused(packed, bz2.compress(plain.read_bytes())[:-9]) == "truncated bzip2"
        assert "damaged bzip2" in refused(packed, b"BZh9" + bytes(100))

    def test_meteonet_data_of_a_terabyte(self, tmp_path: Path) -> None:
        header = io.BytesIO()
        shape = (10**6, 565, 784)
        np.lib.format.write_array_header_1_0(header, {"descr": "<i2", "fortran_order": False, "shape": shape})
        path = npz(tmp_path, header.getvalue(), dates(1))
        assert f"1 dates for data {shape}" in refused(path)

    def test_meteonet_data_longer_than_they_say(self, tmp_path: Path) -> None:
        data = io.BytesIO()
        np.save(data, np.full((1, 565, 784), -1, np.int16))
        path = npz(tmp_path, data.getvalue() + bytes(300 * MIB), dates(1))
        assert peak_of(lambda: refused(path)) < 20 * MIB

    def test_gif_of_a_larger_picture(self, tmp_path: Path) -> None:
        content = io.BytesIO()
        Image.new("P", (8000, 8000)).save(content, "GIF", comment=b"PRDT=AQC161932045 ACCUm=0005 ")
        assert (
            refused(tmp_path / "large.gif", content.getvalue())
            == "image is (8000, 8000), the Swiss domain is (640, 710)"
        )

    def test_tiff_that_declares_more_than_any_grid(self, tmp_path: Path) -> None:
        assert "20000 x 20000 pixels, at most" in refused(tmp_path / "large.tif", tiff(20_000, 20_000))

    def test_tiff_that_is_turned(self, tmp_path: Path) -> None:
        """Its corner and pixel size are those of a grid, its pixels lie elsewhere."""
        assert "not north up" in refused(tmp_path / "turned.tif", tiff(4, 4, turn=10.0))

    @pytest.mark.parametrize("shape", [(10**6, 10**6), (MAX_PIXELS + 1,)])
    def test_hdf5_that_declares_more_than_any_grid(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        path = with_pixels(composite(tmp_path / "large.h5"), shape=shape, dtype="f4", chunks=True)
        assert f"pixels, at most {MAX_PIXELS}" in refused(path)

    def test_hdf5_of_few_pixels_in_a_huge_chunk(self, tmp_path: Path) -> None:
        path = composite(tmp_path / "chunk.h5")
        wide = with_pixels(path, shape=(4, 4), maxshape=(None, None), dtype="f4", chunks=(20_000, 20_000))
        assert "20000 x 20000 pixels, at most" in refused(wide)

    def test_hdf5_of_numbers_that_are_none(self, tmp_path: Path) -> None:
        wide = with_pixels(composite(tmp_path / "void.h5"), shape=(4, 4), dtype="V1000")
        assert "holds |V1000, not numbers" in refused(wide)

    def test_hdf5_attribute_longer_than_any(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hdf5, "MAX_ATTRIBUTE", 999)
        path = composite(tmp_path / "long.h5")
        with h5py.File(path, "r+") as file:
            file["what"].attrs["object"] = np.zeros(1000, "u1")
        assert "attribute object has 1000 bytes" in refused(path)


class TestReachingOut:
    """HDF5 files, rasters and projections that name other files."""

    @pytest.mark.parametrize("where", ["dataset1/data1/data", "dataset1", "what"])
    def test_external_link(self, tmp_path: Path, where: str) -> None:
        path = composite(tmp_path / "link.h5")
        with h5py.File(path, "r+") as file:
            del file[where]
            file[where] = h5py.ExternalLink(SECRET, "/")
        assert refused(path) == f"{where} is an external link"

    def test_soft_link(self, tmp_path: Path) -> None:
        path = composite(tmp_path / "link.h5")
        with h5py.File(path, "r+") as file:
            file["dataset1/data2"] = h5py.SoftLink("/dataset1/data1")
        assert refused(path) == "dataset1/data2 is a soft link"

    def test_virtual_dataset(self, tmp_path: Path) -> None:
        path = composite(tmp_path / "virtual.h5")
        with h5py.File(path, "r+") as file:
            layout = h5py.VirtualLayout((4, 4), "f4")
            layout[:] = h5py.VirtualSource(SECRET, "data", (4, 4))
            del file["dataset1/data1/data"]
            file.create_virtual_dataset("dataset1/data1/data", layout)
        assert "/dataset1/data1/data lies in other files" in refused(path)

    def test_external_storage(self, tmp_path: Path) -> None:
        external = [(SECRET, 0, 16)]
        path = with_pixels(composite(tmp_path / "external.h5"), shape=(4, 4), dtype="u1", external=external)
        assert "/dataset1/data1/data lies in other files" in refused(path)

    def test_filter_from_a_plug_in(self, tmp_path: Path) -> None:
        path = composite(tmp_path / "filter.h5")
        with h5py.File(path, "r+") as file:
            del file["dataset1/data1/data"]
            layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            layout.set_chunk((4, 4))
            layout.set_filter(32_000, h5py.h5z.FLAG_OPTIONAL)
            space, kind = h5py.h5s.create_simple((4, 4)), h5py.h5t.NATIVE_FLOAT
            h5py.h5d.create(file["dataset1/data1"].id, b"data", kind, space, layout)
        assert "packed by filter 32000, which is not allowed" in refused(path)

    def test_hdf5_has_no_folder_of_plug_ins(self) -> None:
        assert h5py.h5pl.size() == 0

    def test_more_groups_than_any_file_has(self, tmp_path: Path) -> None:
        path = composite(tmp_path / "groups.h5")
        with h5py.File(path, "r+") as file:
            for number in range(10_001):
                file["how" if number == 0 else f"link{number}"] = file["what"]
        assert refused(path) == "more than 10000 groups and datasets"

    @pytest.mark.parametrize(
        ("projection", "reason"),
        [
            ("+proj=longlat +nadgrids=/etc/passwd", "projection with 'grids'"),
            ("+init=/etc/passwd:root", "projection with"),
            ("+proj=pipeline +step +proj=longlat", "projection with 'pipeline'"),
            ("https://example.org/wkt", "projection with '://'"),
            ("+proj=longlat " + "+x_0=0 " * 2000, "projection of 14014 characters"),
            ("\x00", "damaged odim-hdf5"),
        ],
    )
    def test_projection(self, tmp_path: Path, projection: str, reason: str) -> None:
        path = composite(tmp_path / "projection.h5")
        with h5py.File(path, "r+") as file:
            file["where"].attrs["projdef"] = np.bytes_(projection)
        assert reason in refused(path)

    def test_vrt_is_no_tiff(self, tmp_path: Path) -> None:
        vrt = (
            f"<VRTDataset><SourceFilename>{SECRET}</SourceFilename>Observation time Corrected reflectivity</VRTDataset>"
        )
        assert refused(tmp_path / "a.tif", vrt.encode()) == "content is of no known radar format"
        assert "damaged fmi-geotiff file" in refused(tmp_path / "b.tif", b"II*\x00" + vrt.encode())


@needs_radar
class TestGrib:
    """A real message, changed with the checksums made right again."""

    @pytest.fixture
    def message(self) -> bytearray:
        return bytearray(sample("mrms").read_bytes())

    def test_packed_as_another_format(self, message: bytearray, tmp_path: Path) -> None:
        """Template 40 is JPEG 2000, which GDAL opens with whatever driver fits the bytes."""
        message[section(message, 5) + 10] = 40
        assert (
            refused(tmp_path / "j2k.grib2", message) == "GRIB templates and flags (0, 0, 40, 255) are not those of MRMS"
        )

    def test_from_south_to_north(self, message: bytearray, tmp_path: Path) -> None:
        message[section(message, 3) + 71] = 0x40
        assert "(0, 64, 41, 255)" in refused(tmp_path / "turned.grib2", message)

    def test_larger_than_any_grid(self, message: bytearray, tmp_path: Path) -> None:
        message[section(message, 3) + 30 : section(message, 3) + 38] = struct.pack(">II", 10**5, 10**5)
        assert "100000 x 100000 pixels, at most" in refused(tmp_path / "large.grib2", message)

    def test_png_of_another_size(self, message: bytearray, tmp_path: Path) -> None:
        at = message.index(b"IHDR")
        message[at + 4 : at + 12] = struct.pack(">II", 60_000, 60_000)
        message[at + 17 : at + 21] = struct.pack(">I", zlib.crc32(message[at : at + 17]))
        assert refused(tmp_path / "png.grib2", message) == "pixels are not a PNG of 7000 x 3500"

    def test_two_fields(self, message: bytearray, tmp_path: Path) -> None:
        assert "section 3 of" in refused(tmp_path / "two.grib2", message[:-4] + message[section(message, 3) :])


def section(message: bytes, number: int) -> int:
    """Where a section of a GRIB message begins."""
    at = 16
    while message[at + 4] != number:
        at += int.from_bytes(message[at : at + 4], "big")
    return at


class TestPickles:
    """MeteoNet's dates: read as a sequence of bytes, never unpickled."""

    STATE = b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK%ctb"
    FORGED = (
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85"
        b"cnumpy\ndtype\nX\x02\x00\x00\x00O8K\x00K\x01\x87R" + STATE % b"\x00" + b"\x89C\x08AAAAAAAAtb."
    )
    """An object array whose dtype claims to hold no objects, and whose one pointer is 0x4141414141414141: an unpickler
    that knows numpy's array and dtype and nothing else makes it, and dies when it is looked at."""

    def test_forged_pointers_are_no_dates(self) -> None:
        with pytest.raises(ValueError, match=r"0 dates for \(1,\)"):
            _dates(npy_of_objects(1) + self.FORGED)

    @pytest.mark.parametrize(
        "stream",
        [
            b"cos\nsystem\n(S'true'\ntR.",
            b"cbuiltins\neval\n(S'1'\ntR.",
            b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
            b"cnumpy\nfromfile\n(S'/etc/passwd'\ntR.",
            b"cdatetime\ntimezone\n.",
            b"cnumpy.core.multiarray\nscalar\n.",
            b"ccopyreg\n_reconstructor\n.",
        ],
    )
    def test_other_names_are_refused(self, stream: bytes) -> None:
        with pytest.raises(ValueError, match="refuses to unpickle"):
            _dates(npy_of_objects(1) + stream)

    @pytest.mark.parametrize(
        "packed", [b"\x07\xe0\x0d\x01\x00\x00\x00\x00\x00\x00", b"\x07\xe0\x01\xc8" + bytes(6), b"\xff" * 10]
    )
    def test_dates_that_no_calendar_has(self, packed: bytes) -> None:
        with pytest.raises(ValueError, match="must be in|out of range"):
            _dates(npy_of_objects(1) + b"\x80\x03C\x0a" + packed + b".")

    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_dates_of_every_protocol(self, protocol: int) -> None:
        """Protocol 2 knows no bytes, and would need a codec named in the pickle."""
        times = [datetime(2016, 8, 28, 10, minute, 30, 7) for minute in range(0, 60, 5)]
        content = npy_of_objects(12) + pickle.dumps(np.array(times, object), protocol)
        if protocol == 2:
            with pytest.raises(ValueError, match="refuses to unpickle _codecs encode"):
                _dates(content)
        else:
            assert [date.replace(tzinfo=None) for date in _dates(content)] == times


def npy_of_objects(count: int) -> bytes:
    """The header of an object array."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (count,)})
    return header.getvalue()


def dates(count: int) -> bytes:
    """dates.npy of the first minutes of 2020."""
    content = io.BytesIO()
    np.save(content, np.array([datetime(2020, 1, 1, 0, minute) for minute in range(count)], object))
    return content.getvalue()


def npz(folder: Path, data_npy: bytes, dates_npy: bytes) -> Path:
    """A MeteoNet file of these members."""
    path = folder / "rainfall.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("data", data_npy), ("dates", dates_npy), ("miss_dates", dates_npy)):
            archive.writestr(f"{name}.npy", content)
    return path


def tiff(width: int, height: int, turn: float = 0.0) -> bytes:
    """A GeoTIFF that names itself FMI's, with no pixel stored."""
    names = "Observation time Corrected reflectivity"
    shape = {"width": width, "height": height, "count": 1, "dtype": "uint8", "crs": "EPSG:3067"}
    transform = (250.0, turn, 1e5, turn, -250.0, 7e6)
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", sparse_ok=True, transform=Affine(*transform), **shape) as dataset:
            dataset.update_tags(NAMES=names)
        return bytes(memory.read())


def with_pixels(path: Path, **layout: object) -> Path:
    """The composite with its pixels laid out otherwise."""
    with h5py.File(path, "r+") as file:
        del file["dataset1/data1/data"]
        file["dataset1/data1"].create_dataset("data", **layout)
    return path
