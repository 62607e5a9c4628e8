"""`nowcast skill`: how good the nowcasts of the last hours or days were, beside persistence and advection."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from nowcast.cli_options import Json, RegionName, Store, errors, settings_for, usage

if TYPE_CHECKING:
    from nowcast.skill import Skill

SHOWN = {"csi": "CSI", "frequency_bias": "bias", "brier": "Brier"}
GAINED = {"csi_difference": "CSI difference", "brier_skill": "Brier skill"}


def skill(
    region: RegionName,
    store: Store = None,
    window: Annotated[str, typer.Option(help="Such as 24h, 30d or 90min.")] = "24h",
    until: Annotated[
        str | None, typer.Option(help="End of the window, ISO 8601, UTC, or now; the newest scored time when absent.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture (PNG) of the scores against lead.")] = None,
    as_json: Json = False,
) -> None:
    """Skill of the nowcasts that came true in the last hours or days, beside persistence and advection.

    The exit code is 1 as long as nothing was scored.
    """
    from nowcast import skill as rolling

    now = datetime.now(UTC)
    with usage():
        duration = rolling.parse_window(window)
        _, settings = settings_for(region, store)
        try:
            found = rolling.skill(settings.location(region), duration, _end(until, now))
        except rolling.NothingScored as error:
            errors.print(str(error), highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error
        tables = {"region": region} | rolling.tables(found, now)
        heading = f"{region}, {rolling.in_words(duration)} until {found.until:%Y-%m-%d %H:%M}Z, {_sample(found)}"
        if plot is not None:
            from nowcast.plots import skill_plot

            skill_plot(tables, plot, f"Skill of nowcasts: {heading}")
    if as_json:
        typer.echo(json.dumps(tables))
    else:
        _show(tables, heading, found.minutes)


def _end(text: str | None, now: datetime) -> datetime | None:
    from nowcast.core.timeline import parse_time

    return now if text == "now" else parse_time(text) if text else None


def _sample(found: "Skill") -> str:
    return f"{found.scans.scored} of {found.scans.slots} scans"


def _show(tables: Mapping[str, Any], heading: str, minutes: Sequence[int]) -> None:
    console, leads = Console(), [f"{minute:g}" for minute in minutes]
    shown = leads[2::3] or leads
    console.print(heading, highlight=False)
    for line in _remarks(tables):
        console.print(line, highlight=False)
    if not tables["nowcasts"]:
        return
    marks = [f"+{lead} min" for lead in shown]
    for score, name in SHOWN.items():
        _print(console, (name, "mm/h", *marks), _by_threshold(tables[score], shown))
    against = tables["skill"]
    rows = [(name, *row) for score, name in GAINED.items() for row in _by_threshold(against[score], shown)]
    rows += [("MSE skill", name, "", *_cells(line, shown)) for name, line in against["mse_skill"].items()]
    _print(console, ("served", "over", "mm/h", *marks), rows)
    if len(tables["models"]) > 1:
        _print(console, ("model", "nowcasts", "CSI at mm/h", *marks), _by_model(tables["models"], shown))
    counted = [(name, *_cells(tables[name]["served"], shown, ",.0f")) for name in ("cases", "pixels")]
    _print(console, ("counted", *marks), counted)


def _remarks(tables: Mapping[str, Any]) -> Iterator[str]:
    """Age, models, and whatever is not in the figures."""
    scans, age = tables["scans"], timedelta(minutes=tables["age_minutes"])
    yield f"newest scored {tables['newest_scored']}, {_rounded(age)} ago; {scans['observed']} scans observed"
    for model, one in tables["models"].items():
        rungs = ", ".join(f"{count} as {rung}" for rung, count in one["rungs"].items() if rung)
        yield f"{one['nowcasts']} nowcasts by {model}" + (f" ({rungs})" if rungs else "")
    if tables["damaged"]:
        yield f"[red]cannot be read:[/] {', '.join(tables['damaged'])}; the next verify makes them anew"
    if tables["left_out"]:
        yield f"[yellow]left out:[/] {tables['left_out']} rows over other thresholds"


def _rounded(age: timedelta) -> str:
    return f"{age.days} d" if age.days else f"{age // timedelta(minutes=1)} min"


def _by_threshold(score: Mapping[str, Any], leads: Sequence[str]) -> list[tuple[str, ...]]:
    """(method, threshold, cells), the methods of a threshold together."""
    thresholds = next(iter(score.values()))
    return [(name, t, *_cells(method[t], leads)) for t in thresholds for name, method in score.items()]


def _by_model(models: Mapping[str, Any], leads: Sequence[str]) -> list[tuple[str, ...]]:
    rows = []
    for model, one in models.items():
        lines = one["csi"]["served"]
        rows += [(model, str(one["nowcasts"]), t, *_cells(line, leads)) for t, line in lines.items()]
    return rows


def _cells(line: Mapping[str, float | None], leads: Sequence[str], layout: str = ".3f") -> list[str]:
    return ["-" if (value := line.get(lead)) is None else format(value, layout) for lead in leads]


def _print(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*head, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    console.print(table)
