"""Before flows start: no engine that strangers could reach and use."""

from prefect.settings import get_current_settings

from nowcast import exposure
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
