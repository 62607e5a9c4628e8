"""What the commands share: their options, their errors, and how they show rows and progress."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from nowcast.core.redaction import redacted
from nowcast.settings import Region, Settings, secrets

errors = Console(stderr=True)

RegionName = Annotated[str, typer.Option("--region", help="Region name; its YAML is optional.")]
Store = Annotated[str | None, typer.Option("--store", help="Folder or s3:// URL; NOWCAST_STORE by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON only.")]


def settings_for(region: str, store: str | None) -> tuple[Region, Settings]:
    """A region and the settings, with the store given on the command line."""
    settings = Settings() if store is None else Settings(store=store)
    return settings.region(region), settings


@contextmanager
def usage() -> Iterator[None]:
    """A wrong input ends the command with its message and code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        said = escape(redacted(str(error), secrets()))
        errors.print(f"[red]error:[/] {said}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error


@contextmanager
def bar(total: int | None, what: str) -> Iterator[Any]:
    """A progress bar on stderr; gives a function to call after each step with a word about it."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task(what, total=total)
        yield lambda word: progress.update(task, advance=1, description=f"{what} {word}")


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Rows as a table, or as a JSON list."""
    if as_json:
        typer.echo(json.dumps(rows))
    elif not rows:
        typer.echo("nothing")
    else:
        if len(rows) == 1:
            rows = [{"": name, " ": value} for name, value in rows[0].items()]
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*(escape(str(value)) for value in row.values()))
        Console().print(table)
