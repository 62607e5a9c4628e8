"""Reading over HTTP within bounds: nothing of unknown size is taken in, and no message holds a query or a token."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from nowcast.sources.remote.site import Refused

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PLAIN = {"Accept-Encoding": "identity", "User-Agent": "nowcast"}
"""Packed files must come as they are."""

MAX_LISTING = 16 << 20
"""Bytes of a listing."""

GONE, FORBIDDEN = (404, 410), (401, 403)


def client() -> httpx.Client:
    """One that follows no redirect, which could lead a token elsewhere."""
    return httpx.Client(timeout=TIMEOUT, headers=PLAIN, follow_redirects=False)


def bare(url: str) -> str:
    """A URL for messages: without query, user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


@contextmanager
def answer(
    via: httpx.Client, url: str, headers: Mapping[str, str] = {}, params: Mapping[str, str] = {}
) -> Iterator[httpx.Response]:
    """An answer that is well, its body still to come.

    FileNotFoundError when there is no such thing, Refused when the server asks who we are, OSError otherwise.
    """
    try:
        with via.stream("GET", url, headers=dict(headers), params=dict(params) or None) as response:
            if response.status_code in GONE:
                raise FileNotFoundError(f"{bare(url)}: HTTP {response.status_code}, it is not there")
            if response.status_code in FORBIDDEN:
                raise Refused(f"{bare(url)}: HTTP {response.status_code}, access denied")
            if response.status_code != 200:
                raise OSError(f"{bare(url)}: HTTP {response.status_code}")
            yield response
    except httpx.HTTPError as error:
        raise OSError(f"{bare(url)}: {type(error).__name__}") from error


def text(via: httpx.Client, url: str, headers: Mapping[str, str] = {}, params: Mapping[str, str] = {}) -> str:
    """A listing as text; errors as `answer` raises them."""
    body = bytearray()
    with answer(via, url, headers, params) as response:
        for part in response.iter_raw():
            body += part
            if len(body) > MAX_LISTING:
                raise Refused(f"{bare(url)}: a listing of more than {MAX_LISTING >> 20} MiB")
    return body.decode("utf-8", "replace")
