"""`nowcast bench`: figures about the code itself."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nowcast.cli_options import Json, bar, show, usage
from nowcast.settings import Settings

if TYPE_CHECKING:
    from nowcast.training.paper_bench import Point

bench = typer.Typer(no_args_is_help=True, help="Figures about the code itself.")


@bench.command()
def parameters(as_json: Json = False) -> None:
    """Parameter counts of the six networks in the paper's table 1, counted from modules built here."""
    from nowcast.models.paper import paper_parameter_counts

    counts = paper_parameter_counts()
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        show([{"configuration": name, "parameters": count} for name, count in counts.items()], False)


@bench.command()
def moving_mnist(
    model: Annotated[str, typer.Option(help="Networks of `nowcast bench parameters`, by commas.")] = (
        "convlstm-5x5-128-64-64"
    ),
    minutes: Annotated[float, typer.Option(help="Minutes of training to add to each network.")] = 60.0,
    steps: Annotated[int | None, typer.Option(help="Most steps to add to each.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute the networks in bfloat16.")] = False,
    batch: Annotated[int, typer.Option(help="Sequences per step.")] = 16,
    validate_every: Annotated[int, typer.Option(help="Steps between points of the learning curve.")] = 625,
    validation_sequences: Annotated[int, typer.Option(help="Scored for each of these, of 2000.")] = 2_000,
    test_sequences: Annotated[int, typer.Option(help="Scored of each test set, of 3000.")] = 3_000,
    out: Annotated[Path, typer.Option(help="Folder of table, curves and states of training.")] = Path("moving-mnist"),
    as_json: Json = False,
) -> None:
    """Train networks of the paper's table 1 on Moving-MNIST, put their cross-entropy beside the paper's.

    Started again with the same --out, training goes on where it stopped.
    """
    from nowcast.desk import device as resolved
    from nowcast.training.paper_bench import Recipe
    from nowcast.training.paper_table import Budget
    from nowcast.training.paper_table import bench as run

    with usage(), bar(None, "train") as step:

        def word(name: str, number: int, loss: float, newest: "Point | None") -> None:
            step(f"{name} {loss:.0f}" + (f", validation {newest.validation_loss:.0f}" if newest else ""))

        recipe = Recipe(batch=batch, validate_every=validate_every, validated=validation_sequences)
        budget = Budget(minutes, steps, test_sequences, resolved(device), bf16)
        table = run(model.split(","), Settings().mnist_dir, out, recipe, budget, word)
        _draw(out)
    typer.echo(json.dumps(table)) if as_json else show(_rows(table), False)


def _draw(out: Path) -> None:
    """All learning curves of a folder in one picture, when there are any."""
    from nowcast.pictures_curve import learning_curves
    from nowcast.training.paper_table import PAPER_LOSSES, TABLE, curve_file, read_curve

    curves = {name: read_curve(curve_file(out, name)) for name in PAPER_LOSSES if curve_file(out, name).exists()}
    begun = {name: curve for name, curve in curves.items() if curve}
    if begun:
        learning_curves(begun, PAPER_LOSSES, out / f"{TABLE}.png")


def _rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    """What fits a terminal."""
    rows = []
    for name, row in table["networks"].items():
        losses = [f"{row[key]:.2f}" if key in row else "not run" for key in ("paper", "test", "three_digits")]
        seen = row.get("sequences", ""), f"{row['minutes']:.1f}" if "minutes" in row else ""
        partial = "partial" if row.get("partial") else ""
        columns = ("network", "paper", "here", "here, 3 digits", "sequences", "minutes", "")
        rows.append(dict(zip(columns, (name, *losses, *seen, partial), strict=True)))
    return rows
