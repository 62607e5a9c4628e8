"""`nowcast plot`: pictures of nowcasts, of places and of scores."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nowcast.cli_options import RegionName, Store, settings_for, usage
from nowcast.core.timeline import parse_time

if TYPE_CHECKING:
    from nowcast.drawing.subject import Layer, Subject
    from nowcast.skill import Skill

plot = typer.Typer(no_args_is_help=True, help="Draw nowcasts, places and scores.")


class Shown(StrEnum):
    """What maps show."""

    RAIN = "rain"
    CHANCE = "chance"


Out = Annotated[Path, typer.Option("--out", help="File, .png, .pdf or .svg.")]
Init = Annotated[str | None, typer.Option("--init-time", help="ISO 8601, UTC; the latest nowcast when absent.")]
Field = Annotated[Shown, typer.Option("--layer", help="Rain rates, or chances of reaching --threshold.")]
Threshold = Annotated[float, typer.Option(help="mm/h, of the chances.")]
Colours = Annotated[
    str | None, typer.Option("--palette", help="classic or viridis for rain, plasma or purples for chances.")
]
Credit = Annotated[str, typer.Option(help="Whose observations these are, for the lower corner.")]
Dpi = Annotated[int, typer.Option(help="Dots per inch.", min=20, max=600)]
File = Annotated[Path | None, typer.Argument(help="Scores as JSON; the live ones of --region when absent.")]
MaybeRegion = Annotated[str | None, typer.Option("--region", help="Region whose live scores are drawn.")]
Window = Annotated[str, typer.Option(help="Of live scores, such as 24h, 30d or 90min.")]
Until = Annotated[str | None, typer.Option(help="End of the window, ISO 8601, UTC; the newest scored time if absent.")]
Title = Annotated[str, typer.Option(help="Words at the right above: event, credit.")]


@plot.command()
def frames(
    region: RegionName,
    out: Out,
    store: Store = None,
    init_time: Init = None,
    leads: Annotated[str, typer.Option(help="Minutes; 0 is the newest scan.")] = "0,15,30,60",
    layer: Field = Shown.RAIN,
    threshold: Threshold = 1.0,
    palette: Colours = None,
    observed: Annotated[bool, typer.Option(help="What came true below, as far as the archive has it.")] = True,
    credit: Credit = "",
    dpi: Dpi = 150,
) -> None:
    """Maps side by side: the newest scan, the nowcast at some leads, and what came true."""
    from nowcast.drawing.frames import frames_figure
    from nowcast.drawing.saving import STILL, require_writable, save

    with usage():
        require_writable(out, STILL)
        chosen = _minutes(leads)
        of, shown = _subject(region, store, init_time, layer, palette, threshold)
        save(frames_figure(of, shown, chosen, credit, observed), out, dpi)


@plot.command()
def animation(
    region: RegionName,
    out: Annotated[Path, typer.Option("--out", help="File, .gif or .mp4.")],
    store: Store = None,
    init_time: Init = None,
    layer: Field = Shown.RAIN,
    threshold: Threshold = 1.0,
    palette: Colours = None,
    past: Annotated[int, typer.Option(help="Minutes of observations before the forecast.", min=0, max=1440)] = 60,
    fps: Annotated[float, typer.Option(help="Frames a second.", min=0.1, max=50)] = 4.0,
    dpi: Annotated[int, typer.Option(help="Dots per inch.", min=20, max=400)] = 100,
    credit: Credit = "",
) -> None:
    """The past hour as observed, then the forecast, as a GIF or an MP4."""
    from nowcast.drawing.animation import animation as animate
    from nowcast.drawing.saving import MOVING, require_writable

    with usage():
        require_writable(out, MOVING)
        of, shown = _subject(region, store, init_time, layer, palette, threshold)
        animate(of, shown, out, credit, past, fps, dpi)


@plot.command()
def point(
    lat: float,
    lon: float,
    region: RegionName,
    out: Out,
    store: Store = None,
    init_time: Init = None,
    past: Annotated[int, typer.Option(help="Minutes of observations before the forecast.", min=0, max=1440)] = 60,
    palette: Colours = None,
    credit: Credit = "",
    dpi: Dpi = 150,
) -> None:
    """A place over time: observed, forecast with its spread, and chances. A negative number stands behind --."""
    from nowcast.drawing.meteogram import meteogram_figure, place
    from nowcast.drawing.saving import STILL, require_writable, save
    from nowcast.tiles.palettes import palette as colours

    with usage():
        require_writable(out, STILL)
        _, settings = settings_for(region, store)
        found = place(settings.location(region), region, lat, lon, _time(init_time), past)
        save(meteogram_figure(found, colours("rain", palette), credit, past), out, dpi)


@plot.command()
def spectra(
    region: RegionName,
    out: Out,
    store: Store = None,
    init_time: Init = None,
    leads: Annotated[str, typer.Option(help="Minutes.")] = "5,15,30,60",
    credit: Credit = "",
    dpi: Dpi = 150,
) -> None:
    """Power by wavelength: how much of each scale is left in a nowcast, beside what was observed."""
    from nowcast.drawing.saving import STILL, require_writable, save
    from nowcast.drawing.spectra import spectra as spectra_of
    from nowcast.drawing.spectra import spectra_figure

    with usage():
        require_writable(out, STILL)
        chosen = _minutes(leads)
        of, _ = _subject(region, store, init_time, Shown.RAIN, None, 1.0)
        save(spectra_figure(of, spectra_of(of, chosen), credit), out, dpi)


@plot.command()
def scores(
    out: Out,
    file: File = None,
    region: MaybeRegion = None,
    store: Store = None,
    group: Annotated[str, typer.Option(help="Of a file: csi, bias, fss, pooled_csi, errors or spectra.")] = "csi",
    window: Window = "24h",
    until: Until = None,
    title: Title = "",
) -> None:
    """Scores against lead: of a file that `nowcast evaluate --json` wrote, or live ones."""
    from nowcast.drawing.saving import STILL, require_writable
    from nowcast.plots import group_plot, skill_plot, tables_in

    with usage():
        require_writable(out, STILL)
        if file is not None:
            tables = tables_in(file, "lead_scores", "nowcast evaluate --json")
            with _layout(file):
                group_plot(tables, group, out, title)
            return
        from nowcast.skill import tables as tables_of

        found, heading = _live(region, store, window, until)
        skill_plot(tables_of(found, datetime.now(UTC)), out, f"Skill of nowcasts: {heading}\n{title}")


@plot.command()
def reliability(
    out: Out,
    file: File = None,
    region: MaybeRegion = None,
    store: Store = None,
    leads: Annotated[str, typer.Option(help="Of live scores, minutes.")] = "15,30,60",
    thresholds: Annotated[str, typer.Option(help="Of live scores, mm/h.")] = "0.1,1,5",
    window: Window = "24h",
    until: Until = None,
    title: Title = "",
) -> None:
    """Observed frequency against chance, and how often each chance was given: of a file that `nowcast
    evaluate-ensembles --json` wrote, or live."""
    from nowcast.drawing.saving import STILL, require_writable, save
    from nowcast.plots import live_reliability, tables_in
    from nowcast.plots_ensembles import reliability_plot

    with usage():
        require_writable(out, STILL)
        if file is not None:
            tables = tables_in(file, "all", "nowcast evaluate-ensembles --json")
            with _layout(file):
                reliability_plot(tables, out, title)
            return
        rows, columns = _minutes(leads), _rates(thresholds)
        found, heading = _live(region, store, window, until)
        save(live_reliability(found, rows, columns, f"{heading}, {title}" if title else heading), out)


def _subject(
    region: str, store: str | None, init_time: str | None, kind: Shown, palette: str | None, threshold: float
) -> tuple["Subject", "Layer"]:
    from nowcast.drawing.subject import layer, subject

    _, settings = settings_for(region, store)
    of = subject(settings.location(region), region, _time(init_time))
    return of, layer(of, kind.value, palette, threshold)


def _live(region: str | None, store: str | None, window: str, until: str | None) -> tuple["Skill", str]:
    """Live scores, and a line about them."""
    from nowcast.skill import in_words, parse_window, skill

    if region is None:
        raise ValueError("name a JSON file of scores, or the --region whose live scores to draw")
    _, settings = settings_for(region, store)
    found = skill(settings.location(region), parse_window(window), _time(until))
    sample = f"{found.scans.scored} of {found.scans.slots} scans"
    return found, f"{region}, {in_words(parse_window(window))} until {found.until:%Y-%m-%d %H:%M} UTC, {sample}"


def _minutes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"leads {text!r} are no whole minutes such as 0,15,30") from None


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"thresholds {text!r} are no numbers such as 0.1,1,5") from None


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


@contextmanager
def _layout(file: Path) -> Iterator[None]:
    """What a file of another layout lacks is told as that."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{file} has another layout: {error!r}") from error
