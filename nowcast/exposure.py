"""What would let strangers in: a service on a public address that asks for no token."""

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from nowcast.settings import Settings


class Exposed(ValueError):
    """A service would be open to everybody who reaches it; the message says which, and what to do."""


class Prefect(NamedTuple):
    """Where Prefect's API is and the server listens, as Prefect's own settings say, and whether each has a secret."""

    url: str | None
    has_secret: bool
    server_host: str
    server_has_secret: bool


def is_public(host: str) -> bool:
    """Whether other machines may reach a host name or address; only loopback is certain not to be."""
    name = host.strip("[]").lower()
    try:
        return not ip_address(name).is_loopback
    except ValueError:
        return name != "localhost"


def api(settings: Settings, host: str, is_open: bool) -> str:
    """Why the HTTP service must not listen there, empty when it may. `is_open` says that everybody is meant to read."""
    if is_open and settings.api_token is not None:
        return "either --open or NOWCAST_API_TOKEN: with both it is not clear who may read"
    if is_public(host) and settings.api_token is None and not is_open:
        return (
            f"{host} lets other machines in: set NOWCAST_API_TOKEN to a random text of 16 characters or more, "
            "or say --open if everybody may read"
        )
    return ""


def ray(settings: Settings) -> str:
    """Why Ray must not be joined, empty when it may: whoever reaches a cluster without tokens runs code on it.

    A Ray of our own listens on this machine alone. Tokens are on when RAY_AUTH_MODE says so, and by default where a
    token is at hand.
    """
    address = settings.ray_address or settings.token("RAY_ADDRESS")
    if address is None or not is_public(_host(address)):
        return ""
    mode = settings.token("RAY_AUTH_MODE")
    if mode is None and settings.has_ray_token():
        return ""
    if mode is not None and mode.lower() == "token":
        return ""
    return (
        f"Ray at {_host(address)} may be reached by other machines and would be joined without a token: set "
        "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH on every machine of the cluster"
    )


def prefect(found: Prefect) -> str:
    """Why Prefect must not be used, empty when it may: whoever reaches its API starts flows."""
    if found.url is not None and is_public(_host(found.url)) and not found.has_secret:
        return (
            f"Prefect's API at {_host(found.url)} may be reached by other machines and asks for nothing: set "
            "PREFECT_SERVER_API_AUTH_STRING at the server and PREFECT_API_AUTH_STRING here"
        )
    if is_public(found.server_host) and not found.server_has_secret:
        return (
            f"a Prefect server started here would listen on {found.server_host} and ask for nothing: set "
            "PREFECT_SERVER_API_AUTH_STRING"
        )
    return ""


def refuse(*reasons: str) -> None:
    """Raise Exposed when there is any reason."""
    if found := "; ".join(reason for reason in reasons if reason):
        raise Exposed(found)


def _host(address: str) -> str:
    """Of a URL, or of host:port; "auto", which stands for whatever cluster runs here, is no loopback."""
    return urlsplit(address if "://" in address else f"//{address}").hostname or address
