"""`nowcast catchments`, `nowcast alerts`, and `nowcast receiver` to try webhooks with."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nowcast.cli_options import Json, RegionName, Store, settings_for, show, usage
from nowcast.settings import Region, Settings

if TYPE_CHECKING:
    from nowcast.catchments.outlooks import CatchmentOutlook

MOST_BYTES = 1_000_000
"""Of a body that the receiver prints."""


def catchments(region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """The newest outlook of each catchment; made from the newest nowcast, as one member, when none was kept."""
    from nowcast.catchments.views import to_json

    with usage():
        found = _newest(*settings_for(region, store))
    if as_json:
        typer.echo(json.dumps([to_json(one) for one in found]))
    else:
        _table([to_json(one) for one in found])


def alerts(
    region: RegionName,
    store: Store = None,
    retry: Annotated[bool, typer.Option("--retry", help="Send all that waits, and what was given up, now.")] = False,
    as_json: Json = False,
) -> None:
    """Where the region's alert rules stand, the messages that wait, and those that were given up."""
    from dataclasses import asdict

    from nowcast.alerts.book import read_book
    from nowcast.alerts.delivery import deliver, retry_all

    with usage():
        known, settings = settings_for(region, store)
        where, now = settings.location(region).child("alerts"), datetime.now(UTC)
        if retry:
            retry_all(where, now)
            deliver(where, known.alerts, settings.token, now)
        book = read_book(where)
    if as_json:
        typer.echo(json.dumps(asdict(book)))
        return
    show([{"rule/catchment": key, **_standing(one)} for key, one in book.standings.items()], False)
    for title, messages in (("waiting", book.outbox), ("given up", book.dead)):
        for message in messages:
            typer.echo(f"{title}: {message.body['text']} [{message.message_id}] {message.attempts} x {message.problem}")


def receiver(port: Annotated[int, typer.Option(help="Port on this machine.")] = 8099) -> None:
    """A receiver to try webhooks with: prints each message, says which it had before, until interrupted."""
    with usage(), ThreadingHTTPServer(("127.0.0.1", port), Printer) as server:
        typer.echo(f"http://127.0.0.1:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


class Printer(BaseHTTPRequestHandler):
    """Prints what is posted and answers 204."""

    seen: set[str] = set()  # noqa: RUF012 - one for the server, whose requests each have a Printer

    def do_POST(self) -> None:
        """One message."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MOST_BYTES))
        key = self.headers.get("Idempotency-Key", "")
        typer.echo(f"{'again' if key in self.seen else 'new'} {key} {body.decode(errors='replace')}")
        self.seen.add(key)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """No line per request beside the message."""


def _newest(region: Region, settings: Settings) -> Sequence["CatchmentOutlook"]:
    from nowcast.store.forecasts import open_forecasts
    from nowcast.store.outlooks import newest_outlooks
    from nowcast.watch import from_store, watch

    where = settings.location(region.name)
    if kept := newest_outlooks(where.child("catchments")):
        return kept
    if region.catchments is None:
        raise ValueError(f"{settings.regions / region.name}.yaml names no catchments")
    forecasts = open_forecasts(where.child("forecasts"))
    return from_store(watch(region, settings, forecasts.grid), forecasts)


def _standing(one: Any) -> dict[str, str]:
    return {
        "alert": "raised" if one.raised else "clear",
        "probability": "open" if one.probability is None else f"{one.probability:.0%}",
        "judged": one.judged,
        "last onset": one.onset,
    }


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        typer.echo("nothing")
        return
    console, first = Console(), found[0]
    console.print(f"init {first['init_time']} by {first['model']}, {first['basis']}", highlight=False, markup=False)
    table = Table("catchment", "km2", "to min", "mean mm", "10 %", "50 %", "90 %", "covered")
    for one in found:
        covered = min(min(shares) for shares in one["coverage_share"])
        for row in one["accumulation_mm"]:
            depths = ["-" if row[name] is None else f"{row[name]:.2f}" for name in ("mean", "p10", "p50", "p90")]
            table.add_row(one["catchment"], f"{one['area_km2']:.1f}", f"{row['to_min']:g}", *depths, f"{covered:.0%}")
    console.print(table)
