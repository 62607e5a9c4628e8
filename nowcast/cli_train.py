"""`nowcast train`: a model from the archives of regions, in this process or in several through Ray Train."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nowcast.cli_options import Store, bar, settings_for, usage
from nowcast.settings import Settings

if TYPE_CHECKING:
    from nowcast.models.checkpoint import Checkpoint
    from nowcast.training.loop import Progress, Report, TrainConfig


def train(
    regions: Annotated[list[str], typer.Option("--region", help="Region to learn from; repeatable.")],
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    store: Store = None,
    minutes: Annotated[float, typer.Option(help="Wall-clock minutes of training.")] = 45.0,
    steps: Annotated[int | None, typer.Option(help="Most steps; with few minutes whichever ends first.")] = None,
    hold_out: Annotated[list[str] | None, typer.Option(help="Day never trained on, YYYY-MM-DD; repeatable.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    loss: Annotated[str, typer.Option(help="ordinal, mae, mse, balanced-mae, balanced-mse or fourier.")] = "ordinal",
    batch: Annotated[int, typer.Option(help="Windows per step and worker.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="At its highest, after the warm-up.")] = 1e-3,
    size: Annotated[int, typer.Option(help="Side of a window, pixels.")] = 320,
    first_windows: Annotated[
        int, typer.Option(help="Windows for the first fit, of the pixel network alone; 0 for none.")
    ] = 1200,
    trust: Annotated[
        float, typer.Option(help="Share of what was learned to keep; below 1 for radars that were not learned from.")
    ] = 1.0,
    init: Annotated[Path | None, typer.Option(help="A .safetensors file whose weights are started from.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Folder for TensorBoard curves.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes, through Ray Train; one without Ray by default.")
    ] = None,
    cpus: Annotated[float, typer.Option(help="CPUs that Ray reserves for each worker.")] = 1.0,
    storage: Annotated[str | None, typer.Option(help="Folder or URL for the workers' state; beside --out.")] = None,
) -> None:
    """Train a ConvLSTM on the archives of regions and score it on the held-out days.

    An interrupted training goes on where it stopped when it is started again with the same --out.
    """
    from nowcast.store.archive import open_archive
    from nowcast.training.curves import write_scores

    with usage():
        _, settings = settings_for(regions[0], store)
        archives = [open_archive(settings.location(region).child("archive")) for region in regions]
        days = [date.fromisoformat(day) for day in hold_out or []]
        how = {"minutes": minutes, "steps": steps, "device": device, "loss": loss, "batch": batch}
        how |= {"trust": trust, "learning_rate": learning_rate}
        config = _config(size, init, first_windows, **how)
        with _shown(logs) as report, training(settings, workers, cpus, storage) as job:
            made = job(archives, config, days, "convlstm", out, report)
        if logs is not None:
            write_scores(logs, made.training.scores)
    typer.echo(f"{out}: {made.model_id}")


def _config(size: int, init: Path | None, first_windows: int, **how: Any) -> "TrainConfig":
    """A configuration on windows of that size; with `init`, of the architecture found there."""
    from nowcast.models.checkpoint import load_checkpoint
    from nowcast.training.loop import TrainConfig
    from nowcast.training.pixels import PixelConfig
    from nowcast.training.windows import WindowConfig

    pixels = PixelConfig(windows=first_windows) if first_windows else None
    config = TrainConfig(windows=WindowConfig(size=size), init=init, pixels=pixels, **how)
    return config if init is None else replace(config, model=load_checkpoint(init).model.config)


@contextmanager
def _shown(logs: Path | None) -> Iterator["Report"]:
    """A report to the terminal and, with `logs`, to TensorBoard."""
    from nowcast.training.curves import curves

    with ExitStack() as stack:
        step = stack.enter_context(bar(None, "train"))
        write = stack.enter_context(curves(logs)) if logs is not None else None

        def report(progress: "Progress") -> None:
            step(f"{progress.used:.0%} {progress.loss:.3f}")
            if write is not None:
                write(progress)

        yield report


@contextmanager
def training(
    settings: Settings, workers: int | None, cpus: float, storage: str | None
) -> Iterator[Callable[..., "Checkpoint"]]:
    """`train_on`, or with a number of workers the same on Ray, connected as long as needed."""
    if workers is None:
        from nowcast.training.job import train_on

        yield train_on
        return
    from nowcast.serving.cluster import connect, disconnect
    from nowcast.training.distributed import Crew, train_distributed

    crew = Crew(workers, storage, cpus=cpus)
    connect(settings)
    try:
        yield partial(train_distributed, crew=crew)
    finally:
        disconnect()
