"""A bucket of an object store that speaks S3, whose keys lie under prefixes by time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from nowcast.sources.remote.site import Entry, Refused, entry, filled

PATIENCE = {"max_retries": 1, "retry_timeout": timedelta(seconds=20)}
"""The feed itself tries again, less and less often."""

MAX_KEYS = 100_000
"""Under one prefix. The busiest real one, of a day of single sites, has a tenth of it."""

PART = 1 << 20
"""Bytes."""


@dataclass
class Bucket:
    """Objects `prefix`, filled in with time and station, of a bucket. Without `signed` nobody is asked who they are.

    `endpoint` is the store's URL, Amazon's when None. Listing begins where the last one found what is in time.
    """

    name: str
    prefix: str
    station: str = ""
    endpoint: str | None = None
    region: str | None = None
    signed: bool = False
    _passed: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def where(self) -> str:
        """s3://bucket and where that is."""
        return f"s3://{self.name} at {self.endpoint or 'Amazon'}"

    def listed(self, since: datetime, until: datetime) -> list[Entry]:
        """As `Site` says; a prefix under which nothing lies is empty."""
        found: list[Entry] = []
        prefixes = filled(self.prefix, self.station, since, until)
        self._passed = {prefix: key for prefix, key in self._passed.items() if prefix in prefixes}
        for prefix in prefixes:
            found += self._under(prefix, since, until)
        return found

    def fetch(self, entry: Entry) -> Iterator[bytes]:
        """As `Site` says."""
        try:
            for part in obstore.get(self._store, entry.key).stream(min_chunk_size=PART):
                yield bytes(part)
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.where}: {entry.key} is gone") from None
        except BaseError as error:
            raise self._told(error) from error

    def _under(self, prefix: str, since: datetime, until: datetime) -> Iterator[Entry]:
        count, passed = 0, self._passed.get(prefix)
        try:
            for chunk in obstore.list(self._store, prefix, offset=passed, chunk_size=1000):
                count += len(chunk)
                if count > MAX_KEYS:
                    raise Refused(f"{self.where}: more than {MAX_KEYS} keys under {prefix}, the prefix is too short")
                for one in chunk:
                    version = f"{one['e_tag']} {one['last_modified'].isoformat()}"
                    if told := entry(one["path"], version, one["size"], since, until):
                        yield told
                    elif entry(one["path"], "", None, datetime.min.replace(tzinfo=since.tzinfo), since):
                        self._passed[prefix] = max(one["path"], self._passed.get(prefix, ""))
        except FileNotFoundError as error:
            raise Refused(f"{self.where}: {_first_line(error)}") from error
        except BaseError as error:
            raise self._told(error) from error

    def _told(self, error: BaseError) -> OSError:
        """The error as one that feeds raise, in one line."""
        said = str(error)
        if "NoSuchBucket" in said:
            return Refused(f"{self.where}: there is no such bucket")
        if "PermanentRedirect" in said or "AuthorizationHeaderMalformed" in said:
            return Refused(f"{self.where}: the bucket is in another region than {self.region}")
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or "AccessDenied" in said:
            who = "these credentials" if self.signed else "nobody unsigned; `signed: true` sends AWS credentials"
            return Refused(f"{self.where}: access denied, to {who}")
        return OSError(f"{self.where}: {_first_line(error)}")

    @cached_property
    def _store(self) -> S3Store:
        where = {"endpoint": self.endpoint, "region": self.region or "us-east-1"}
        return S3Store(
            self.name,
            config={key: value for key, value in where.items() if value},  # type: ignore[arg-type]
            skip_signature=not self.signed,
            virtual_hosted_style_request=self.endpoint is None,
            client_options={
                "allow_http": (self.endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=60),
            },
            retry_config=PATIENCE,  # type: ignore[arg-type]
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
