"""Known motion is found, fields move as they should, and missing never becomes dry."""

from datetime import UTC, datetime
from itertools import islice

import numpy as np
import torch

from nowcast.models.motion import advect, advect_covered, blur, extend, extrapolate, halved, optical_flow
from nowcast.models.transform import normalise
from nowcast.sources.synthetic import Storm


def uniform(rows: float, cols: float, size: tuple[int, int]) -> torch.Tensor:
    return torch.tensor([rows, cols])[None, :, None, None].expand(1, 2, *size).clone()


def test_the_motion_of_a_synthetic_storm_is_found_to_a_fifth_of_a_pixel() -> None:
    storm = Storm(datetime(2026, 6, 1, tzinfo=UTC), size=128, motion=(1.5, 3.0), cells=0)
    fields = normalise(torch.from_numpy(np.stack([storm.rain_rate(k) for k in range(4)])))[None]
    flow = optical_flow(fields, torch.ones_like(fields))
    rain = fields[0, -1] > 0
    assert (flow[0, 0][rain].median() - 1.5).abs() < 0.2
    assert (flow[0, 1][rain].median() - 3.0).abs() < 0.2


def test_dry_and_uncovered_scenes_stand_still() -> None:
    dry = torch.zeros(1, 3, 64, 64)
    assert (optical_flow(dry, torch.ones_like(dry)) == 0).all()
    assert (optical_flow(torch.rand(1, 3, 64, 64), dry) == 0).all()


def test_moving_by_whole_pixels_is_a_roll_inside() -> None:
    field = torch.rand(1, 1, 10, 12)
    moved = advect(field, uniform(2.0, -3.0, (10, 12)))
    torch.testing.assert_close(moved[..., 2:, :-3], field[..., :-2, 3:])
    assert (moved[..., :2, :] == 0).all()


def test_a_steady_uniform_flow_adds_up() -> None:
    flow = uniform(1.0, 2.0, (16, 16))
    torch.testing.assert_close(extend(extend(flow, flow), flow), 3 * flow)
    field = torch.rand(1, 1, 16, 16)
    third, covered = list(islice(extrapolate(field, torch.ones_like(field), flow), 3))[2]
    torch.testing.assert_close(third[..., 3:, 6:], field[..., :-3, :-6])
    assert covered[..., 3:, 6:].all()
    assert not covered[..., :3, :].any()


def test_uncovered_ground_stays_uncovered_when_it_moves_and_its_values_do_not_leak() -> None:
    field, coverage = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    field[..., 4], coverage[..., 4] = 99.0, 0.0
    moved, covered = advect_covered(field, coverage, uniform(0.0, 1.0, (8, 8)))
    assert not covered[..., 5].any()
    assert covered[..., 6].all()
    assert moved.max() == 1.0
    shifted, half_covered = advect_covered(field, coverage, uniform(0.0, 0.25, (8, 8)))
    assert (shifted[half_covered > 0] == 1.0).all()


def test_blur_keeps_a_constant_and_spreads_a_point() -> None:
    for sigma in (0.5, 3.0, 10.0):
        torch.testing.assert_close(blur(torch.full((1, 1, 40, 50), 2.0), sigma), torch.full((1, 1, 40, 50), 2.0))
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1.0
    spread = blur(point, 2.0)
    assert spread.sum().item() == torch.tensor(1.0).item() or abs(spread.sum().item() - 1) < 1e-4
    assert spread[..., 20, 20] == spread.max() < 0.1


def test_halves_of_odd_sides_are_means_of_what_there_is() -> None:
    field = torch.tensor([[1.0, 3.0, 5.0], [3.0, 5.0, 7.0], [0.0, 2.0, 9.0]])[None, None]
    assert halved(field)[0, 0].tolist() == [[3.0, 6.0], [1.0, 9.0]]


def test_blur_adds_up_three_boxes_along_either_side() -> None:
    """Of three pixels for sigma 1: together 1, 3, 6, 7, 6, 3, 1 parts of 27, which a step of 27 sums up one by one."""
    step = torch.tensor([0.0] * 4 + [27.0] * 4).expand(1, 1, 8, 8)
    for smooth in (blur(step, 1.0), blur(step.mT, 1.0).mT):
        expected = torch.tensor([0.0, 1.0, 4.0, 10.0, 17.0, 23.0, 26.0, 27.0]).expand(1, 1, 8, 8)
        torch.testing.assert_close(smooth, expected)
