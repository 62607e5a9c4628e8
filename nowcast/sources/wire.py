"""What a decoding child and its parent say to each other: JSON messages over a socket, and pixels as raw bytes.

A message is four bytes of length and a JSON object. One that describes a scan is followed by its values; coverage is
where they are numbers. The child may have been taken over by a file, so its words are only read, and judged again.
"""

import json
import socket
import struct
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any, get_args

import numpy as np

from nowcast.core.grid import Grid
from nowcast.core.rain import ZR
from nowcast.core.scan import Scan
from nowcast.core.timeline import parse_time
from nowcast.core.types import Quantity
from nowcast.sources.limits import require_pixels
from nowcast.sources.projection import require_plain

LENGTH = struct.Struct(">I")
MAX_MESSAGE = 65_536
MAX_TEXT = 1000
"""Characters of a scan's source and product."""

Message = dict[str, Any]


def send(channel: socket.socket, message: Message) -> None:
    """Send one message; OSError when the other side is gone."""
    content = json.dumps(message).encode()
    channel.sendall(LENGTH.pack(len(content)) + content)


def receive(channel: socket.socket, deadline: float | None = None) -> Message | None:
    """The next message, None when the other side is gone.

    TimeoutError when it has not come by the deadline on the monotonic clock, ValueError when it is none.
    """
    head = bytearray(LENGTH.size)
    if not _fill(channel, memoryview(head), deadline):
        return None
    (length,) = LENGTH.unpack(head)
    if length > MAX_MESSAGE:
        raise ValueError(f"message of {length} bytes")
    content = bytearray(length)
    if not _fill(channel, memoryview(content), deadline):
        return None
    message = json.loads(content)
    if not isinstance(message, dict):
        raise ValueError("message is no object")
    return message


def _fill(channel: socket.socket, room: memoryview, deadline: float | None) -> bool:
    """Receive as many bytes as there is room for; False when the other side is gone before."""
    while room:
        if deadline is not None:
            channel.settimeout(max(1e-3, deadline - monotonic()))
        try:
            received = channel.recv_into(room)
        except ConnectionError:
            return False
        if not received:
            return False
        room = room[received:]
    return True


def send_scan(channel: socket.socket, scan: Scan) -> None:
    """Send a scan, its pixels last."""
    send(
        channel,
        {
            "scan": {
                "source": scan.source,
                "product": scan.product,
                "nominal_time": scan.nominal_time.isoformat(),
                "quantity": scan.quantity,
                "grid": scan.grid.to_json(),
                "zr": [scan.zr.a, scan.zr.b],
                "interval_s": None if scan.interval is None else scan.interval.total_seconds(),
            }
        },
    )
    channel.sendall(np.ascontiguousarray(scan.values).data.cast("B"))


def grid_of(fields: Mapping[str, Any]) -> Grid:
    """The grid that a message describes; ValueError, TypeError or KeyError when it describes none that is sane."""
    x0, y0, dx, dy = (float(fields["grid"][name]) for name in ("x0", "y0", "dx", "dy"))
    height, width = (int(fields["grid"][name]) for name in ("height", "width"))
    require_pixels(height, width)
    require_plain(crs := _text(fields["grid"]["crs"]))
    return Grid(crs, x0, y0, dx, dy, height, width)


def receive_scan(channel: socket.socket, fields: Mapping[str, Any], grid: Grid, deadline: float) -> Scan | None:
    """The scan whose description came before, made anew here; None when the other side is gone.

    TimeoutError as in `receive`; ValueError, TypeError or KeyError when it is none.
    """
    values = np.empty(grid.shape, np.float32)
    if not _fill(channel, values.data.cast("B"), deadline):
        return None
    if fields["quantity"] not in get_args(Quantity):
        raise ValueError(f"quantity {fields['quantity']!r}")
    seconds = fields["interval_s"]
    return Scan(
        _text(fields["source"])[:MAX_TEXT],
        _text(fields["product"])[:MAX_TEXT],
        parse_time(_text(fields["nominal_time"])),
        fields["quantity"],
        values,
        ~np.isnan(values),
        grid,
        ZR(*(float(one) for one in fields["zr"])),
        None if seconds is None else timedelta(seconds=float(seconds)),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.80} is no text")
    return value
