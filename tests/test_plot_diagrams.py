"""Meteograms, reliability and spectra draw the numbers that a reader can compute."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotted import GRID, START, UNSEEN, here, region_in

from nowcast.drawing.meteogram import meteogram_figure, place
from nowcast.drawing.reliability import Diagram, reliability_figure
from nowcast.drawing.spectra import spectra, spectra_figure
from nowcast.plots import live_reliability
from nowcast.skill import Scans, Skill
from nowcast.store.repository import Location
from nowcast.tiles.palettes import palette
from nowcast.verify.chances import Chances
from nowcast.verify.scores_chances import Curve
from nowcast.verify.statistics import zero

WAVELENGTH = 10
"""km, of the wave below; 60 rows of 1 km hold six."""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Location:
    return region_in(tmp_path_factory.mktemp("diagrams"))


def line(axis: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y of a line."""
    (found,) = [one for one in axis.lines if one.get_label() == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def labels(axis: Axes) -> list[str]:
    return [text.get_text() for text in axis.get_legend().get_texts()]


class TestMeteogram:
    def figure(self, where: Location, row: int, col: int) -> Figure:
        lon, lat = GRID.lonlat(row, col)
        return meteogram_figure(place(where, "here", lat, lon, START, 15), palette("rain"), "Radar: somebody", 15)

    def test_has_observations_before_and_after_and_the_forecast(self, where: Location) -> None:
        """Scans of 4 mm/h 15, 10 and 0 minutes before the start and 5 and 10 after; the one at -5 is missing."""
        upper, _ = self.figure(where, 30, 20).axes
        observed, true = upper.containers
        assert [round(bar.get_x() + bar.get_width() / 2) for bar in observed] == [-15, -10, 0]
        assert [round(bar.get_x() + bar.get_width() / 2) for bar in true] == [5, 10]
        assert {bar.get_height() for bar in (*observed, *true)} == {4.0}
        minutes, rates = line(upper, "forecast")
        assert minutes.tolist() == [5, 10, 15, 20]
        assert rates == pytest.approx([4.0] * 4)
        assert "not seen by radar" in labels(upper)

    def test_has_the_band_between_the_lowest_and_the_highest_quantile(self, where: Location) -> None:
        """Half and twice the rain rate."""
        upper, _ = self.figure(where, 30, 20).axes
        (band,) = [one for one in upper.collections if one.get_label() == "10 to 90 %"]
        heights = band.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx((2.0, 8.0))

    def test_has_an_area_of_chance_for_each_threshold(self, where: Location) -> None:
        """55 % at 1 mm/h, a tenth of that at 5 mm/h, kept in hundredths."""
        _, lower = self.figure(where, 30, 20).axes
        heights = [area.get_paths()[0].vertices[:, 1].max() for area in lower.collections]
        assert heights == pytest.approx([0.55, 0.055], abs=0.006)
        assert labels(lower) == ["≥ 1 mm/h", "≥ 5 mm/h"]

    def test_where_no_radar_looks_shows_no_rain_and_no_dryness(self, where: Location) -> None:
        upper, lower = self.figure(where, 30, UNSEEN + 5).axes
        assert labels(upper) == labels(lower) == ["not seen by radar"]
        assert not upper.containers

    def test_before_the_archive_begins_nothing_is_known(self, where: Location) -> None:
        """The archive begins 20 minutes before the start and holds no scan at -20 and -5: 30 .. 20 are unknown too."""
        lon, lat = GRID.lonlat(30, 20)
        found = place(where, "here", lat, lon, START, 30)
        assert [minutes for minutes, rate in found.observations if np.isnan(rate)] == [-30, -25, -20, -5, 15, 20]
        upper, _ = meteogram_figure(found, palette("rain"), "", 30).axes
        hatched = [patch.get_x() + patch.get_width() / 2 for patch in upper.patches if patch.get_hatch()]
        assert hatched == [-30, -25, -20, -5]

    def test_tells_what_is_coming(self, where: Location) -> None:
        words = self.figure(where, 30, 20).texts[1].get_text()
        assert words.startswith("rain for the whole forecast")
        assert words.endswith("here, nowcast by model-1, champion")

    def test_outside_the_grid_is_refused(self, where: Location) -> None:
        with pytest.raises(ValueError, match="outside the grid"):
            place(where, "here", 10.0, 10.0, START, 60)


def chances() -> Chances:
    """One lead and threshold: 60 pixels at 0.05 of which 3 rained, 40 at 0.75 of which 20 did."""
    pixels, probability, events = (np.zeros((1, 1, 10)) for _ in range(3))
    pixels[0, 0, [0, 7]] = 60, 40
    probability[0, 0, [0, 7]] = 3, 30
    events[0, 0, [0, 7]] = 3, 20
    one = np.zeros((1, 1))
    return Chances((1.0,), one, one, pixels, probability, events, np.zeros(1))


def found(of: Chances | None) -> Skill:
    """Live sums of one lead of 5 minutes."""
    from dataclasses import replace

    together = {"served": replace(zero(1, (1.0,)), chances=of)}
    hour = timedelta(hours=1)
    now = datetime(2026, 6, 1, tzinfo=UTC)
    return Skill(now - hour, now, now, (5,), Scans(12, 12, 12), together, {}, {})


class TestReliability:
    def test_of_live_sums_is_as_by_hand(self) -> None:
        """At 0.05 it rained in 3 of 60, at 0.75 in 20 of 40, in 23 of 100 overall; 60 and 40 % of the pixels."""
        upper, lower = live_reliability(found(chances()), [5], [1.0], "here").axes
        x, y = line(upper, "served")
        assert x == pytest.approx([0.05, 0.75])
        assert y == pytest.approx([0.05, 0.5])
        assert line(upper, "frequency in the sample")[1] == pytest.approx([0.23, 0.23])
        shares = lower.patches[-1].get_data().values
        assert shares[[0, 7]] == pytest.approx([0.6, 0.4])
        assert upper.get_title() == "≥ 1 mm/h, +5 min"

    @pytest.mark.parametrize(("leads", "thresholds", "word"), [([7], [1.0], "lead"), ([5], [3.0], "threshold")])
    def test_of_what_was_not_scored_names_what_was(self, leads: list[int], thresholds: list[float], word: str) -> None:
        with pytest.raises(ValueError, match=f"no such {word}"):
            live_reliability(found(chances()), leads, thresholds, "")

    def test_without_chances_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no chances were scored"):
            live_reliability(found(None), [5], [1.0], "")

    def test_leaves_out_bins_that_hold_next_to_nothing(self) -> None:
        share = np.array([1 - 1e-6, 1e-6])
        curve = Curve(np.array([0.2, 0.8]), np.array([0.1, 0.9]), share)
        upper, _ = reliability_figure([[Diagram("", {"one": curve})]], "").axes
        assert line(upper, "one")[0].tolist() == [0.2]


def wave(length: float, amplitude: float) -> np.ndarray:
    """10 dBR and more, varying over so many km from north to south by so many dB; all is seen."""
    rows = np.arange(GRID.height)[:, None] * np.ones(GRID.width)
    return (10.0 ** ((10 + amplitude * np.sin(2 * np.pi * rows / length)) / 10)).astype(np.float32)


class TestSpectra:
    def test_of_a_wave_peak_at_its_wavelength(self, tmp_path: Path) -> None:
        """The newest scan and both leads vary over 10 km."""
        of = here(region_in(tmp_path, [wave(WAVELENGTH, 5), wave(WAVELENGTH, 4), wave(WAVELENGTH, 2)], leads=2))
        upper = spectra_figure(of, spectra(of, (5, 10))).axes[0]
        for label in ("newest scan", "forecast +5 min", "forecast +10 min"):
            wavelength, power = line(upper, label)
            assert wavelength[power.argmax()] == pytest.approx(WAVELENGTH)

    def test_tell_what_is_left_of_the_wave(self, tmp_path: Path) -> None:
        """Half the amplitude is a quarter of the power."""
        of = here(region_in(tmp_path, [wave(WAVELENGTH, 4), wave(WAVELENGTH, 2)], leads=1))
        _, ratios = spectra_figure(of, spectra(of, (5,))).axes
        wavelength, ratio = (np.asarray(values) for values in ratios.lines[-1].get_data())
        assert ratio[np.isclose(wavelength, WAVELENGTH)] == pytest.approx(0.25, rel=0.02)

    def test_without_what_came_true_have_no_ratio(self, where: Location) -> None:
        of = here(where)
        assert len(spectra_figure(of, spectra(of, (15,))).axes) == 1
        assert len(spectra_figure(of, spectra(of, (5,))).axes) == 2

    def test_at_an_unknown_lead_are_refused(self, where: Location) -> None:
        with pytest.raises(ValueError, match="no lead of 7 min, there are 0 and 5, 10, 15, 20"):
            spectra(here(where), (7,))
