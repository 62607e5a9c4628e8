"""Maps and animations show what the stores hold: every colour is looked up where it must be."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import read_frames
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image
from plotted import GRID, RAIN, UNSEEN, WET, field, here, region_in

from nowcast.drawing.animation import animation, stills
from nowcast.drawing.frames import frames_figure
from nowcast.drawing.maps import HATCH
from nowcast.drawing.maps import UNSEEN as GREY
from nowcast.drawing.subject import Subject, layer
from nowcast.tiles.palettes import palette

WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return here(region_in(tmp_path_factory.mktemp("maps")))


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def maps(figure: Figure) -> list[Axes]:
    """Axes with a field, in the order they were drawn."""
    return [axis for axis in figure.axes if axis.images]


def shot(figure: Figure) -> np.ndarray:
    """(y, x, rgb)."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def colours(figure: Figure, axis: Axes, rows: slice, columns: slice) -> Counter[tuple[int, ...]]:
    """How many dots are of each colour, within pixels of the grid, on a map."""
    corners = np.column_stack([GRID.x[columns][[0, -1]], GRID.y[rows][[0, -1]]])
    picture = shot(figure)
    (left, top), (right, bottom) = axis.transData.transform(corners).astype(int)
    dots = picture[len(picture) - top : len(picture) - bottom, left:right].reshape(-1, 3)
    return Counter(map(tuple, dots.tolist()))


def titles(axis: Axes) -> tuple[str, str]:
    return axis.get_title(loc="left"), axis.get_title(loc="right")


class TestFrames:
    def test_show_the_newest_scan_the_leads_and_below_what_came_true(self, of: Subject) -> None:
        """The archive ends ten minutes after the start."""
        figure = frames_figure(of, layer(of, "rain"), (0, 5, 10, 15))
        assert [titles(axis) for axis in maps(figure)] == [
            ("Observed", "12:00"),
            ("Forecast +5 min", "12:05"),
            ("Observed", "12:05"),
            ("Forecast +10 min", "12:10"),
            ("Observed", "12:10"),
            ("Forecast +15 min", "12:15"),
            ("Not in the archive", "12:15"),
        ]

    @pytest.mark.parametrize("name", ["classic", "viridis"])
    def test_have_the_colours_of_the_web_map(self, of: Subject, name: str) -> None:
        """4 mm/h is of the class from 3 to 5, the eighth."""
        assert palette("rain", name).bounds[7:9] == (3.0, 5.0)
        figure = frames_figure(of, layer(of, "rain", name), (0, 5))
        for axis in maps(figure):
            assert rgb(palette("rain", name).colours[7]) in colours(figure, axis, slice(24, 36), slice(14, 26))

    def test_dry_is_white_and_unseen_is_hatched_grey(self, of: Subject) -> None:
        figure = frames_figure(of, layer(of, "rain"), (0, 5))
        for axis in maps(figure):
            dry = colours(figure, axis, slice(2, 12), slice(40, UNSEEN - 4))
            unseen = colours(figure, axis, slice(2, 55), slice(UNSEEN + 1, UNSEEN + 3))
            assert dry.most_common(1)[0][0] == WHITE
            assert unseen.most_common(1)[0][0] == rgb(GREY)
            assert WHITE not in unseen
            assert any(sum(dot) <= sum(rgb(HATCH)) + 30 for dot in unseen)

    def test_a_scan_that_is_not_there_is_hatched_all_over(self, of: Subject) -> None:
        figure = frames_figure(of, layer(of, "rain"), (5, 15))
        missing = maps(figure)[-1]
        assert WHITE not in colours(figure, missing, slice(2, 12), slice(40, UNSEEN - 4))

    def test_chances_have_their_own_colours_and_observations_are_sure(self, of: Subject) -> None:
        """A chance of 55 % at 1 mm/h, and 4 mm/h observed."""
        figure = frames_figure(of, layer(of, "chance", None, 1.0), (0, 5))
        newest, lead, _ = maps(figure)
        inner = slice(24, 36), slice(14, 26)
        assert rgb(palette("chance").colours[-1]) in colours(figure, newest, *inner)
        assert rgb(palette("chance").colours[5]) in colours(figure, lead, *inner)
        assert titles(newest)[0] == "Observed ≥ 1 mm/h"

    def test_have_the_coast_on_every_map(self, of: Subject) -> None:
        """Dark dots stand along the coast, and none where the coast is taken away."""
        figure = frames_figure(of, layer(of, "rain"), (0, 5))
        west = slice(2, 58), slice(1, UNSEEN - 1)
        for axis in maps(figure):
            with_coast = {dot for dot in colours(figure, axis, *west) if max(dot) < 90}
            for drawn in [one for one in axis.collections if isinstance(one, LineCollection)]:
                drawn.remove()
            assert with_coast
            assert not {dot for dot in colours(figure, axis, *west) if max(dot) < 90}

    def test_tell_start_model_rung_units_and_credit(self, of: Subject) -> None:
        figure = frames_figure(of, layer(of, "rain"), (0, 5), "Radar: somebody")
        words = [text.get_text() for text in figure.texts]
        assert words[:3] == ["here, 1 June 2026, 12:00 UTC", "nowcast by model-1, champion", "Radar: somebody"]
        assert "Rain rate [mm/h]" in [axis.get_ylabel() for axis in figure.axes]

    def test_show_the_part_that_was_seen(self, of: Subject) -> None:
        """60 of 80 columns, and a twentieth of that beyond."""
        assert of.view == (slice(0, 60), slice(0, 63))

    def test_do_not_overlap(self, of: Subject) -> None:
        figure = frames_figure(of, layer(of, "rain"), (0, 5, 10, 15, 20))
        boxes = [axis.get_window_extent() for axis in maps(figure)]
        assert len(boxes) == 9
        assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
        assert np.ptp([box.width for box in boxes]) < 1e-6


class TestAnimation:
    def test_has_the_past_hour_and_then_the_leads(self, of: Subject) -> None:
        """12 slots before the start, most of them before the archive's first scan."""
        shown = layer(of, "rain")
        told = [(still.minutes, still.phase(shown)) for still in stills(of, shown, 15)]
        assert told == [
            (-15, "Observed"),
            (-10, "Observed"),
            (-5, "No scan"),
            (0, "Observed"),
            *((lead, f"Forecast +{lead} min") for lead in (5, 10, 15, 20)),
        ]

    def test_reaches_back_before_the_archive(self, of: Subject) -> None:
        first = next(iter(stills(of, layer(of, "rain"), 60)))
        assert (first.minutes, first.field) == (-60, None)

    def test_as_gif_has_a_frame_each_and_stays_at_the_last(self, of: Subject, tmp_path: Path) -> None:
        path = animation(of, layer(of, "rain"), tmp_path / "a.gif", past=15, fps=5, dpi=50)
        with Image.open(path) as image:
            durations = []
            for number in range(image.n_frames):
                image.seek(number)
                durations.append(image.info["duration"])
            last = {tuple(dot) for dot in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}
        assert durations == [200] * 7 + [800]
        assert rgb(palette("rain").colours[7]) in last

    def test_bar_passes_from_grey_to_red_at_the_start(self, of: Subject, tmp_path: Path) -> None:
        """There are more red dots in every frame of the forecast, and as many in all before."""
        path = animation(of, layer(of, "rain"), tmp_path / "a.gif", past=15, dpi=50)
        reds = [int((np.abs(shot.astype(int) - rgb("#b3261e")).max(axis=-1) < 3).sum()) for shot in gif(path)]
        assert reds[0] == reds[1] == reds[2] == reds[3]
        assert reds[3] < reds[4] < reds[5] < reds[6] < reds[7]

    def test_as_mp4_can_be_read_and_holds_the_last_frame(self, of: Subject, tmp_path: Path) -> None:
        """8 frames, and three times more the last."""
        path = animation(of, layer(of, "rain"), tmp_path / "a.mp4", past=15, fps=5, dpi=50)
        frames = read_frames(str(path))
        about = next(frames)
        shots = [np.frombuffer(frame, np.uint8).reshape(*about["size"][::-1], 3) for frame in frames]
        assert (about["codec"], about["fps"], len(shots)) == ("h264", 5.0, 11)
        wet = np.abs(shots[-1].astype(int) - rgb(palette("rain").colours[7])).max(axis=-1) < 12
        assert wet.sum() > 200

    @pytest.mark.parametrize("how", [{"fps": 0.0}, {"dpi": 5}, {"past": -1}])
    def test_of_no_size_or_speed_is_refused(self, of: Subject, tmp_path: Path, how: dict[str, float]) -> None:
        with pytest.raises(ValueError, match=r"must be in"):
            animation(of, layer(of, "rain"), tmp_path / "a.gif", **how)


def gif(path: Path) -> Iterator[np.ndarray]:
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            yield np.asarray(image.convert("RGB"))


def test_wet_square_is_where_the_numbers_say() -> None:
    assert (field()[WET] == RAIN).all()
