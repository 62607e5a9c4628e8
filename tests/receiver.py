"""A webhook's receiver for tests: a real HTTP server that counts, and fails on demand."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = int | str
"""A status, or "hang", "drop" the connection, "redirect", or "trickle": a header byte by byte."""


@dataclass
class Receiver:
    """What came in, and how to answer: the next of `answers`, then `usual`."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    usual: Answer = 204
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def ids(self) -> list[str]:
        """The id of every message, in the order they came; each must also be its Idempotency-Key."""
        ids = [body["id"] for body in self.bodies]
        assert ids == [header["idempotency-key"] for header in self.headers]
        return ids

    def take(self, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        """Note a message; how to answer it."""
        self.headers.append(headers)
        self.bodies.append(body)
        self.came.release()
        return self.answers.pop(0) if self.answers else self.usual


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver)) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook?key=secret"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield receiver
        receiver.released.set()
        server.shutdown()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            if isinstance(answer, str):
                getattr(self, answer)()
                return
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def hang(self) -> None:
            receiver.released.wait(30)
            self.close_connection = True

        def trickle(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not receiver.released.wait(0.05):
                self.wfile.write(b"x")
            self.close_connection = True

        def drop(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

        def redirect(self) -> None:
            self.send_response(307)
            self.send_header("Location", receiver.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
