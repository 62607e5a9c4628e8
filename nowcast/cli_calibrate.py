"""`nowcast calibrate`: chances of a trained model made to come true as often as they say."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from nowcast.cli_evaluate import Events, More
from nowcast.cli_options import bar, usage

if TYPE_CHECKING:
    from nowcast.models.calibration import Calibration, Losses, Sample
    from nowcast.models.checkpoint import Checkpoint


def calibrate(
    events: Events,
    out: Annotated[Path, typer.Option(help="The .safetensors file to write, its JSON beside it.")],
    more: More = None,
    model: Annotated[str, typer.Option(help="default or a .safetensors file.")] = "default",
    name: Annotated[str, typer.Option(help="Name of the model written; the old one by default.")] = "",
    most_starts: Annotated[int, typer.Option(help="Most starts of an event.", min=1)] = 12,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Also judge each event by a calibration fitted on the others.")
    ] = False,
) -> None:
    """Fit the calibration of a model's chances to events and write the same weights with it.

    Every event counts the same. Its scans should be none that the model has learned from.
    """
    from nowcast.desk import checkpoint_path
    from nowcast.models.calibration import Calibration, fitted
    from nowcast.models.checkpoint import load_checkpoint, save_checkpoint
    from nowcast.settings import Region
    from nowcast.training.calibrate import left_out

    with usage():
        held = load_checkpoint(checkpoint_path(Region(name="calibration", model=model)))
        samples = [_sample(folder, held, most_starts) for folder in [*events, *(more or [])]]
        apart = left_out(samples) if leave_one_out else []
        made = fitted(samples)
        written = save_checkpoint(out, name or held.name, held.model, held.training, made)
    judged = {"raw": [Calibration()] * len(samples), "before": [held.calibration] * len(samples)}
    judged["after"] = [made] * len(samples)
    _show({what: _losses(each, samples) for what, each in (judged | ({"left out": apart} if apart else {})).items()})
    typer.echo(f"{out}: {written.model_id}")


def _sample(folder: Path, held: "Checkpoint", most_starts: int) -> "Sample":
    from nowcast.evaluation_event import LEADS, gather
    from nowcast.forecast import evenly
    from nowcast.models.convlstm import ConvLSTM
    from nowcast.training.calibrate import sample

    with bar(1, folder.name) as step, tempfile.TemporaryDirectory(prefix="nowcast-") as temporary:
        event = gather(folder, Path(temporary))
        drawn = sample(event.archive, ConvLSTM(held), evenly(event.starts, most_starts), LEADS)
        step("")
    if drawn is None:
        raise ValueError(f"{folder} has no pixel that a forecast can be judged at")
    return drawn


def _losses(calibrations: "list[Calibration]", samples: "list[Sample]") -> "Losses":
    """Over all events, each judged by its own calibration and counting the same."""
    from nowcast.models.calibration import Losses, losses

    each = [losses(one, sample) for one, sample in zip(calibrations, samples, strict=True)]
    return Losses(*(sum(terms[1:], terms[0]) / len(each) for terms in zip(*each, strict=True)))


def _show(found: "dict[str, Losses]") -> None:
    """Both losses per rate, in thousandths."""
    from nowcast.models.exceedance import RATES

    for index, loss in enumerate(("Brier score", "log loss")):
        table = Table("mm/h", *found, box=SIMPLE_HEAD, title=f"{loss}, thousandths, mean over events")
        for k, rate in enumerate(RATES):
            table.add_row(f"{rate:g}", *(f"{1000 * float(losses[index][k]):.3f}" for losses in found.values()))
        Console().print(table)
