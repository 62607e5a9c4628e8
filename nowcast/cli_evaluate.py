"""`nowcast evaluate`: methods side by side on folders of scans."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nowcast.cli_options import bar, usage
from nowcast.verify.statistics import Assessment, merged

Events = Annotated[list[Path], typer.Option("--events", help="Folder of scans of one event; more may follow it.")]
More = Annotated[list[Path] | None, typer.Argument(help="Further folders.", show_default=False)]


def evaluate(
    events: Events,
    more: More = None,
    methods: Annotated[str, typer.Option(help="Of champion, advection, persistence, lk, sprog.")] = (
        "champion,advection,persistence"
    ),
    model: Annotated[str, typer.Option(help="What champion stands for: default or a .safetensors file.")] = "default",
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all counts.")] = None,
    device: str = "auto",
) -> None:
    """Score methods on the same starts: four scans in, twelve leads out, a start every six scans."""
    from nowcast import evaluation

    with usage():
        contestants = evaluation.methods(methods.split(","), model, device)
        found: dict[str, Any] = {}
        totals: Assessment = {}
        for folder in [*events, *(more or [])]:
            with bar(None, folder.name) as step:
                sums = evaluation.evaluate_folder(folder, contestants, lambda done, of: step(f"{done}/{of}"))
            found[str(folder)] = evaluation.counts(sums)
            totals = merged(totals, sums)
            summary = {"events": found, "all": evaluation.counts(totals)}
            if json_file is not None:
                json_file.write_text(json.dumps(summary, indent=1) + "\n")
    _show(summary["all"])


def _show(scores: dict[str, Any]) -> None:
    """CSI and bias at leads 6 and 12, summed over all events."""
    table = Table("mm/h", "method", "CSI +6", "CSI +12", "bias +6", "bias +12", "pixels +6")
    for threshold in next(iter(scores.values())):
        for name, by_threshold in scores.items():
            sixth, last = by_threshold[threshold]["6"], by_threshold[threshold]["12"]
            values = (sixth["csi"], last["csi"], sixth["bias"], last["bias"])
            table.add_row(threshold, name, *("-" if v is None else f"{v:.3f}" for v in values), str(sixth["n"]))
    Console().print(table)
