"""Scores of neighbourhoods and scales by hand."""

import numpy as np
import pytest

from nowcast.verify import scores
from nowcast.verify.spatial import BANDS, POOLS, SCALES, band_power, pooled, rapsd
from nowcast.verify.statistics import Sums, compare_all, zero


def summed(forecast: np.ndarray, observed: np.ndarray, mask: np.ndarray | None = None) -> Sums:
    """Sums of one pair of fields at 1 mm/h."""
    mask = np.ones(observed.shape, bool) if mask is None else mask
    fields = (v.astype(np.float32)[None] for v in (forecast, observed))
    return compare_all({"m": next(fields)}, next(fields), mask[None], (1.0,), spatial=True)["m"]


def fss(sums: Sums) -> dict[int, float]:
    return dict(zip(SCALES, scores.fss(sums)[0, 0].tolist(), strict=True))


def wet_at(shape: tuple[int, int], *places: tuple[int, int]) -> np.ndarray:
    field = np.zeros(shape)
    for place in places:
        field[place] = 2.0
    return field


def test_fss_by_hand() -> None:
    """Rain at (2, 2), observed at (2, 3), of 5 x 5 pixels: windows of 20 hold all, those of 5 differ in column 0 alone.

    A window of 5 around row i holds 3, 4, 5, 4, 3 rows; with S the sum of 1 / rows^2, f^2 sums to S^2, o^2 to
    S (S - 1/9), and column 0 of f, which is all that differs, to S/9.
    """
    found = fss(summed(wet_at((5, 5), (2, 2)), wet_at((5, 5), (2, 3))))
    s = 2 / 9 + 2 / 16 + 1 / 25
    assert found[1] == 0.0
    assert found[5] == pytest.approx(1 - (s / 9) / (s * s + s * (s - 1 / 9)), abs=1e-6)
    assert found[20] == pytest.approx(1.0, abs=1e-6)


def test_fss_takes_shares_of_counted_pixels_around_counted_pixels() -> None:
    """Column 1 of 5 does not count. f is 1/2 1/4 0 0, o is 1/2 1/4 1/3 1/3 around columns 0, 2, 3, 4."""
    mask = np.array([[True, False, True, True, True]])
    forecast = np.array([[2.0, 2.0, 0.0, 0.0, 0.0]])
    found = fss(summed(forecast, wet_at((1, 5), (0, 2)), mask))
    assert found[5] == pytest.approx(1 - (2 / 9) / (5 / 16 + 5 / 16 + 2 / 9), abs=1e-6)


def test_even_windows_reach_further_north_west() -> None:
    """A window of 10 around column j holds j - 5 .. j + 4: that around column 5 holds column 0, that around 6 does not.

    The one around column 0 holds 5 columns, then 6, 7, 8, 9, 10.
    """
    sums = summed(wet_at((1, 20), (0, 0)), np.zeros((1, 20)))
    assert sums.spatial is not None
    size = sums.spatial.fraction_size[0, 0, SCALES.index(10)]
    assert size == pytest.approx(sum(1 / n**2 for n in (5, 6, 7, 8, 9, 10)))


def test_without_rain_neighbourhood_scores_are_undefined() -> None:
    sums = summed(np.zeros((6, 6)), np.zeros((6, 6)))
    assert np.isnan(scores.fss(sums)).all()
    assert np.isnan(scores.pooled_csi(sums)).all()
    assert np.isnan(scores.rapsd_ratio(sums)).all()


def test_pooled_csi_by_hand() -> None:
    """Ten columns in blocks of 4, 4 and 2: a hit, a miss, a false alarm; in one block of 16 they are one hit."""
    forecast, observed = wet_at((1, 10), (0, 0), (0, 9)), wet_at((1, 10), (0, 3), (0, 4))
    assert scores.pooled_csi(summed(forecast, observed))[0, 0].tolist() == [pytest.approx(1 / 3), 1.0]
    without_last = np.arange(10)[None] < 8
    assert scores.pooled_csi(summed(forecast, observed, without_last))[0, 0, 0] == 1 / 2


def test_pools_are_maxima_of_counted_pixels_and_edge_blocks_are_smaller() -> None:
    field = np.arange(30, dtype=np.float32).reshape(5, 6)
    mask = np.ones((5, 6), bool)
    mask[4, 4:] = False
    fours, sixteens = pooled(field, mask)
    assert fours.tolist() == [[21.0, 23.0], [27.0, -np.inf]]
    assert sixteens.tolist() == [[27.0]]
    assert POOLS == (4, 16)


def test_a_wave_has_its_power_on_one_ring() -> None:
    """A cosine over 64 x 64 pixels has a mean square of 1/2 and two coefficients, at 8 cycles: 64 * 64 / 4 each."""
    wave = np.cos(2 * np.pi * np.arange(64) / 8)[None] * np.ones((64, 1))
    density = rapsd(wave.astype(np.float32))
    on_ring = np.arange(-32, 32)[:, None] ** 2 + np.arange(-32, 32)[None] ** 2
    count = (np.sqrt(on_ring).round() == 8).sum()
    assert density[8] == pytest.approx(2 * 64 * 64 / 4 / count, rel=1e-5)
    assert np.delete(density, 8).max() < 1e-6 * density[8]


def test_half_the_contrast_is_a_quarter_of_the_power_at_its_wavelength() -> None:
    """Rain that swings over 20 dB and over 10 dB with a wavelength of 8 pixels, the upper end of the octave 4 to 8."""
    wave = (1 + np.cos(2 * np.pi * np.arange(64) / 8))[None] * np.ones((64, 1))
    forecast, observed = (0.1 * 10 ** (swing * wave / 10) for swing in (5.0, 10.0))
    assert scores.rapsd_ratio(summed(forecast, observed))[0, BANDS.index((4, 8))] == pytest.approx(0.25, rel=1e-4)


def test_power_is_that_of_decibels_where_pixels_count() -> None:
    """100 mm/h is 30 dB above 0.1 mm/h; less than that is dry; what does not count is as dry."""
    random = np.random.default_rng(2)
    field = np.where(random.random((32, 32)) < 0.5, 100.0, 0.05).astype(np.float32)
    mask = random.random((32, 32)) < 0.7
    decibels = np.where(mask & (field > 1), 30.0, 0.0).astype(np.float32)
    expected = rapsd(decibels)
    first, last = 32 // 8, 32 // 4
    assert band_power(field, mask)[BANDS.index((4, 8))] == pytest.approx(expected[first:last].mean(), rel=1e-5)


def test_a_field_too_small_for_a_wavelength_says_nothing_about_it() -> None:
    ratio = scores.rapsd_ratio(summed(wet_at((16, 16), (3, 3)), wet_at((16, 16), (9, 9))))[0]
    assert np.isnan(ratio[BANDS.index((32, 64))])
    assert ratio[BANDS.index((4, 8))] == pytest.approx(1.0, rel=1e-4)


def test_spatial_sums_are_made_only_where_asked_for() -> None:
    field = np.ones((1, 4, 4), np.float32)
    plain = compare_all({"m": field}, field, np.ones((1, 4, 4), bool), (1.0,))["m"]
    with pytest.raises(ValueError, match="spatial=True"):
        scores.fss(plain)
    with pytest.raises(ValueError, match="sums over"):
        plain + zero(1, (1.0,), spatial=True)
