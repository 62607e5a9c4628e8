"""What an operator checks first."""

import importlib.metadata
import shutil
from datetime import timedelta
from pathlib import Path

from nowcast import exposure, ready
from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.claims import contest
from nowcast.desk import device
from nowcast.exposure import Prefect
from nowcast.feeding import remote
from nowcast.models.checkpoint import load_checkpoint
from nowcast.settings import Region, Settings
from nowcast.sources.remote.spec import RemoteSpec

Check = tuple[str, bool, str]
LEAST_FREE_GB = 2.0


def examine(settings: Settings, prefect: Prefect) -> list[Check]:
    """(what, whether it is well, what was found) for libraries, weights, device, store, regions, what is open to other
    machines, and whether Ray and Prefect's server answer where they are named."""
    checks: list[Check] = []
    for name in ("torch", "ray", "prefect", "zarr", "icechunk", "xarray", "rasterio"):
        checks.append((name, True, importlib.metadata.version(name)))
    checks.append(("weights", True, load_checkpoint(SHIPPED_WEIGHTS).model_id))
    checks.append(("device", True, device(settings.device)))
    checks.append(_store(settings))
    for name in settings.region_names():
        checks.append(_region(settings, name))
    return checks + _doors(settings, prefect) + _engines(settings, prefect)


def _doors(settings: Settings, prefect: Prefect) -> list[Check]:
    """Who may come in; a HTTP service is held against its address when it starts."""
    has_token = settings.api_token is not None
    told = (
        "asks for NOWCAST_API_TOKEN" if has_token else "no token: answers on this machine alone, unless --open is said"
    )
    ray_at = settings.ray_address or settings.token("RAY_ADDRESS") or "this machine"
    return [
        ("access http", True, told),
        ("access ray", not (why := exposure.ray(settings)), why or f"{ray_at}: nobody without a token"),
        (
            "access prefect",
            not (why := exposure.prefect(prefect)),
            why or f"{prefect.url or 'this machine'}: nobody else",
        ),
    ]


def _store(settings: Settings) -> Check:
    if why := ready.store(settings):
        return "store", False, why
    if not settings.location("any").is_local:
        return "store", True, f"{settings.store} answers"
    folder = Path(settings.store).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    scarce = "" if free > LEAST_FREE_GB else f", less than {LEAST_FREE_GB:g}: free some, or set `keep` in regions' YAML"
    return "store", not scarce, f"{settings.store}: {free:.1f} GB free{scarce}, writable"


def _region(settings: Settings, name: str) -> Check:
    if faults := ready.region_faults(settings, name):
        return f"region {name}", False, "; ".join(faults)
    region = settings.region(name)
    if why := ready.committer(region, settings, contest):
        return f"region {name}", False, why
    if isinstance(region.feed, RemoteSpec):
        return f"region {name}", *_reached(region, settings, region.feed)
    if why := ready.empty_feed(region, settings):
        return f"region {name}", False, why
    every = (region.cadence or timedelta(0)) / timedelta(minutes=1)
    return f"region {name}", True, f"feed {region.feed}, cadence {every or 'read off the files'}"


def _engines(settings: Settings, prefect: Prefect) -> list[Check]:
    """Whether what is named answers; what is not named is started here when it is needed."""
    ray_at = settings.ray_address or settings.token("RAY_ADDRESS")
    return [
        ("ray answers", not (why := ready.ray(settings)), why or ray_at or "none is named"),
        ("prefect answers", not (why := ready.prefect(prefect)), why or prefect.url or "none is named"),
    ]


def _reached(region: Region, settings: Settings, spec: RemoteSpec) -> tuple[bool, str]:
    """Whether a feed elsewhere lets us see its files, and the newest of them."""
    try:
        feed = remote(region, settings, spec)
        found = feed.look()
    except (ValueError, OSError) as error:
        return False, str(error)
    last = f", the newest {found[-1].name}" if found else " to fetch: none yet, or a wrong prefix or pattern"
    return bool(found), f"feed {feed.site.where}: {len(found)} files{last}"
