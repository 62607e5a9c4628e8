"""`nowcast serve`: the stores over HTTP, with a map."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from nowcast import exposure
from nowcast.cli_options import Store, errors, usage
from nowcast.core.timeline import parse_time
from nowcast.settings import Settings

SWITCH_S = 0.0005
"""After which the thread that draws a tile makes way for the one that takes requests."""


def serve(
    region: Annotated[list[str] | None, typer.Option(help="Regions to serve; those known when absent.")] = None,
    store: Store = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets others in.")] = "127.0.0.1",
    port: int = 8000,
    is_open: Annotated[bool, typer.Option("--open", help="Everybody who reaches it may read; no token.")] = False,
    now: Annotated[str | None, typer.Option(help="ISO 8601: serve a past event as if this were the time.")] = None,
) -> None:
    """Answer questions over HTTP and show a map; reads the stores only.

    With NOWCAST_API_TOKEN, for those who show it. A host that lets others in needs that or --open.
    """
    import uvicorn

    from nowcast import ready
    from nowcast.serving.api.app import create_app
    from nowcast.serving.api.bounded import OPTIONS
    from nowcast.serving.api.stores import Stores

    with usage():
        settings = Settings() if store is None else Settings(store=store)
        exposure.refuse(exposure.api(settings, host, is_open))
        names = tuple(region or known_regions(settings))
        faults = (one for name in names for one in ready.region_faults(settings, name, is_fed=False))
        ready.refuse([ready.store(settings), *faults])
        offset = parse_time(now) - datetime.now(UTC) if now else timedelta(0)
        token = settings.api_token.get_secret_value() if settings.api_token else None
        app = create_app(Stores(settings, names, lambda: datetime.now(UTC) + offset), token)
    errors.print(f"http://{host}:{port}/ serves {', '.join(names)}", highlight=False)
    sys.setswitchinterval(SWITCH_S)
    uvicorn.run(app, host=host, port=port, **OPTIONS)


def known_regions(settings: Settings) -> list[str]:
    """Regions that have a YAML file, or else those that lie in a local store; ValueError when there is none."""
    found = settings.region_names() or sorted(path.parent.name for path in Path(settings.store).glob("*/forecasts"))
    if not found:
        raise ValueError(f"no region: none in {settings.regions}, none in {settings.store}")
    return found
