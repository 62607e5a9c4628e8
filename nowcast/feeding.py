"""A region's feed as its YAML names it: a folder, or a place elsewhere and the spool that its files come to."""

from datetime import datetime, timedelta
from pathlib import Path

from nowcast.settings import Region, Settings
from nowcast.sources.feeds import Directory, Feed, files_in
from nowcast.sources.remote.feed import RemoteFeed
from nowcast.sources.remote.spec import RemoteSpec, site
from nowcast.sources.remote.spool import Spool
from nowcast.store import repository
from nowcast.store.archive import open_archive, read_slots

MIB = 1 << 20


def feed_of(region: Region, settings: Settings) -> Feed:
    """What a region follows. ValueError when its YAML names no feed, or one that lacks its key."""
    if isinstance(region.feed, RemoteSpec):
        return remote(region, settings, region.feed)
    return Directory(settings.feed(region), region.pattern)


def require_allowed(feed: Feed) -> None:
    """Raise Refused, an OSError, when a feed elsewhere says that it will never work as configured."""
    if isinstance(feed, RemoteFeed):
        feed.require_allowed()


def gathered(region: Region, settings: Settings, folder: Path | None = None) -> list[Path]:
    """Every file of a folder, or of the region's, or what its feed elsewhere has now, in time order.

    OSError when that is out of reach.
    """
    if folder is None and isinstance(region.feed, RemoteSpec):
        return remote(region, settings, region.feed).poll()
    return files_in(folder or settings.feed(region), region.pattern)


def remote(region: Region, settings: Settings, spec: RemoteSpec) -> RemoteFeed:
    """A feed that begins where the region's archive ends."""
    token = settings.token(spec.token_variable) if spec.token_variable else None
    return RemoteFeed(
        site(spec, token),
        Spool(settings.spool_folder(region.name), spec.spool_mib * MIB, spec.file_mib * MIB),
        (spec.pattern, region.pattern),
        newest(region, settings),
        timedelta(hours=spec.hours),
        timedelta(hours=spec.catch_up_hours),
        spec.every_s,
    )


def newest(region: Region, settings: Settings) -> datetime | None:
    """The time of the newest archived scan; None before the first."""
    location = settings.location(region.name).child("archive")
    if not repository.exists(location):
        return None
    archive = open_archive(location)
    observed = read_slots(archive).observed
    return archive.timeline.time(int(observed[-1])) if len(observed) else None
