"""A proxy before an HTTP server that fails as networks and busy servers do: 503, resets before and after, stalls."""

import http.client
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

FAULTS = ("busy", "reset", "lost answer", "stall")
STALL_S = 1.0
OWN = ("transfer-encoding", "connection", "content-length")


@dataclass
class Weather:
    """Which share of requests meets a fault, drawn from a seed, and how many of each kind did."""

    share: float
    chance: random.Random
    met: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def draw(self) -> str:
        """A kind of fault, or nothing."""
        with self.lock:
            fault = self.chance.choice(FAULTS) if self.chance.random() < self.share else ""
            self.met[fault] += 1
        return fault


@contextmanager
def flaky(url: str, share: float, seed: int = 1) -> Iterator[tuple[str, Weather]]:
    """The URL of a proxy before `url`, and its weather."""
    weather = Weather(share, random.Random(seed))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _proxy(urlsplit(url).netloc, weather))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", weather
    finally:
        server.shutdown()
        server.server_close()


def _proxy(target: str, weather: Weather) -> type[BaseHTTPRequestHandler]:
    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            fault = weather.draw()
            if fault == "reset":
                return self._hang_up()
            if fault == "busy":
                return self._answer(503, [("retry-after", "0")], b"<Error><Code>SlowDown</Code></Error>")
            if fault == "stall":
                time.sleep(STALL_S)
            there = http.client.HTTPConnection(target, timeout=30)
            there.request(self.command, self.path, body, dict(self.headers.items()))
            found = there.getresponse()
            content = found.read()
            there.close()
            if fault == "lost answer":
                return self._hang_up()
            return self._answer(found.status, found.getheaders(), content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            with suppress(ConnectionError):
                self.send_response_only(status)
                length = next((v for k, v in headers if k.lower() == "content-length"), str(len(content)))
                for name, value in headers:
                    if name.lower() not in OWN:
                        self.send_header(name, value)
                self.send_header("content-length", length if self.command == "HEAD" else str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Proxy
