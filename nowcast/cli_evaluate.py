"""`nowcast evaluate`: methods side by side on folders of scans."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nowcast.cli_options import bar, errors, usage

if TYPE_CHECKING:
    from nowcast.evaluation import Evaluated

Result = TypeVar("Result")

Events = Annotated[list[Path], typer.Option("--events", help="Folder of scans of one event; more may follow it.")]
More = Annotated[list[Path] | None, typer.Argument(help="Further folders.", show_default=False)]

FSS_SCALE = "10"
"""Pixels."""


def evaluate(
    events: Events,
    more: More = None,
    methods: Annotated[str, typer.Option(help="Of champion, advection, persistence, lk, sprog.")] = (
        "champion,advection,persistence"
    ),
    model: Annotated[str, typer.Option(help="What champion stands for: default or a .safetensors file.")] = "default",
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all scores.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for plots of the scores against lead.")] = None,
    title: Annotated[str, typer.Option(help="Words on the plots: event, credit.")] = "",
    device: str = "auto",
) -> None:
    """Score methods on the same starts: four scans in, twelve leads out, a start every six scans.

    A folder that no forecast can be judged on is named and left out; when there is no other, the exit code is 2.
    """
    from nowcast import evaluation, evaluation_tables

    with usage():
        contestants = evaluation.methods(methods.split(","), model, device)
        found: dict[str, Evaluated] = {}
        unusable: dict[str, str] = {}
        judge = partial(evaluation.evaluate_folder, contestants=contestants)
        for folder, one in folder_by_folder([*events, *(more or [])], judge):
            if isinstance(one, ValueError):
                unusable[folder] = str(one)
            else:
                found[folder] = one
            tables = evaluation_tables.summary(found, unusable)
            if json_file is not None and found:
                json_file.write_text(json.dumps(tables, indent=1) + "\n")
    _show(tables)
    if plots is not None:
        from nowcast.plots import plots as draw

        for path in draw(tables, plots, title or f"{len(found)} event(s), {tables['sample']['all']['starts']} starts"):
            typer.echo(path)


def folder_by_folder(folders: list[Path], judge: Callable[..., Result]) -> Iterator[tuple[str, Result | ValueError]]:
    """What `judge` makes of each folder, or why it is left out, which is told; ValueError when all of them are.

    `judge` takes the folder and `progress`, to be called with (starts done, starts in all).
    """
    usable = 0
    for folder in folders:
        try:
            with bar(None, folder.name) as step:
                one = judge(folder, progress=partial(_count, step))
        except ValueError as error:
            errors.print(f"[red]left out:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
            yield str(folder), error
            continue
        usable += 1
        yield str(folder), one
    if not usable:
        raise ValueError("no folder could be evaluated")


def _count(step: Callable[[str], None], done: int, of: int) -> None:
    step(f"{done}/{of}")


def _show(tables: dict[str, Any]) -> None:
    """Scores at leads 6 and 12 over all events, and what they rest on."""
    names = ("CSI", "bias", f"FSS {FSS_SCALE} px")
    table = Table(
        "mm/h",
        "method",
        *(f"{n}\n+6    +12" for n in names),
        "starts\n+6",
        "pixels\n+6",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    lines = tables["lead_scores"]["all"]
    for threshold in next(iter(tables["all"].values())):
        for name, by_threshold in tables["all"].items():
            both = [by_threshold[threshold][lead] for lead in ("6", "12")]
            scores = [[cell["csi"], cell["bias"], cell["fss"][FSS_SCALE]] for cell in both]
            shown = (" ".join("  -  " if v is None else f"{v:.3f}" for v in pair) for pair in zip(*scores, strict=True))
            table.add_row(threshold, name, *shown, str(lines[name]["6"]["starts"]), _short(both[0]["n"]))
        table.add_section()
    Console().print(table)
    for folder, sample in tables["sample"]["events"].items():
        typer.echo(_described(folder, sample))


def _short(count: int) -> str:
    """A count in a few letters."""
    return f"{count / 1e6:.1f}M" if count >= 1e6 else str(count)


def _described(folder: str, sample: dict[str, Any]) -> str:
    """One event's sample, with the files skipped and the starts at which pysteps was stood in for."""
    text = f"{folder}: {sample['scans']} scans, {sample['starts']} starts, {sample['grid']}"
    for name, stood_in in sample["substituted"].items():
        text += "".join(f"\n  {by} stood in for {name} at {starts} start(s)" for by, starts in stood_in.items())
    for skipped in sample["skipped"]:
        text += f"\n  skipped {skipped['file']}: {skipped['reason']}"
    return text
