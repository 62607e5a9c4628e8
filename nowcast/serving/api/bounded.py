"""HTTP connections that can be neither held open nor filled up: how long a request may be, and take to come in."""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

LONGEST_REQUEST = 16 * 1024
"""Bytes of first line, headers and body. Every question is a GET; the one form is small."""

REQUEST_S = 10.0
"""Seconds from the connection, or the first byte of its next request, to the end of a request."""

KEEP_ALIVE_S = 5
"""Seconds that a connection may wait for its next request."""

MOST_AT_ONCE = 256
"""Connections and requests at one time; further ones get 503."""


class Bounded(HttpToolsProtocol):
    """uvicorn's protocol, which by itself reads a request of any length for any time."""

    request_s = REQUEST_S

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._read, self._is_told = 0, False
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A request must come soon."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a request that is not complete: one read of the socket more than allowed at most."""
        self._wait()
        self._read += len(data)
        super().data_received(data)
        if self._read > LONGEST_REQUEST:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """A head that is too long may also come in one read."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > LONGEST_REQUEST:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._is_told = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Of a request that was not refused."""
        if self._is_told:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The next byte begins another request."""
        self._wait_no_more()
        self._read, is_told, self._is_told = 0, self._is_told, False
        if is_told:
            super().on_message_complete()

    def _wait(self) -> None:
        """The clock of a request does not begin again with each of its bytes."""
        if self._late is None:
            self._late = self.loop.call_later(self.request_s, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Hang up, and say why unless an answer is under way."""
        self._wait_no_more()
        if self.transport.is_closing():
            return
        if not self._is_told:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode())
        self.transport.close()


OPTIONS: dict[str, Any] = {
    "http": Bounded,
    "ws": "none",
    "timeout_keep_alive": KEEP_ALIVE_S,
    "limit_concurrency": MOST_AT_ONCE,
    "server_header": False,
    "log_level": "warning",
}
"""How the service is run by uvicorn."""
