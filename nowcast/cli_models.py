"""`nowcast retrain`, and `nowcast models`: a region's registered models and the roles they have."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nowcast.cli_options import Json, RegionName, Store, bar, settings_for, show, usage
from nowcast.cli_train import training
from nowcast.core.types import Sampling
from nowcast.registry import Pointer
from nowcast.store.repository import Location

models = typer.Typer(no_args_is_help=True, help="A region's registered models, and which of them serves.")

Model = Annotated[str, typer.Argument(help="Model id, as listed.")]
Why = Annotated[str, typer.Option(help="Reason, kept in the registry.")]


def retrain(
    region: RegionName,
    store: Store = None,
    minutes: Annotated[float, typer.Option(help="Wall-clock minutes of training.")] = 45.0,
    steps: Annotated[int | None, typer.Option(help="Most steps; with few minutes whichever ends first.")] = None,
    judge_days: Annotated[float, typer.Option(help="Newest days to judge on, at most a quarter of the scans.")] = 2.0,
    go_on: Annotated[bool, typer.Option("--continue", help="Start from the champion's weights.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(help="Processes, through Ray Train; one without Ray by default.")
    ] = None,
    cpus: Annotated[float, typer.Option(help="CPUs that Ray reserves for each worker.")] = 1.0,
    storage: Annotated[str | None, typer.Option(help="Folder or URL for the workers' state; in the store.")] = None,
    as_json: Json = False,
) -> None:
    """Train a challenger on the region's archive and promote it if it is better on scans that it has not seen.

    Being refused is an answer as well: the exit code is 0.
    """
    from nowcast import retrain as use_case
    from nowcast.desk import device as chosen
    from nowcast.training.loop import TrainConfig

    with usage():
        known, settings = settings_for(region, store)
        train = TrainConfig(minutes=minutes, steps=steps, device=chosen(device))
        how, now = use_case.Retraining(train, timedelta(days=judge_days), go_on), datetime.now(UTC)
        keep = storage or settings.location(region).child("training").arrow_url()
        with bar(None, "retrain") as step, training(settings, workers, cpus, keep) as learn:
            made = use_case.retrain(known, settings, how, lambda *_: step(""), now, learn)
    row = {"outcome": made.outcome.value, "model": made.model_id, "reasons": list(made.verdict.reasons)}
    if as_json:
        typer.echo(json.dumps(row | {"figures": made.verdict.figures}))
        return
    _show_verdict(row, made.verdict.figures)


@models.command(name="list")
def listing(region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """Every registered model with its role, when it came and how it was judged."""
    from nowcast import registry

    with usage():
        _, settings = settings_for(region, store)
        where = settings.models(region)
        named, found = registry.pointer(where), registry.versions(where)
    roles = {model_id: role for role in ("shadow", "previous", "champion") if (model_id := getattr(named, role))}
    rows = [
        {
            "model": one.model_id,
            "role": roles.get(one.model_id, ""),
            "registered": one.registered,
            "verdict": "; ".join(one.verdict.get("reasons", ())),
        }
        for one in found
    ]
    show(rows, as_json)


@models.command()
def add(path: Path, region: RegionName, store: Store = None) -> None:
    """Register a .safetensors file, with the JSON beside it, without giving it a role."""
    from nowcast import registry

    with usage():
        _, settings = settings_for(region, store)
        made = registry.register(settings.models(region), path, datetime.now(UTC))
    typer.echo(made.model_id)


@models.command()
def promote(model: Model, region: RegionName, store: Store = None, why: Why = "by hand") -> None:
    """Make a model the region's champion, whatever it was judged; running actors take it over at their next nowcast."""
    from nowcast import champion

    with usage():
        where, sampling = _registry(region, store)
        _turned(champion.promote(where, model, sampling, why, datetime.now(UTC)))


@models.command()
def rollback(region: RegionName, store: Store = None, why: Why = "by hand") -> None:
    """Let champion and previous change places."""
    from nowcast import champion

    with usage():
        where, sampling = _registry(region, store)
        _turned(champion.rollback(where, sampling, why, datetime.now(UTC)))


@models.command()
def shadow(
    region: RegionName,
    model: Annotated[str | None, typer.Argument(help="Model id; none ends the shadow.")] = None,
    store: Store = None,
    why: Why = "by hand",
) -> None:
    """Let a model issue nowcasts beside the champion's, kept apart and never served; `nowcast verify` compares them."""
    from nowcast import champion

    with usage():
        where, sampling = _registry(region, store)
        _turned(champion.set_shadow(where, model, sampling, why, datetime.now(UTC)))


def _registry(region: str, store: str | None) -> tuple[Location, Sampling]:
    """The region's registry and the sampling of its archive; StoreNotFound when there is no archive."""
    from nowcast.store.archive import open_archive

    _, settings = settings_for(region, store)
    archive = open_archive(settings.location(region).child("archive"))
    return settings.models(region), archive.sampling


def _turned(named: Pointer) -> None:
    champion, previous = (model_id or "shipped weights" for model_id in (named.champion, named.previous))
    typer.echo(f"champion {champion}, previous {previous}, shadow {named.shadow or 'none'}")


def _show_verdict(row: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    console = Console()
    console.print(f"{row['outcome']}: {row['model'] or 'no challenger was trained'}", highlight=False, markup=False)
    for reason in row["reasons"]:
        console.print(f"  {reason}", highlight=False, markup=False, soft_wrap=True)
    if not figures.get("judged"):
        return
    judged, scores = figures["judged"], ("csi", "frequency_bias")
    table = Table("method", "mean CSI", *(f"{score} {t}".replace("_", " ") for score in scores for t in judged))
    for name in figures["csi"]:
        values = [f"{figures[score][name][t]:.4f}" for score in scores for t in judged]
        table.add_row(name, f"{figures['mean_csi'].get(name, float('nan')):.4f}", *values)
    console.print(table)
