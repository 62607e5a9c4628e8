"""Icechunk repositories: where they lie, and how one process at a time commits to them."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import icechunk
import zarr
from filelock import FileLock, Timeout

from nowcast.core.crashpoints import reached

icechunk.set_logs_filter("icechunk=error")
"""Its warning about concurrent commits to a local folder is met by the committer's lock."""

BRANCH = "main"
LOCK_TIMEOUT_S = 120.0
MANIFEST_SLOTS = 256
"""A manifest lists the chunks of this many slots of an array, so a commit rewrites a bounded list. With fewer slots the
list of manifests, which each commit writes too, would grow faster."""

INLINE_BYTES = 128
"""Larger chunks are not kept within manifests, which commits write again."""

REFERENCES = 20_000
"""Chunk references that a process remembers of each store, some megabytes."""


class StoreNotFound(ValueError):
    """No repository at a location; the message names it."""


@dataclass(frozen=True)
class S3:
    """How to reach an S3-compatible store; credentials come from the standard AWS variables."""

    endpoint_url: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class Location:
    """A local folder or an s3://bucket/prefix URL."""

    url: str
    s3: S3 = field(default_factory=S3)

    def child(self, name: str) -> "Location":
        """The location one level down."""
        return Location(f"{self.url.rstrip('/')}/{name}", self.s3)

    @property
    def is_local(self) -> bool:
        return "://" not in self.url

    def arrow_url(self) -> str:
        """The same place for Arrow's file systems, by which Ray Train reaches it; a folder's full path."""
        if self.is_local:
            return str(Path(self.url).absolute())
        at = urlsplit(self.s3.endpoint_url or "")
        how: dict[str, str] = {}
        if self.s3.endpoint_url:
            how |= {"scheme": at.scheme, "endpoint_override": at.netloc}
        if self.s3.region:
            how |= {"region": self.s3.region}
        return f"{self.url}?{urlencode(how)}" if how else self.url

    def storage(self) -> icechunk.Storage:
        """Icechunk storage; ValueError for a URL scheme that is not supported."""
        if self.is_local:
            return icechunk.local_filesystem_storage(str(Path(self.url).absolute()))
        scheme, _, path = self.url.partition("://")
        if scheme != "s3":
            raise ValueError(f"store {self.url!r} is neither a folder nor an s3:// URL")
        bucket, _, prefix = path.partition("/")
        return icechunk.s3_storage(
            bucket=bucket,
            prefix=prefix,
            region=self.s3.region,
            endpoint_url=self.s3.endpoint_url,
            allow_http=(self.s3.endpoint_url or "").startswith("http://"),
            force_path_style=self.s3.endpoint_url is not None,
            from_env=True,
        )

    def lock(self) -> FileLock:
        """The committer's lock: beside a local repository, in the temporary folder for a remote one."""
        if self.is_local:
            path = Path(f"{self.url.rstrip('/')}.lock")
            path.parent.mkdir(parents=True, exist_ok=True)
            return FileLock(path, timeout=LOCK_TIMEOUT_S)
        name = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        return FileLock(Path(tempfile.gettempdir()) / f"nowcast-{name}.lock", timeout=LOCK_TIMEOUT_S)


def _config() -> icechunk.RepositoryConfig:
    every_array = icechunk.ManifestSplitCondition.name_matches(".*")
    per_slot: dict[Any, int] = {icechunk.ManifestSplitDimCondition.Axis(0): MANIFEST_SLOTS}
    config = icechunk.RepositoryConfig.default()
    config.manifest = icechunk.ManifestConfig(
        splitting=icechunk.ManifestSplittingConfig.from_dict({every_array: per_slot}),
        preload=icechunk.ManifestPreloadConfig(preload_if=icechunk.ManifestPreloadCondition.false()),
    )
    config.inline_chunk_threshold_bytes = INLINE_BYTES
    config.caching = icechunk.CachingConfig(
        num_snapshot_nodes=1000, num_chunk_refs=REFERENCES, num_transaction_changes=0
    )
    return config


def create(location: Location) -> icechunk.Repository:
    """A repository to be laid out; ValueError when there is one that is. One whose layout was cut short is taken up."""
    if exists(location):
        raise ValueError(f"{location.url} already holds a repository")
    if location.is_local:
        Path(location.url).parent.mkdir(parents=True, exist_ok=True)
    return icechunk.Repository.open_or_create(location.storage(), _config())


def exists(location: Location) -> bool:
    """Whether a repository with its layout lies at the location."""
    if location.is_local and not Path(location.url).is_dir():
        return False
    return bool(icechunk.Repository.exists(location.storage())) and _is_laid_out(_open(location))


def _open(location: Location) -> icechunk.Repository:
    return icechunk.Repository.open(location.storage(), _config())


def _is_laid_out(opened: icechunk.Repository) -> bool:
    return opened.lookup_snapshot(opened.lookup_branch(BRANCH)).parent_id is not None


def open_existing(location: Location) -> icechunk.Repository:
    """The repository at the location; StoreNotFound when there is none."""
    if not exists(location):
        raise StoreNotFound(f"no store at {location.url}")
    return _open(location)


def read(repository: icechunk.Repository) -> zarr.Group:
    """The newest committed state, read-only; it does not change under the reader."""
    return zarr.open_group(repository.readonly_session(BRANCH).store, mode="r")


def array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """An array of a group."""
    member = group[name]
    assert isinstance(member, zarr.Array)
    return member


def snapshot_id(repository: icechunk.Repository) -> str:
    """Identifies the newest commit; cheap enough to ask on every query."""
    return str(repository.lookup_branch(BRANCH))


class NoSuchSnapshot(ValueError):
    """No commit of that name; the message names it."""


def session_at(repository: icechunk.Repository, snapshot: str) -> icechunk.Session:
    """One commit, read-only; NoSuchSnapshot when there is none."""
    try:
        return repository.readonly_session(snapshot_id=snapshot)
    except (icechunk.IcechunkError, ValueError) as error:
        raise NoSuchSnapshot(f"no snapshot {snapshot!r}: {error}") from error


@contextmanager
def transaction(location: Location, repository: icechunk.Repository, message: str) -> Iterator[zarr.Group]:
    """A group to write to; all of it becomes visible in one commit when the block ends, none if it raises.

    Raises TimeoutError when another process holds the committer's lock for too long, and Conflict when somebody commits
    without it, as from another machine to a bucket; nothing is written then.
    """
    try:
        with location.lock():
            reached("repository.lock.held")
            session = repository.writable_session(BRANCH)
            yield zarr.open_group(session.store, mode="a")
            if session.has_uncommitted_changes:
                reached("repository.commit.before")
                _commit(location, repository, session, message)
                reached("repository.commit.after")
    except Timeout as error:
        raise TimeoutError(f"another process holds {error.lock_file}") from error


class Conflict(OSError):
    """Somebody else committed meanwhile; the message says where."""


def _commit(location: Location, repository: icechunk.Repository, session: icechunk.Session, message: str) -> None:
    """Commit once. A commit whose answer is lost on the way is sent again, and then stands in its own way."""
    mark = uuid4().hex
    try:
        session.commit(message, {"commit": mark})
    except icechunk.ConflictError as error:
        newest = repository.lookup_snapshot(repository.lookup_branch(BRANCH))
        if newest.metadata.get("commit") != mark:
            raise Conflict(f"{location.url} was written to from elsewhere, only one may: {error}") from error
