"""Files made here: these run without any radar samples."""

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest

from nowcast.core.grid import Grid
from nowcast.core.rain import NO_ECHO
from nowcast.core.scan import Scan
from nowcast.sources import BadScan, decode, odim_hdf5, payload

TIME = datetime(2020, 1, 31, 23, 55, tzinfo=UTC)
GRID = Grid("EPSG:3067", 200_000.0, 7_000_000.0, 1000.0, 2000.0, 3, 4)
NAN = float("nan")


def rain(grid: Grid = GRID) -> Scan:
    values = np.array([[0, 0.25, 0, NAN], [12.5, 0, NAN, NAN], [0, 0, 499, 0.01]], np.float32)
    return Scan("test", "lowest", TIME, "rain_rate", values, np.isfinite(values), grid)


@pytest.fixture
def odim(tmp_path: Path) -> Path:
    path = tmp_path / "composite.h5"
    odim_hdf5.write(rain(), path)
    return path


@pytest.mark.parametrize(
    "grid",
    [
        GRID,
        Grid("EPSG:4326", 5.0, 60.0, 0.02, 0.01, 3, 4),
        Grid("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6370040 +units=m +no_defs", -5e5, -36e5, 1e3, 1e3, 3, 4),
    ],
    ids=["UTM", "degrees", "stereographic"],
)
def test_odim_roundtrip(grid: Grid, tmp_path: Path) -> None:
    path = tmp_path / "composite.h5"
    odim_hdf5.write(rain(grid), path)
    (back,) = decode(path)
    np.testing.assert_array_equal(back.values, rain().values)
    np.testing.assert_array_equal(back.coverage, rain().coverage)
    assert back.nominal_time == TIME
    assert back.quantity == "rain_rate"
    grid.require(back.grid)
    assert (back.grid.dx, back.grid.dy) == (grid.dx, grid.dy)


def test_odim_roundtrip_of_reflectivity_keeps_the_rain_rate(tmp_path: Path) -> None:
    values = np.array([[NO_ECHO, 23.0103, NAN, 40]] * 3, np.float32)
    scan = Scan("test", "lowest", TIME, "reflectivity", values, np.isfinite(values), GRID)
    odim_hdf5.write(scan, tmp_path / "composite.h5")
    (back,) = decode(tmp_path / "composite.h5")
    np.testing.assert_array_equal(back.rain_rate, scan.rain_rate)


def test_odim_attributes_may_sit_on_the_dataset(odim: Path) -> None:
    with h5py.File(odim, "r+") as file:
        below, above = file["dataset1/data1/what"].attrs, file["dataset1/what"].attrs
        for name in list(below):
            above[name] = below[name]
            del below[name]
    np.testing.assert_array_equal(decode(odim)[0].values, rain().values)


def test_odim_sum_becomes_a_rate(odim: Path) -> None:
    """0.25 mm in 15 min is 1 mm/h."""
    with h5py.File(odim, "r+") as file:
        file["dataset1/data1/what"].attrs["quantity"] = "ACRR"
        file["dataset1/what"].attrs["starttime"] = "234000"
    (scan,) = decode(odim)
    assert scan.interval == timedelta(minutes=15)
    assert scan.values[0, 1] == 1.0


@pytest.mark.parametrize(
    ("group", "name", "value", "reason"),
    [
        ("what", "object", "PVOL", "ODIM object PVOL is not a composite"),
        ("what", "date", "20201350", "damaged odim-hdf5 file: ValueError"),
        ("dataset1/data1/what", "quantity", "VRADH", "holds none of RATE"),
        ("dataset1/data1/what", "quantity", "ACRR", "ACRR without an accumulation period"),
        ("where", "projdef", "nonsense", "damaged odim-hdf5 file"),
        ("where", "UL_lon", NAN, "damaged odim-hdf5 file"),
        ("where", "xsize", 5, "the grid needs"),
    ],
)
def test_odim_files_that_make_no_sense(odim: Path, group: str, name: str, value: object, reason: str) -> None:
    with h5py.File(odim, "r+") as file:
        file[group].attrs[name] = value
    with pytest.raises(BadScan, match=f"composite.h5: .*{reason}"):
        decode(odim)


def test_odim_without_gain(odim: Path) -> None:
    with h5py.File(odim, "r+") as file:
        del file["dataset1/data1/what"].attrs["gain"]
    with pytest.raises(BadScan, match="no attribute gain"):
        decode(odim)


def test_gzip_is_seen_through(odim: Path) -> None:
    packed = odim.with_name("whatever")
    packed.write_bytes(gzip.compress(odim.read_bytes()))
    assert decode(packed)[0].scan_id == decode(odim)[0].scan_id


def test_truncated_gzip(odim: Path) -> None:
    content = gzip.compress(odim.read_bytes())
    for size in (2, 9, len(content) // 2, len(content) - 1):
        odim.write_bytes(content[:size])
        with pytest.raises(BadScan, match="composite.h5: .*gzip"):
            decode(odim)


def test_gzip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_BYTES", 10_000)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1_000_000)))
    with pytest.raises(BadScan, match="bomb.gz: unpacks to more than 10000 bytes"):
        decode(path)


def test_file_larger_than_any_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_BYTES", 100)
    path = tmp_path / "large.h5"
    path.write_bytes(bytes(101))
    with pytest.raises(BadScan, match="large.h5: larger than 100 bytes"):
        decode(path)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"GRIB", b"P5", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"GIF8", b"II*\x00"]
)
def test_a_magic_number_alone_is_not_a_scan(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "stub"
    path.write_bytes(content)
    with pytest.raises(BadScan, match="^stub: "):
        decode(path)


def pgm(pixels: bytes) -> bytes:
    header = """P5
# obstime 201609281600
# productname LOWEST
# param CorrectedReflectivity
# projection radar {
# centrallongitude 25
# truelatitude 60
# bottomleft 18.600000 57.930000
# topright 34.903000 69.005000
# }
4 2
255
"""
    return header.encode() + pixels


def test_pgm_values(tmp_path: Path) -> None:
    """dBZ = (v - 64) / 2; 255 is outside, 0 nothing detected."""
    path = tmp_path / "made.pgm"
    path.write_bytes(pgm(bytes([0, 64, 110, 255, 65, 66, 67, 68])))
    (scan,) = decode(path)
    np.testing.assert_array_equal(scan.values, [[NO_ECHO, 0, 23, NAN], [0.5, 1, 1.5, 2]])
    assert scan.nominal_time == datetime(2016, 9, 28, 16, tzinfo=UTC)


def test_pgm_pixels_that_read_like_a_comment_are_pixels(tmp_path: Path) -> None:
    """10 is a line feed, 35 a hash sign: -27 and -14.5 dBZ."""
    path = tmp_path / "made.pgm"
    path.write_bytes(pgm(b"\n#\n#\n#\n#"))
    np.testing.assert_array_equal(decode(path)[0].values, [[-27, -14.5] * 2] * 2)


def radolan(raw: list[int], interval: int = 5) -> bytes:
    pixels = np.full((900, 900), 0x29C4, "<u2")
    pixels[0, : len(raw)] = raw
    head = f"RY011500100000120BY1620142VS 3SW   2.21.0PR E-02INT{interval:>4}GP 900x 900MS 70<asb>".encode()
    return head.ljust(141) + b"\x03" + pixels.tobytes()


def test_radolan_flags_and_row_order(tmp_path: Path) -> None:
    """The first row of the file is the southernmost; 3 is 0.03 mm in 5 min, 0.36 mm/h; bit 13 marks a second source."""
    path = tmp_path / "made"
    path.write_bytes(radolan([0, 3, 0x1003, 0x2003, 0x4003, 0x8003]))
    (scan,) = decode(path)
    np.testing.assert_allclose(scan.values[-1, :7], [0, 0.36, 0.36, NAN, NAN, NAN, NAN], rtol=1e-6)
    assert scan.coverage.sum() == 3
    assert scan.nominal_time == datetime(2020, 1, 1, 15, tzinfo=UTC)


def test_radolan_sum_over_no_time(tmp_path: Path) -> None:
    path = tmp_path / "made"
    path.write_bytes(radolan([0], interval=0))
    with pytest.raises(BadScan, match="ZeroDivisionError"):
        decode(path)


class Evil:
    """Unpickled carelessly, this makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


def test_meteonet_dates_cannot_run_code(tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "rainfall.npz"
    data = np.full((1, 565, 784), -1, np.int16)
    dates = np.array([Evil(trap)], object)
    np.savez(path, data=data, dates=dates, miss_dates=dates)
    with pytest.raises(BadScan, match=r"rainfall.npz: .*refuses to unpickle \w+"):
        decode(path)
    assert not trap.exists()


@pytest.mark.parametrize("dates", [["yesterday"], [None], [datetime(2020, 1, 1)] * 2])
def test_meteonet_dates_that_are_none(dates: list[object], tmp_path: Path) -> None:
    path = tmp_path / "rainfall.npz"
    data = np.full((1, 565, 784), -1, np.int16)
    np.savez(path, data=data, dates=np.array(dates, object), miss_dates=np.array([], object))
    with pytest.raises(BadScan, match=r"rainfall.npz: "):
        decode(path)
