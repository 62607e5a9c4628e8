"""Damaged files end in BadScan that names the file, never in another exception and never in a scan made of nothing."""

import gzip
import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from radar import RADAR, needs_radar, sample

from nowcast.core.scan import Scan
from nowcast.sources import BadScan, decode

pytestmark = needs_radar

NAMES = (
    "fmi-pgm",
    "fmi-geotiff",
    "mch-gif",
    "bom",
    "knmi-rap",
    "knmi-pcp",
    "opera-2018",
    "combiprecip",
    "mrms",
    "radolan-yw",
    "meteonet-rain",
)
SLOW = ("fmi-geotiff", "mrms")


def plain(name: str) -> bytes:
    content = sample(name).read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def refused(path: Path, content: bytes) -> str:
    """The reason for which a file of this content is refused."""
    path.write_bytes(content)
    with pytest.raises(BadScan) as caught:
        decode(path)
    assert caught.value.name == path.name
    assert str(caught.value).startswith(f"{path.name}: ")
    return caught.value.reason


@pytest.mark.parametrize("name", NAMES)
class TestDamage:
    def test_truncated(self, name: str, tmp_path: Path) -> None:
        content, path = plain(name), tmp_path / sample(name).name
        for size in (len(content) // 2, 100, 4, 1):
            assert refused(path, content[:size])

    def test_last_bytes_lost(self, name: str, tmp_path: Path) -> None:
        assert refused(tmp_path / sample(name).name, plain(name)[:-20])

    def test_empty_or_text(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / sample(name).name
        assert refused(path, b"") == "empty file"
        assert refused(path, b"<html>503 Service Unavailable</html>\n" * 9) == "content is of no known radar format"

    def test_flipped_bytes(self, name: str, tmp_path: Path) -> None:
        """Formats without checksums may still decode; then the result is a valid Scan."""
        content, path = plain(name), tmp_path / sample(name).name
        for seed in range(3 if name in SLOW else 20):
            dice = random.Random(seed)
            spoilt = bytearray(content)
            start = dice.randrange(4000) if seed % 2 else len(spoilt) // 2 + dice.randrange(4000)
            for at in range(start, start + dice.choice((1, 4, 64))):
                spoilt[at] ^= dice.randrange(1, 256)
            path.write_bytes(spoilt)
            with suppress(BadScan):
                assert all(isinstance(scan, Scan) for scan in decode(path))


@pytest.mark.parametrize("name", ["fmi-pgm", "radolan-yw"])
def test_truncated_gzip(name: str, tmp_path: Path) -> None:
    content = sample(name).read_bytes()
    assert refused(tmp_path / "cut.gz", content[: len(content) // 2]) == "truncated gzip"


@pytest.mark.parametrize("name", ["fmi-pgm", "radolan-yw"])
def test_flipped_gzip(name: str, tmp_path: Path) -> None:
    content = bytearray(sample(name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    assert "gzip" in refused(tmp_path / "spoilt.gz", bytes(content))


def test_mrms_pixels_that_fail_their_checksum_are_not_a_scan_without_coverage(tmp_path: Path) -> None:
    """GDAL's GRIB driver prints a libpng error and returns -3, "no coverage", everywhere."""
    content = bytearray(plain("mrms"))
    content[len(content) // 2] ^= 0xFF
    assert "checksum" in refused(tmp_path / "spoilt.grib2", bytes(content))


def test_a_forecast_is_not_a_scan() -> None:
    with pytest.raises(BadScan, match=r"RAD_NL25_RAC_FM_202412222055.h5: holds several images: a forecast"):
        decode(RADAR / "extras/RAD_NL25_RAC_FM_202412222055.h5")


@pytest.mark.parametrize(
    "path",
    [
        "extras/DE1200_RV2210180700.tar.bz2",
        "meteonet/2016_08.3/radar_coords_NW.npz",
        "polar/odim-pvol/single/selul_pvol_201503300845.h5",
    ],
)
def test_what_is_not_a_composite_is_refused(path: str) -> None:
    with pytest.raises(BadScan, match=Path(path).name):
        decode(RADAR / path)


def test_meteonet_without_any_missing_pixel_is_refused(tmp_path: Path) -> None:
    """Rain and reflectivity are told apart by the mark of their missing pixels, never by the file's name."""
    with np.load(sample("meteonet-rain"), allow_pickle=True) as file:
        arrays = dict(file)
    path = tmp_path / "rainfall_NW.npz"
    np.savez(path, **(arrays | {"data": np.maximum(arrays["data"], 0)}))
    assert "rain or reflectivity" in refused(path, path.read_bytes())
