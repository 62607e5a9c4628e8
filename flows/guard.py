"""Before flows start: no engine that strangers could reach and use, and nothing that must be changed first."""

from collections.abc import Iterable

from prefect.settings import get_current_settings

from nowcast import exposure, ready
from nowcast.exposure import Prefect
from nowcast.settings import Settings


def prefect_here() -> Prefect:
    """What Prefect's own settings, variables and profile, say."""
    found = get_current_settings()
    has_secret = found.api.auth_string is not None or found.api.key is not None
    return Prefect(found.api.url, has_secret, found.server.api.host, found.server.api.auth_string is not None)


def refuse_exposed(settings: Settings) -> None:
    """Raise Exposed when Ray or Prefect can be reached by other machines and asks for no token."""
    exposure.refuse(exposure.ray(settings), exposure.prefect(prefect_here()))


def refuse_unready(settings: Settings, regions: Iterable[str], engines: bool = True) -> None:
    """Raise NotReady, or Exposed, saying what to change, when flows for these regions could not do their work.

    `engines` asks whether Ray and Prefect's server answer.
    """
    refuse_exposed(settings)
    faults = [ready.store(settings), *(one for name in regions for one in ready.region_faults(settings, name))]
    ready.refuse([*faults, *((ready.ray(settings), ready.prefect(prefect_here())) if engines else ())])
