"""Small whole objects at a location, a folder or a bucket: read, written, and changed by one writer at a time."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import obstore
from filelock import Timeout
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, S3Store

from nowcast.core.crashpoints import reached
from nowcast.store.repository import Location

PATIENCE = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
"""A nowcast must not wait long for an object store that does not answer."""


class Overtaken(ValueError):
    """Another writer changed an object first; the message names it."""


def read(location: Location, path: str) -> bytes | None:
    """An object's bytes, None when there is none; OSError, naming it, when the store cannot be reached."""
    if _is_absent(location):
        return None
    try:
        return bytes(obstore.get(_open(location), path).bytes())
    except FileNotFoundError:
        return None
    except BaseError as error:
        raise _named(location, path, error) from error


def write(location: Location, path: str, content: bytes) -> None:
    """Put an object, in place of any that is there, whole or not at all."""
    reached("objects.write.before")
    try:
        obstore.put(_open(location), path, content)
    except BaseError as error:
        raise _named(location, path, error) from error
    reached("objects.write.after")


def change(location: Location, path: str, edit: Callable[[bytes | None], bytes]) -> bytes:
    """Put what `edit` makes of the object's present bytes, None when there is none; what was put.

    Raises Overtaken, having put nothing, when another writer was faster: in a folder writers wait for each other, a
    bucket compares the object's tag.
    """
    if location.is_local:
        try:
            with location.lock():
                content = edit(read(location, path))
                reached("objects.change.before")
                write(location, path, content)
                reached("objects.change.after")
                return content
        except Timeout as error:
            raise TimeoutError(f"another process holds {error.lock_file}") from error
    return _swap(location, path, edit)


def listed(location: Location, folder: str) -> list[str]:
    """Paths of all objects below a folder, ascending."""
    if _is_absent(location):
        return []
    try:
        found = obstore.list(_open(location), f"{folder}/").collect()
    except BaseError as error:
        raise _named(location, folder, error) from error
    return sorted(one["path"] for one in found)


def folders(location: Location) -> list[str]:
    """Names of the folders right below a location, ascending."""
    if _is_absent(location):
        return []
    try:
        found = obstore.list_with_delimiter(_open(location))
    except BaseError as error:
        raise _named(location, "", error) from error
    return sorted(str(one).rstrip("/").rpartition("/")[2] for one in found["common_prefixes"])


def _swap(location: Location, path: str, edit: Callable[[bytes | None], bytes]) -> bytes:
    store = _open(location)
    try:
        try:
            held = obstore.get(store, path)
            content = edit(bytes(held.bytes()))
            reached("objects.swap.before")
            obstore.put(store, path, content, mode={"e_tag": held.meta["e_tag"]})
        except FileNotFoundError:
            content = edit(None)
            obstore.put(store, path, content, mode="create")
    except (PreconditionError, AlreadyExistsError) as error:
        raise Overtaken(f"{location.url}/{path} was changed by another process meanwhile") from error
    except BaseError as error:
        raise _named(location, path, error) from error
    reached("objects.swap.after")
    return content


def _is_absent(location: Location) -> bool:
    return location.is_local and not Path(location.url).is_dir()


def _open(location: Location) -> LocalStore | S3Store:
    if location.is_local:
        return LocalStore(Path(location.url).absolute(), mkdir=True)
    scheme, _, path = location.url.partition("://")
    if scheme != "s3":
        raise ValueError(f"store {location.url!r} is neither a folder nor an s3:// URL")
    bucket, _, prefix = path.partition("/")
    endpoint = location.s3.endpoint_url
    where = {"endpoint": endpoint, "region": location.s3.region}
    return S3Store(
        bucket,
        prefix=prefix or None,
        config={key: value for key, value in where.items() if value},  # type: ignore[arg-type]
        virtual_hosted_style_request=endpoint is None,
        client_options={"allow_http": (endpoint or "").startswith("http://"), "connect_timeout": timedelta(seconds=3)},
        retry_config=PATIENCE,  # type: ignore[arg-type]
    )


def _named(location: Location, path: str, error: BaseError) -> OSError:
    """The first line of a store's error, with what it is about."""
    return OSError(f"{location.url}/{path}: {str(error).splitlines()[0]}")
