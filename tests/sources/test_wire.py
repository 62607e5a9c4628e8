"""A child that was taken over by a file says anything: its parent makes a sane scan of it or refuses the file."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from nowcast.core.grid import Grid
from nowcast.core.rain import ZR
from nowcast.core.scan import Scan
from nowcast.sources import wire
from nowcast.sources.limits import Limits
from nowcast.sources.sandbox import Decoder, _Lost

GRID = Grid("EPSG:3067", 2e5, 7e6, 1e3, 2e3, 2, 3)
VALUES = np.array([[0, 0.1, np.nan], [12.5, np.nan, 1]], np.float32)
SCAN = Scan(
    *("test", "lowest ", datetime(2020, 1, 1, 0, 0, 1, 5, tzinfo=UTC), "rain_rate", VALUES, np.isfinite(VALUES), GRID),
    *(ZR(223.0, 1.53), timedelta(minutes=5)),
)
FIELDS = {
    "source": "test",
    "product": "lowest",
    "nominal_time": "2020-01-01T00:00:00+00:00",
    "quantity": "rain_rate",
    "grid": GRID.to_json(),
    "zr": [200.0, 1.6],
    "interval_s": None,
}
PIXELS = VALUES.tobytes()

Say = Callable[[bytes], None]


@pytest.fixture
def talk() -> Iterator[tuple[Decoder, socket.socket]]:
    """A decoder, and the other end of its socket."""
    ours, theirs = socket.socketpair()
    decoder = Decoder(Limits(wall_s=2.0), subprocess.Popen(["sleep", "60"]), ours)
    yield decoder, theirs
    theirs.close()
    decoder.close()


def framed(message: object) -> bytes:
    """A message as it goes over the wire."""
    content = message if isinstance(message, bytes) else json.dumps(message).encode()
    return wire.LENGTH.pack(len(content)) + content


def test_a_scan_comes_back_as_it_was(talk: tuple[Decoder, socket.socket]) -> None:
    decoder, child = talk
    wire.send_scan(child, SCAN)
    wire.send(child, {"whole": True})
    (back,) = decoder.scans(Path("file"))
    np.testing.assert_array_equal(back.values, VALUES)
    assert back.scan_id == SCAN.scan_id
    for name in ("source", "product", "nominal_time", "quantity", "grid", "zr", "interval"):
        assert getattr(back, name) == getattr(SCAN, name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"grid": GRID.to_json() | {"height": 10**9}}, "pixels, at most"),
        ({"grid": GRID.to_json() | {"height": -2, "width": -3}}, "-2 x -3 pixels"),
        ({"grid": GRID.to_json() | {"dx": float("nan")}}, "must be finite"),
        ({"grid": GRID.to_json() | {"crs": "+proj=longlat +nadgrids=/etc/passwd"}}, "projection with 'grids'"),
        ({"grid": GRID.to_json() | {"crs": 7}}, "7 is no text"),
        ({"grid": None}, "NoneType"),
        ({"quantity": "snow"}, "quantity 'snow'"),
        ({"nominal_time": "soon"}, "soon"),
        ({"zr": [float("nan"), 1.6]}, "must be positive and finite"),
        ({"zr": [1]}, "missing"),
        ({"interval_s": "long"}, "could not convert"),
        ({"source": ["a"]}, "is no text"),
    ],
)
def test_a_scan_that_is_none(talk: tuple[Decoder, socket.socket], change: dict[str, object], reason: str) -> None:
    decoder, child = talk
    child.sendall(framed({"scan": FIELDS | change}) + PIXELS + framed({"whole": True}))
    with pytest.raises(_Lost, match=f"decoder sent what is no scan: .*{reason}"):
        decoder.scans(Path("file"))
    assert not decoder.in_step


@pytest.mark.parametrize(
    "said",
    [
        framed(b"[" * 60_000),
        framed([1]),
        framed(b"\xff"),
        b"\xff\xff\xff\xff",
        framed({"scan": {}}),
        framed({"scan": 5}),
    ],
    ids=["deep", "list", "no text", "long", "empty", "number"],
)
def test_words_that_are_none(talk: tuple[Decoder, socket.socket], said: bytes) -> None:
    decoder, child = talk
    child.sendall(said)
    with pytest.raises(_Lost, match="decoder sent what is no scan"):
        decoder.scans(Path("file"))


def test_infinite_values_are_not_covered(talk: tuple[Decoder, socket.socket]) -> None:
    """Scan refuses them: they are neither numbers nor marks of missing."""
    decoder, child = talk
    child.sendall(framed({"scan": FIELDS}) + np.full((2, 3), np.inf, np.float32).tobytes())
    with pytest.raises(_Lost, match="finite where covered"):
        decoder.scans(Path("file"))


def test_less_than_all_pixels(talk: tuple[Decoder, socket.socket]) -> None:
    decoder, child = talk
    child.sendall(framed({"scan": FIELDS}) + PIXELS[:-1])
    with pytest.raises(_Lost, match="decoding took more than 2 s"):
        decoder.scans(Path("file"))


def test_a_child_that_drips_is_given_no_more_time(talk: tuple[Decoder, socket.socket]) -> None:
    decoder, child = talk
    decoder.limits = replace(decoder.limits, wall_s=0.5)
    done = threading.Event()

    def drip() -> None:
        while not done.wait(0.05):
            child.sendall(b"\x00")

    thread = threading.Thread(target=drip)
    child.sendall(wire.LENGTH.pack(60_000))
    thread.start()
    with pytest.raises(_Lost, match=r"decoding took more than 0.5 s"):
        decoder.scans(Path("file"))
    done.set()
    thread.join()
