"""A site whose folders are shown as HTML pages of links, as Apache and nginx make them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from urllib.parse import unquote

import httpx

from nowcast.sources.remote.site import Entry, Refused, entry, filled
from nowcast.sources.remote.web import answer, bare, client, text

MAX_LINKS = 100_000
"""Of a page."""


class Links(HTMLParser):
    """The links of a page, and the words after each: date and size, which change when the file does."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a link leads."""
        href = dict(attrs).get("href")
        if tag == "a" and href and len(self.found) < MAX_LINKS:
            self.found.append((href, ""))
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        """The words after a link begin."""
        self._inside = self._inside and tag != "a"

    def handle_data(self, data: str) -> None:
        """Note words after a link."""
        if self.found and not self._inside:
            href, words = self.found[-1]
            self.found[-1] = href, f"{words} {' '.join(data.split())}".strip()


@dataclass
class Pages:
    """Files that pages link to. `url`, filled in with time and station, ends in a slash; files lie right below it."""

    url: str
    station: str = ""
    _client: httpx.Client = field(default_factory=client, init=False)

    @property
    def where(self) -> str:
        """The page's address."""
        return bare(self.url)

    def listed(self, since: datetime, until: datetime) -> list[Entry]:
        """As `Site` says. The page of a day that has none yet is empty; one that is always the same must be there."""
        pages = filled(self.url, self.station, since, until)
        found: list[Entry] = []
        for page in pages:
            try:
                found += self._on(page, since, until)
            except FileNotFoundError as error:
                if "{" not in self.url:
                    raise Refused(f"{error}: look for the folder in a browser") from error
        return found

    def fetch(self, entry: Entry) -> Iterator[bytes]:
        """As `Site` says."""
        with answer(self._client, entry.key) as response:
            yield from response.iter_raw()

    def _on(self, page: str, since: datetime, until: datetime) -> list[Entry]:
        links = Links()
        links.feed(text(self._client, page))
        links.close()
        below = ((unquote(href.removeprefix("./")), words) for href, words in links.found)
        plain = (one for one in below if not set(one[0]) & set("/:?#\\"))
        return [told for name, words in plain if (told := entry(page + name, words, None, since, until))]
