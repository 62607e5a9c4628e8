"""What must be in order before regions are followed or served: each fault in words that say what to change.

The doctor shows them all; commands that start something refuse with the same words.
"""

import socket
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from nowcast.catchments.geojson import read_catchments
from nowcast.claims import rival
from nowcast.desk import checkpoint_path
from nowcast.exposure import Prefect
from nowcast.models.checkpoint import load_checkpoint
from nowcast.roster import ADVECTION, PERSISTENCE
from nowcast.settings import Region, Settings
from nowcast.sources.feeds import files_in
from nowcast.store.objects import folders
from nowcast.watch import require_known

ANSWER_S = 5.0
"""For a server to answer in."""


class NotReady(ValueError):
    """Something must be changed first; the message says what."""


def refuse(reasons: Iterable[str]) -> None:
    """Raise NotReady when there is any reason."""
    if found := "; ".join(reason for reason in reasons if reason):
        raise NotReady(found)


def yaml(settings: Settings, name: str) -> str:
    """What is wrong with a region's YAML file, empty when nothing is."""
    try:
        settings.region(name)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def store(settings: Settings) -> str:
    """Why the store cannot be used: a folder that cannot be written to, a bucket that does not answer."""
    if settings.location("any").is_local:
        return _folder(Path(settings.store).absolute())
    try:
        folders(settings.location("any"))
    except (OSError, ValueError) as error:
        endpoint = settings.s3_endpoint_url or "AWS"
        return (
            f"store {settings.store} at {endpoint} cannot be reached ({error}): check NOWCAST_STORE, "
            "NOWCAST_S3_ENDPOINT_URL, NOWCAST_S3_REGION and the AWS_ variables, and that the service runs"
        )
    return ""


def _folder(folder: Path) -> str:
    there = folder
    while not there.exists():
        there = there.parent
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        reason = error.strerror or error
        return f"store {folder} cannot be written to ({reason}): make it writable, or name another: NOWCAST_STORE"
    return ""


def feed(region: Region, settings: Settings) -> str:
    """Why no file can come into the region's folder; one elsewhere is asked when it is followed, and by the doctor. A
    region whose YAML names no feed is filled by other means."""
    if not isinstance(region.feed, Path) or region.feed.is_dir():
        return ""
    return f"feed {region.feed} is not a folder: create or mount it, or correct `feed` in {_file(region, settings)}"


def empty_feed(region: Region, settings: Settings) -> str:
    """That no file has come yet, which may change: no reason not to start."""
    if not isinstance(region.feed, Path) or not region.feed.is_dir() or files_in(region.feed, region.pattern):
        return ""
    return (
        f"feed {region.feed} holds no file that matches {region.pattern!r}: check the delivery, and `feed` and "
        f"`pattern` in {_file(region, settings)}"
    )


def catchments(region: Region, settings: Settings) -> str:
    """What is wrong with the region's file of catchments, and rules for catchments that it does not hold."""
    if (path := settings.catchments(region)) is None:
        return ""
    try:
        require_known(region, path, read_catchments(path))
    except (ValueError, OSError) as error:
        return f"catchments: {error}; correct the file, or `catchments` and `alerts` in {_file(region, settings)}"
    return ""


def model(region: Region, settings: Settings) -> str:
    """Why the weights that the region's YAML names cannot be loaded."""
    if region.model in ("default", ADVECTION, PERSISTENCE):
        return ""
    try:
        load_checkpoint(checkpoint_path(region))
    except (ValueError, OSError) as error:
        return (
            f"model {region.model} of region {region.name} cannot be loaded ({error}): correct `model` in "
            f"{_file(region, settings)}: default, advection, persistence or a .safetensors file beside its .json"
        )
    return ""


def committer(region: Region, settings: Settings, find: Callable[..., str] = rival) -> str:
    """Who else follows the region, or would; nothing when that cannot be read, which is the store's fault."""
    try:
        return find(region, settings, datetime.now(UTC))
    except (ValueError, OSError):
        return ""


def ray(settings: Settings) -> str:
    """That nobody listens at the address of the Ray cluster."""
    address = settings.ray_address or settings.token("RAY_ADDRESS") or ""
    found = urlsplit(address if "://" in address else f"//{address}")
    if not found.hostname or not found.port:
        return ""
    try:
        socket.create_connection((found.hostname, found.port), ANSWER_S).close()
    except OSError as error:
        return (
            f"no Ray answers at {address} ({error.strerror or error}): start its head (`ray start --head`), or correct "
            "NOWCAST_RAY_ADDRESS; without one this machine starts a Ray of its own"
        )
    return ""


def prefect(found: Prefect) -> str:
    """That no server answers at Prefect's address."""
    if found.url is None:
        return ""
    try:
        httpx.get(f"{found.url}/health", timeout=ANSWER_S)
    except httpx.HTTPError as error:
        return (
            f"Prefect's server at {found.url} does not answer ({error}): start it (`prefect server start`), or correct "
            "PREFECT_API_URL"
        )
    return ""


def region_faults(settings: Settings, name: str, is_fed: bool = True) -> list[str]:
    """All that is wrong with one region, with its feed only where files are to be taken in."""
    if why := yaml(settings, name):
        return [why]
    region = settings.region(name)
    found = [catchments(region, settings), model(region, settings), feed(region, settings) if is_fed else ""]
    return [one for one in found if one]


def _file(region: Region, settings: Settings) -> Path:
    return settings.regions / f"{region.name}.yaml"
