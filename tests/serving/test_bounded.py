"""Connections to a real server that send too much, too slowly or nothing."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from service import application, server, stores_in

from nowcast.serving.api.bounded import LONGEST_REQUEST, OPTIONS, Bounded

PATIENCE_S = 0.4


class Hasty(Bounded):
    """Waits less, for tests."""

    request_s = PATIENCE_S


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("stores")
    stores_in(folder)
    with server(application(folder), **(OPTIONS | {"http": Hasty, "timeout_keep_alive": 1})) as url:
        yield url


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up; it must."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass
    return found


def test_a_long_address_is_refused(url: str) -> None:
    assert httpx.get(f"{url}/regions?{'x' * (LONGEST_REQUEST + 1)}").status_code == 431
    assert httpx.get(f"{url}/regions?{'x' * (LONGEST_REQUEST // 2)}").status_code == 200


def test_long_headers_are_refused_one_or_many(url: str) -> None:
    assert httpx.get(f"{url}/regions", headers={"X-Long": "x" * LONGEST_REQUEST}).status_code == 431
    assert httpx.get(f"{url}/regions", headers={f"X-{k}": "x" * 100 for k in range(200)}).status_code == 431
    assert httpx.get(f"{url}/regions", headers={"X-Long": "x" * 8000}).status_code == 200


def test_a_head_without_an_end_is_cut_off(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(b"GET /regions HTTP/1.1\r\nHost: here\r\nX: ")
        for _ in range(64):
            try:
                connection.sendall(b"x" * 4096)
            except ConnectionError:
                break
        else:
            pytest.fail("took 256 KiB of a header")


def test_a_body_without_an_end_is_cut_off(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(b"POST /regions HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n")
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(200):
                connection.sendall(b"x" * 5000)
                time.sleep(0.005)


@pytest.mark.parametrize("sent", [b"", b"GET /regions HTTP/1.1\r\nHost: here\r\n"])
def test_who_sends_nothing_more_is_hung_up_on(url: str, sent: bytes) -> None:
    began = time.monotonic()
    with connected(url) as connection:
        connection.sendall(sent)
        assert rest(connection).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 4 * PATIENCE_S


@pytest.mark.parametrize(
    "head",
    [
        b"GET /regions HTTP/1.1\r\nHost: here\r\nX: ",
        b"POST /regions HTTP/1.1\r\nHost: here\r\nContent-Length: 99\r\n\r\n",
    ],
    ids=["header", "body"],
)
def test_a_request_byte_by_byte_is_hung_up_on(url: str, head: bytes) -> None:
    began = time.monotonic()
    with connected(url) as connection, pytest.raises(ConnectionError):  # noqa: PT012
        connection.sendall(head)
        while time.monotonic() - began < 8 * PATIENCE_S:
            connection.sendall(b"x")
            time.sleep(PATIENCE_S / 8)


def test_others_are_answered_meanwhile_and_slow_ones_do_not_pile_up(url: str) -> None:
    slow = [connected(url) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\n")
    assert httpx.get(f"{url}/regions").status_code == 200
    for connection in slow:
        assert b" 408 " in rest(connection)
        connection.close()


def test_requests_follow_each_other_on_one_connection(url: str) -> None:
    """Also several in one packet."""
    with httpx.Client() as one:
        for _ in range(3):
            assert one.get(f"{url}/regions").status_code == 200
            time.sleep(PATIENCE_S / 2)
    with connected(url) as connection:
        line = b"GET /regions HTTP/1.1\r\nHost: here\r\n"
        connection.sendall((line + b"\r\n") * 2 + line + b"Connection: close\r\n\r\n")
        assert rest(connection).count(b"HTTP/1.1 200 OK") == 3


def test_an_idle_connection_is_closed(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(b"GET /regions HTTP/1.1\r\nHost: here\r\n\r\n")
        began = time.monotonic()
        assert b" 200 OK" in rest(connection)
    assert time.monotonic() - began < 4


def test_the_server_does_not_say_what_it_is(url: str) -> None:
    assert "server" not in httpx.get(f"{url}/regions").headers
