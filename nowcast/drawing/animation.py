"""A nowcast in motion: the past hour as observed, then the forecast, above a bar that tells which is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from imageio_ffmpeg import write_frames
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from nowcast.core.types import FloatField
from nowcast.drawing.frames import headings, page
from nowcast.drawing.maps import (
    COAST,
    QUIET,
    Ground,
    colour_bar,
    draw_map,
    exactly,
    inches,
    key,
    label_meridians,
    label_parallels,
)
from nowcast.drawing.saving import put
from nowcast.drawing.subject import Layer, Subject, forecast, observed
from nowcast.drawing.times import marks, signed

AREA = 22.0
"""Square inches of the map."""

LEFT, RIGHT, TOP, BOTTOM = 0.42, 1.0, 1.0, 1.35
"""Inches around it."""

OBSERVED, FORECAST = "#444444", "#b3261e"
"""Of the words and the bar: what was, what is expected."""

PAUSES = 4
"""Frames that the last one stays for."""

GREYS = 40
"""In the palette of a GIF, beside the colours of the layer and tints of the two phases."""

Pixels = NDArray[np.uint8]
"""(y, x, rgb)."""


@dataclass(frozen=True, eq=False)
class Still:
    """A frame of the animation: minutes after the start, and the field (y, x), None where there is no scan."""

    minutes: int
    field: FloatField | None
    is_forecast: bool

    def phase(self, shown: Layer) -> str:
        """In words."""
        if self.is_forecast:
            return f"Forecast +{self.minutes} min"
        return shown.observed if self.field is not None else "No scan"


def animation(
    of: Subject, shown: Layer, path: Path, credit: str = "", past: int = 60, fps: float = 4.0, dpi: int = 100
) -> Path:
    """What was observed in the `past` minutes and then all leads, as a GIF or an MP4 (H.264), by the suffix.

    The last frame stays longer. ValueError for another suffix, or for rates and sizes that make no picture.
    """
    if not 0 < fps <= 50 or not 20 <= dpi <= 400 or not 0 <= past <= 1440:
        raise ValueError(f"fps {fps:g} must be in 0 .. 50, dpi {dpi} in 20 .. 400, past {past} min in 0 .. 1440")
    shots, count = pictures(of, shown, credit, past, dpi), 1 - _first(of, past) // of.cadence + len(of.leads)
    if path.suffix.lower() == ".gif":
        return put(path, lambda made: _write_gif(shots, count, shown, made, fps))
    return put(path, lambda made: _write_mp4(shots, made, fps))


def stills(of: Subject, shown: Layer, past: int) -> Iterator[Still]:
    """Frames in time order; those of the past are there even where no scan is."""
    for minutes in range(_first(of, past), 1, of.cadence):
        yield Still(minutes, observed(of, shown, minutes), is_forecast=False)
    for lead in of.leads:
        yield Still(lead, forecast(of, shown, lead), is_forecast=True)


def pictures(of: Subject, shown: Layer, credit: str, past: int, dpi: int) -> Iterator[Pixels]:
    """The drawn frames; all of one size, with an even number of rows and columns."""
    stage = _stage(of, shown, credit, past, dpi)
    return (_shot(stage, of, shown, still) for still in stills(of, shown, past))


@dataclass(frozen=True, eq=False)
class _Stage:
    """A figure drawn once, and what changes in it: the field, the words above it, and what has passed of the bar."""

    canvas: FigureCanvasAgg
    image: AxesImage
    phase: Text
    time: Text
    passed: Rectangle


def _stage(of: Subject, shown: Layer, credit: str, past: int, dpi: int) -> _Stage:
    ground = Ground(of.ground)
    wide = (AREA / ground.aspect) ** 0.5
    high = wide * ground.aspect
    figure = page((LEFT + wide + RIGHT, TOP + high + BOTTOM), headings(of.source, "nowcast"), credit)
    figure.set_dpi(dpi)
    axis = figure.add_axes(inches(figure, (LEFT, BOTTOM, wide, high)))
    image = draw_map(axis, ground, shown, None)
    label_parallels(axis, ground)
    label_meridians(axis, ground)
    style: dict[str, Any] = {"fontsize": 11.5, "fontweight": "bold", "pad": 5}
    phase, time = axis.set_title("", loc="left", **style), axis.set_title("", loc="right", **style)
    colour_bar(figure, (LEFT + wide + 0.15, BOTTOM + 0.06 * high, 0.16, 0.88 * high), shown)
    key(figure, (LEFT, 0.36), shown)
    bar = figure.add_axes(inches(figure, (LEFT, 0.85, wide, 0.13)))
    passed = time_bar(bar, _first(of, past), of.leads[-1])
    return _Stage(FigureCanvasAgg(figure), image, phase, time, passed)


def _shot(stage: _Stage, of: Subject, shown: Layer, still: Still) -> Pixels:
    field = np.full(of.ground.shape, np.nan, np.float32) if still.field is None else still.field
    stage.image.set_data(exactly(field))
    is_sure = shown.kind == "chance" and not still.is_forecast
    stage.image.set_interpolation("nearest" if is_sure else "auto")
    colour = FORECAST if still.is_forecast else OBSERVED
    valid = of.init_time + timedelta(minutes=still.minutes)
    stage.phase.set(text=still.phase(shown), color=colour)
    stage.time.set(text=f"{valid:%H:%M} UTC", color=colour)
    stage.passed.set(width=still.minutes - stage.passed.get_x(), facecolor=colour)
    stage.canvas.draw()  # type: ignore[no-untyped-call]
    drawn = np.asarray(stage.canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    height, width = (side // 2 * 2 for side in drawn.shape[:2])
    return np.ascontiguousarray(drawn[:height, :width])


def _first(of: Subject, past: int) -> int:
    """Minutes before the start, negative, of the first frame."""
    return -(past // of.cadence) * of.cadence


def time_bar(axis: Axes, first: int, last: int) -> Rectangle:
    """A bar over minutes from the start, with the line between what was observed and what is forecast.

    Gives the part that has passed, whose width is to be set.
    """
    axis.set(xlim=(first, last), ylim=(0, 1), yticks=[])
    for start, width, colour in ((first, -first, "#dddddd"), (0, last, "#f3d9d7")):
        axis.add_patch(Rectangle((start, 0), width, 1, facecolor=colour, linewidth=0))
    passed = Rectangle((first, 0), 0, 1, linewidth=0, zorder=2)
    axis.add_patch(passed)
    axis.axvline(0, color="black", linewidth=1.5, zorder=3, clip_on=False, ymin=-0.4, ymax=1.4)
    at = marks(first, last)
    axis.set_xticks(at, [signed(minutes) for minutes in at])
    axis.tick_params(labelsize=7.5, length=2, pad=2, colors=QUIET)
    axis.spines[:].set_visible(False)
    unit: dict[str, Any] = {"fontsize": 7.5, "color": QUIET, "va": "top", "ha": "left"}
    axis.annotate("min", (1, 0), (10, -4), "axes fraction", "offset points", annotation_clip=False, **unit)
    return passed


def _write_gif(shots: Iterator[Pixels], count: int, shown: Layer, path: Path, fps: float) -> None:
    """Every frame, one after the other, in one palette that holds the layer's colours exactly."""
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in _gif_colours(shown) for value in colour])
    images = (Image.fromarray(shot).quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots)
    durations = [round(1000 / fps)] * (count - 1) + [round(1000 * PAUSES / fps)]
    next(images).save(path, save_all=True, append_images=images, duration=durations, loop=0, optimize=False)


def _gif_colours(shown: Layer) -> list[tuple[int, ...]]:
    """At most 256."""
    layer = [_rgb(colour) for colour in (*shown.palette.colours, COAST, "#dddddd", "#f3d9d7", "#dcdcdc", "#b0b0b0")]
    greys = [(round(k * 255 / (GREYS - 1)),) * 3 for k in range(GREYS)]
    strong = np.array([_rgb(colour) for colour in (FORECAST, *shown.palette.colours)])
    tints = [tuple(int(v) for v in 255 - share * (255 - one)) for one in strong for share in (0.25, 0.5, 0.75, 1.0)]
    return list(dict.fromkeys((*layer, *greys, *tints)))[:256]


def _rgb(colour: str) -> tuple[int, ...]:
    """Of #rrggbb."""
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def _write_mp4(shots: Iterator[Pixels], path: Path, fps: float) -> None:
    shot = next(shots)
    options: dict[str, Any] = {"codec": "libx264", "macro_block_size": 2, "quality": None, "ffmpeg_log_level": "error"}
    quality = ["-crf", "20", "-preset", "slow", "-movflags", "+faststart"]
    encoder = write_frames(str(path), shot.shape[1::-1], fps=fps, output_params=quality, **options)
    encoder.send(None)
    encoder.send(shot)
    for shot in shots:
        encoder.send(shot)
    for _ in range(PAUSES - 1):
        encoder.send(shot)
    encoder.close()
