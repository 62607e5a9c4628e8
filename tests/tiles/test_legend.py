"""Legends say what the tiles are drawn with."""

import io

import numpy as np
import pytest
from PIL import Image

from nowcast.tiles import legend
from nowcast.tiles.palettes import PALETTES, palette


def test_classes_join_and_the_last_is_open() -> None:
    told = legend.told("rain", "classic", palette("rain", "classic"))
    assert (told["title"], told["units"], told["palette"]) == ("Rain rate", "mm/h", "classic")
    assert told["classes"][0] == {"from": 0.1, "to": 0.2, "colour": "#b3e0ff"}
    assert told["classes"][-1] == {"from": 50.0, "to": None, "colour": "#862e9c"}
    assert [c["to"] for c in told["classes"][:-1]] == [c["from"] for c in told["classes"][1:]]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, named in PALETTES.items() for name in named])
def test_the_picture_has_every_colour_on_a_light_panel(kind: str, name: str) -> None:
    of = PALETTES[kind][name]  # type: ignore[index]
    image = np.asarray(Image.open(io.BytesIO(legend.drawn(of))).convert("RGBA"))
    shown = {"#" + bytes(pixel[:3]).hex() for pixel in image.reshape(-1, 4)}
    assert set(of.colours) <= shown
    assert (image[image.shape[0] // 2, -3, :3] > 240).all()
    assert image[image.shape[0] // 2, -3, 3] > 200
    assert image[0, 0, 3] == 0
