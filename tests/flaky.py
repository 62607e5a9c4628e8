"""A proxy before an HTTP server that fails as networks and busy servers do: 503, resets before and after, stalls."""

import http.client
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

FAULTS = ("busy", "reset", "lost answer", "stall")
STALL_S = 0.5
OWN = ("transfer-encoding", "connection", "content-length")


Choose = Callable[[str, str], str]
"""Method and path of a request -> the kind of fault that it meets, or nothing."""


@contextmanager
def flaky(url: str, share: float, seed: int = 1) -> Iterator[tuple[str, Counter[str]]]:
    """The URL of a proxy before `url` where such a share of requests meets a fault; how many met each kind."""
    chance, met, lock = random.Random(seed), Counter[str](), Lock()

    def choose(method: str, path: str) -> str:
        with lock:
            fault = chance.choice(FAULTS) if chance.random() < share else ""
            met[fault] += 1
        return fault

    with _before(url, choose) as address:
        yield address, met


@contextmanager
def losing(url: str, method: str, ending: str) -> Iterator[tuple[str, list[int]]]:
    """The URL of a proxy that loses the first answer to such a request; a list with 1 when it has."""
    lost: list[int] = []

    def choose(asked: str, path: str) -> str:
        if lost or asked != method or not urlsplit(path).path.endswith(ending):
            return ""
        lost.append(1)
        return "lost answer"

    with _before(url, choose) as address:
        yield address, lost


@contextmanager
def _before(url: str, choose: Choose) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _proxy(urlsplit(url).netloc, choose))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _proxy(target: str, choose: Choose) -> type[BaseHTTPRequestHandler]:
    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            fault = choose(self.command, self.path)
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

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Proxy, f"do_{method}", Proxy._pass_on)
    return Proxy
