"""`nowcast evaluate-ensembles`: members and chances of methods side by side on folders of scans."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from nowcast.cli_evaluate import Events, More, folder_by_folder
from nowcast.cli_options import usage

if TYPE_CHECKING:
    from nowcast.evaluation_ensembles import Evaluated

SHOWN = ("1", "6", "12")
"""Steps."""

WINDOW = 800
"""Side [pixels] of the window of a larger grid: STEPS takes minutes for as much."""


def evaluate_ensembles(
    events: Events,
    more: More = None,
    methods: Annotated[str, typer.Option(help="Of champion, advection, steps, lk, persistence.")] = (
        "champion,advection,persistence"
    ),
    model: Annotated[str, typer.Option(help="What champion stands for: default or a .safetensors file.")] = "default",
    members: Annotated[int, typer.Option(help="Members of every ensemble.")] = 24,
    most_starts: Annotated[int, typer.Option(help="Most starts of an event, spread over it.", min=1)] = 4,
    window: Annotated[int, typer.Option(help="Side of the window of a larger grid [pixels].", min=64)] = WINDOW,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all scores.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for plots.")] = None,
    title: Annotated[str, typer.Option(help="Words on the plots: event, credit.")] = "",
    device: str = "auto",
) -> None:
    """Score members and chances: CRPS, ranks, spread, reliability; the absolute error of methods without members.

    A folder that no forecast can be judged on is named and left out; when there is no other, the exit code is 2.
    """
    from nowcast import evaluation_ensembles as ensembles
    from nowcast.evaluation_ensembles_tables import summary

    with usage():
        contestants = ensembles.makers(methods.split(","), model, device, members)
        judge = partial(ensembles.evaluate_folder, contestants=contestants, most_starts=most_starts, window=window)
        judged = folder_by_folder([*events, *(more or [])], judge)
        found: dict[str, Evaluated] = {name: one for name, one in judged if not isinstance(one, ValueError)}
    tables = summary(found)
    if json_file is not None:
        json_file.write_text(json.dumps(tables, indent=1) + "\n")
    _show(tables)
    if plots is not None:
        from nowcast.plots_ensembles import plots as draw

        for path in draw(tables, plots, title or f"{len(found)} event(s)"):
            typer.echo(path)


def _show(tables: dict[str, Any]) -> None:
    """Scores over all events at a few lead steps, and what they rest on."""
    leads = " ".join(f"+{lead}".ljust(5) for lead in SHOWN)
    columns = [f"{what}\n{leads}" for what in ("CRPS", "spread/error", "16 px CRPS")]
    table = Table("method", *columns, box=SIMPLE_HEAD)
    for name, by_lead in tables["all"].items():
        cells = [by_lead[lead] for lead in SHOWN]
        pixels = [cell["members"]["crps"] if "members" in cell else cell["mae"] for cell in cells]
        spread, blocks = (
            [cell[part][score] if part in cell else None for cell in cells]
            for part, score in (("members", "spread_skill"), ("blocks", "crps"))
        )
        table.add_row(name, *(_joined(values) for values in (pixels, spread, blocks)))
    Console().print(table)
    for folder, sample in tables["sample"].items():
        typer.echo(f"{folder}: {len(sample['starts'])} starts, {sample['grid']}")
        for one in sample["substituted"]:
            typer.echo(f"  {one['by']} stood in for {one['method']} at {one['starts']} start(s)")


def _joined(values: list[float | None]) -> str:
    return " ".join("  -  " if value is None else f"{value:.3f}" for value in values)
