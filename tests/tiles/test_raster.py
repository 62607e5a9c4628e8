"""Classes begin at their bounds; missing, dry and wet stay what they are."""

import io

import numpy as np
import pytest
from PIL import Image

from nowcast.core.rain import MARSHALL_PALMER
from nowcast.tiles.mercator import Warp
from nowcast.tiles.palettes import PALETTES, Palette
from nowcast.tiles.raster import (
    UNSEEN_COLOUR,
    blank,
    blended,
    classes,
    has_value,
    hundredths,
    png,
    reflectivities,
    seen_unless,
    tile_classes,
)

EVERY = [palette for named in PALETTES.values() for palette in named.values()]
NAN = np.float32(np.nan)


def through(rows: list[float], cols: list[float], height: int, width: int) -> Warp:
    """A tile that looks at some positions of a field, all of them inside."""
    row, col = np.array([rows], np.float32), np.array([cols], np.float32)
    index = row.astype(np.int32) * width + col.astype(np.int32)
    return Warp(slice(0, height), slice(0, width), row, col, index)


@pytest.mark.parametrize("palette", EVERY)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_class_begins_at_its_bound(palette: Palette, dtype: str) -> None:
    bounds = [b for b in palette.bounds if dtype != "uint8" or b < 2.55]
    at = np.array([round(b * 100) for b in bounds])
    if dtype == "float32":
        stored, coding = (at / 100).astype(np.float32), None
        below = np.nextafter(stored, np.float32(0))
    else:
        stored, coding = at.astype(dtype), hundredths(dtype)
        below = stored - 1
    assert classes(stored, palette, coding).tolist() == list(range(1, len(bounds) + 1))
    assert classes(below, palette, coding).tolist() == list(range(len(bounds)))


def test_missing_has_no_class_and_the_greatest_value_the_last() -> None:
    rain, chance = PALETTES["rain"]["classic"], PALETTES["chance"]["plasma"]
    assert classes(np.array([65535, 65534, 0], np.uint16), rain, hundredths("uint16")).tolist() == [0, 15, 0]
    assert classes(np.array([255, 100, 0], np.uint8), chance, hundredths("uint8")).tolist() == [0, 10, 0]
    assert classes(np.array([NAN, 0, 1e6], np.float32), rain).tolist() == [0, 0, 15]


def test_reflectivity_is_drawn_as_the_rain_rate_that_it_stands_for() -> None:
    dbz = np.array([-32768, -3200, 1500, 2302, 4000, 6000], np.int16)
    rates = MARSHALL_PALMER.rain_rate((dbz / 100).astype(np.float32))
    coding, rain = reflectivities(MARSHALL_PALMER), PALETTES["rain"]["classic"]
    assert classes(dbz, rain, coding)[1:].tolist() == classes(rates, rain)[1:].tolist()
    assert classes(dbz, rain, coding).tolist()[:4] == [0, 0, 2, 5]


def test_colours_are_the_palettes_and_class_0_is_transparent() -> None:
    palette = PALETTES["rain"]["classic"]
    image = Image.open(io.BytesIO(png(np.arange(16, dtype=np.uint8).reshape(4, 4), palette.colours)))
    assert image.mode == "P"
    pixels = np.asarray(image.convert("RGBA")).reshape(16, 4)
    assert pixels[0, 3] == 0
    assert ["#" + bytes(pixel[:3]).hex() for pixel in pixels[1:]] == list(palette.colours)
    assert (pixels[1:, 3] == 255).all()


def test_a_blank_tile_is_transparent_or_all_grey() -> None:
    clear, grey = (np.asarray(Image.open(io.BytesIO(blank(256, unseen))).convert("RGBA")) for unseen in (False, True))
    assert clear.shape == (256, 256, 4)
    assert not clear[..., 3].any()
    assert {tuple(pixel) for pixel in grey.reshape(-1, 4)} == {(*bytes.fromhex(UNSEEN_COLOUR[1:]), 128)}


def test_blending_lies_between_the_centres() -> None:
    field = np.array([[0, 4], [8, 12]], np.float32)
    looks = through([0.5, 0.5, 0.5, 1.0, 1.25], [0.5, 1.0, 1.5, 1.0, 0.5], 2, 2)
    assert blended(field, looks).tolist() == [[0, 2, 4, 6, 6]]


def test_blending_at_the_rim_takes_the_rim() -> None:
    assert blended(np.array([[4, 8]], np.float32), through([0.1, 0.9], [0.1, 1.9], 1, 2)).tolist() == [[4, 8]]


def test_missing_neither_grows_nor_shrinks_nor_dilutes() -> None:
    field = np.array([[0, 4, NAN]], np.float32)
    found = blended(field, through([0.5] * 4, [1.0, 1.99, 2.01, 2.5], 1, 3))[0]
    np.testing.assert_allclose(found, [2, 4, NAN, NAN])


def test_dry_beside_missing_stays_dry_and_known() -> None:
    found = blended(np.array([[0, NAN]], np.float32), through([0.5, 0.5], [0.99, 1.01], 1, 2))[0]
    assert found[0] == 0
    assert np.isnan(found[1])


def test_outside_the_grid_there_is_neither_class_nor_value() -> None:
    looks = through([0.5, 0.5], [0.5, 1.5], 1, 2)
    looks.index[0, 1] = -1
    stored, rain = np.array([[500, 500]], np.uint16), PALETTES["rain"]["classic"]
    for smooth in (False, True):
        assert tile_classes(stored, looks, rain, hundredths("uint16"), smooth).tolist() == [[9, 0]]
    assert has_value(stored, looks, hundredths("uint16")).tolist() == [[True, False]]


def test_flags_and_truth_values_say_what_is_seen() -> None:
    every = through([0.5] * 4, [0.5, 1.5, 2.5, 3.5], 1, 4)
    assert has_value(np.array([[0, 1, 2, 255]], np.uint8), every, seen_unless(0, 1)).tolist() == [[0, 0, 1, 1]]
    both = through([0.5] * 2, [0.5, 1.5], 1, 2)
    assert has_value(np.array([[False, True]]), both, seen_unless(0)).tolist() == [[False, True]]
