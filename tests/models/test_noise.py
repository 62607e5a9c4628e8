"""Noise for members: standard normal, correlated in space as rain is, and from lead to lead along the motion."""

from itertools import islice

import numpy as np
import torch
from storms import frames

from nowcast.models.noise import correlated
from nowcast.models.track import Track, follow


def track(count: int, size: int = 64) -> Track:
    """The storm's first scans, which move by 1.5 rows and 3 columns a step."""
    seen, made = frames(count), None
    for rain_rate, coverage in zip(seen.rain_rate, seen.coverage, strict=True):
        made = follow(made, rain_rate, coverage, "cpu")
    assert made is not None
    return made


def noise(made: Track, count: int, leads: int, seed: int = 5) -> torch.Tensor:
    """(lead, member, y, x)."""
    return torch.stack(list(islice(correlated(made, count, seed), leads)))


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one * other).mean() / (one.std() * other.std()))


def test_every_lead_is_standard_normal() -> None:
    made = noise(track(4), 40, 4)
    for lead in made:
        assert abs(float(lead.mean())) < 0.05
        assert abs(float(lead.std()) - 1.0) < 0.1


def test_neighbours_are_alike_and_far_pixels_are_not() -> None:
    field = noise(track(4), 40, 3)[2]
    near = correlation(field[..., :-1], field[..., 1:])
    far = correlation(field[..., :-24], field[..., 24:])
    assert near > 0.45
    assert near > far + 0.4
    assert abs(far) < 0.25


def test_the_next_lead_is_like_this_one_moved_on() -> None:
    """Moved by about 1.5 rows and 3 columns, more alike than at the same place, and members differ."""
    fourth, fifth = noise(track(4), 40, 5)[3:]
    moved = correlation(fourth[:, 8:-10, 8:-11], fifth[:, 10:-8, 11:-8])
    assert moved > correlation(fourth, fifth) + 0.05
    assert abs(correlation(fourth[:-1], fourth[1:])) < 0.15


def test_errors_of_later_leads_reach_further() -> None:
    made = noise(track(4), 40, 8)
    first, last = (correlation(lead[..., :-2], lead[..., 2:]) for lead in (made[0], made[7]))
    assert last > first


def test_the_same_seed_gives_the_same_fields_and_another_gives_others() -> None:
    made = track(4)
    assert torch.equal(noise(made, 2, 2), noise(made, 2, 2))
    assert not torch.equal(noise(made, 2, 2), noise(made, 2, 2, seed=6))


def test_a_dry_scene_and_a_single_frame_have_noise_too() -> None:
    dry = follow(None, np.zeros((32, 48), np.float32), np.ones((32, 48), bool), "cpu")
    for made in (dry, track(1)):
        fields = noise(made, 3, 2)
        assert torch.isfinite(fields).all()
        assert 0.7 < float(fields.std()) < 1.3


def test_a_dry_scene_varies_alike_along_rows_and_columns() -> None:
    """On a square every wavenumber has one amplitude; a coefficient drawn too small shows in the means."""
    dry = follow(None, np.zeros((64, 64), np.float32), np.ones((64, 64), bool), "cpu")
    (made,) = noise(dry, 400, 1)
    ratio = float(made.mean(dim=-1).var() / made.mean(dim=-2).var())
    assert 0.8 < ratio < 1.25


def test_sides_that_are_primes_have_noise_too() -> None:
    """They are cut from a larger field, whose lengths have no prime factor above 5: 61 x 47 from 64 x 48."""
    seen = follow(None, np.zeros((61, 47), np.float32), np.ones((61, 47), bool), "cpu")
    made = noise(seen, 100, 1)[0]
    assert made.shape == (100, 61, 47)
    assert abs(float(made.std()) - 1.0) < 0.05
    assert correlation(made[:, :-1], made[:, 1:]) > 0.45
