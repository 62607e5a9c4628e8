"""An interface over HTTP that lists files as JSON and gives a temporary address for each, as KNMI's Data Platform does.

https://developer.dataplatform.knmi.nl/open-data-api: `GET <dataset>/files` with `orderBy`, `sorting`, `maxKeys` and
`nextPageToken`, then `GET <dataset>/files/<name>/url`, both with the key in the Authorization header.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from nowcast.sources.feeds import time_in_name
from nowcast.sources.remote.site import Entry, Refused, entry
from nowcast.sources.remote.web import answer, bare, client, text

PAGE, MAX_PAGES = 100, 50


@dataclass
class FileApi:
    """Files of one version of a data set. `url` is the address above `/files`; `token` is the key."""

    url: str
    token: str = field(default="", repr=False)
    token_variable: str = ""
    _client: httpx.Client = field(default_factory=client, init=False, repr=False)

    @property
    def where(self) -> str:
        """The data set's address."""
        return bare(self.url)

    def listed(self, since: datetime, until: datetime) -> list[Entry]:
        """As `Site` says, newest first, until a whole page is older."""
        found: list[Entry] = []
        query = {"orderBy": "filename", "sorting": "desc", "maxKeys": str(PAGE)}
        for _ in range(MAX_PAGES):
            page = self._asked("/files", query)
            files = [one for one in page.get("files", []) if isinstance(one, dict)]
            found += [told for one in files if (told := _entry(one, since, until))]
            times = [moment for one in files if (moment := time_in_name(str(one.get("filename"))))]
            if not page.get("isTruncated") or not page.get("nextPageToken") or (times and max(times) < since):
                break
            query["nextPageToken"] = str(page["nextPageToken"])
        return found

    def fetch(self, entry: Entry) -> Iterator[bytes]:
        """As `Site` says. The temporary address gets no key."""
        address = str(self._asked(f"/files/{quote(entry.key, safe='')}/url").get("temporaryDownloadUrl", ""))
        if urlsplit(address).scheme not in ("https", urlsplit(self.url).scheme):
            raise OSError(f"{self.where}: no address for {entry.key}")
        with answer(self._client, address) as response:
            yield from response.iter_raw()

    def _asked(self, path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            said = json.loads(text(self._client, self.url + path, {"Authorization": self.token}, query or {}))
        except Refused as error:
            raise Refused(f"{error}: look at the key in {self.token_variable or '`token_variable`'}") from error
        except FileNotFoundError as error:
            raise (Refused if path == "/files" else FileNotFoundError)(str(error)) from error
        except ValueError as error:
            raise OSError(f"{self.where}{path}: no JSON") from error
        if not isinstance(said, dict):
            raise OSError(f"{self.where}{path}: no JSON object")
        return said


def _entry(one: dict[str, Any], since: datetime, until: datetime) -> Entry | None:
    name, size = str(one.get("filename", "")), one.get("size")
    version = f"{one.get('lastModified')} {size}"
    return entry(name, version, size if isinstance(size, int) else None, since, until)
