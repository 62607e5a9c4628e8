"""Dense optical flow and semi-Lagrangian advection in torch.

Flows are (b, 2, y, x): pixels per step along (rows, columns).
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate, pad

WINDOW = 7.0
"""Standard deviation, in pixels of each pyramid level, of the Gaussian over which motion is held constant."""

COARSEST = 24
"""The pyramid stops before a side gets shorter than this."""

FINEST_LEVEL = 1
"""Flow is solved down to this halving of the grid: rain moves together over far more than two pixels."""

REFINEMENTS = 4
"""Warped solutions per pyramid level."""

COVERED = 0.5
"""Share of an advected pixel that must come from covered ground for it to count as covered."""

FARTHEST = 40.0
"""Rain is not taken to move further than this in a step [pixels]."""

STEADY = 20.0
"""Standard deviation [pixels] of the Gaussian over which `steadied` takes the mean."""

SMOOTHNESS = 0.02
"""Pull towards the neighbourhood's mean motion, relative to the mean gradient energy of the scene."""


def optical_flow(fields: Tensor, coverage: Tensor) -> Tensor:
    """Motion between consecutive fields, (b, t, y, x) in dB with coverage alike, as one flow for the whole stack.

    A combined local-global method (Bruhn, Weickert and Schnoerr 2005, Int. J. Comput. Vis. 61): Lucas-Kanade normal
    equations summed over a Gaussian window and all frame pairs, pulled towards the mean motion of the surroundings, on
    a coarse-to-fine pyramid with warping. Dry or uncovered scenes give zero flow.
    """
    pyramid = _pyramid(fields, coverage.to(fields.dtype))
    height, width = pyramid[-1][0].shape[-2:]
    flow = fields.new_zeros(fields.shape[0], 2, height, width)
    for level, (level_fields, weight) in enumerate(reversed(pyramid)):
        if level > 0:
            flow = _resize(flow, level_fields.shape[-2:])
        farthest = FARTHEST * level_fields.shape[-2] / fields.shape[-2]
        for _ in range(REFINEMENTS):
            flow = _refine(flow, level_fields, weight).clamp(-farthest, farthest)
    return _resize(flow, fields.shape[-2:])


def steadied(flow: Tensor, field: Tensor) -> Tensor:
    """The flow (b, 2, y, x) that rain has in common over some tens of pixels, `field` (b, 1, y, x) being the weight.

    What a fine flow makes of growth and decay is no motion and does not last.
    """
    weight = field + 1e-3
    return blur(flow * weight, STEADY) / blur(weight, STEADY)


def advect(field: Tensor, displacement: Tensor, *, outside: str = "zeros", first: int = 0) -> Tensor:
    """`field` (b, c, y, x) carried along `displacement` (b, 2, y, x): out(p) = field(p - displacement(p)), bilinear.

    `outside` is what flows in over the edge, as torch's padding mode: "zeros" or "border". A displacement of some rows,
    from the row `first` on, gives these rows.
    """
    (height, width), stop = field.shape[-2:], first + displacement.shape[-2]
    rows = torch.arange(first, stop, dtype=field.dtype, device=field.device)[:, None] - displacement[:, 0]
    cols = torch.arange(width, dtype=field.dtype, device=field.device)[None, :] - displacement[:, 1]
    where = torch.stack([(2 * cols + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    return grid_sample(field, where, mode="bilinear", padding_mode=outside, align_corners=False)


def extend(displacement: Tensor, flow: Tensor) -> Tensor:
    """Displacement over one more step of a steady flow, along the trajectory (Germann and Zawadzki 2002)."""
    return flow + advect(displacement, flow, outside="border")


def advect_covered(field: Tensor, coverage: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
    """Field (b, c, y, x) and coverage (b, 1, y, x) moved, coverage 0 or 1.

    A pixel gets the mean over the covered part of where it comes from, or no coverage where too little is covered.
    """
    return landed(advect(with_coverage(field, coverage), displacement))


def with_coverage(field: Tensor, coverage: Tensor) -> Tensor:
    """Field (b, c, y, x), zero where nothing is covered, and its coverage as one more channel."""
    return torch.cat([field * coverage, coverage], dim=1)


def landed(moved: Tensor) -> tuple[Tensor, Tensor]:
    """Field and coverage, as of `advect_covered`, of what `with_coverage` gave and was moved."""
    field, share = moved[:, :-1], moved[:, -1:]
    covered = (share > COVERED).to(moved.dtype)
    return covered * field / share.clamp(min=COVERED), covered


def extrapolate(field: Tensor, coverage: Tensor, flow: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """(field, coverage) carried on by a steady flow at lead 1, 2, ... without end."""
    displacement = torch.zeros_like(flow)
    while True:
        displacement = extend(displacement, flow)
        yield advect_covered(field, coverage, displacement)


def _pyramid(fields: Tensor, weight: Tensor) -> list[tuple[Tensor, Tensor]]:
    levels = [(fields * weight, weight)]
    while min(fields.shape[-2:]) >= 2 * COARSEST:
        fields, weight = (_halve(v) for v in levels[-1])
        levels.append((fields, weight))
    return levels[min(FINEST_LEVEL, len(levels) - 1) :]


def _halve(v: Tensor) -> Tensor:
    return halved(blur(v, 1.0))


def _resize(flow: Tensor, size: torch.Size) -> Tensor:
    scale = flow.new_tensor([size[0] / flow.shape[-2], size[1] / flow.shape[-1]])
    return interpolate(flow, size=tuple(size), mode="bilinear", align_corners=False) * scale[:, None, None]


def _refine(flow: Tensor, fields: Tensor, weight: Tensor) -> Tensor:
    """One warped, regularised Lucas-Kanade step."""
    before, after = fields[:, :-1], fields[:, 1:]
    moved = advect(before, flow, outside="border")
    moved_weight = advect(weight[:, :-1], flow, outside="border") * weight[:, 1:]
    grad_r, grad_c = _gradients((moved + after) / 2)
    change = (after - moved) * moved_weight
    grad_r, grad_c = grad_r * moved_weight, grad_c * moved_weight
    terms = [grad_r * grad_r, grad_r * grad_c, grad_c * grad_c, grad_r * change, grad_c * change]
    products = torch.stack([t.sum(1) for t in terms], dim=1)
    rr, rc, cc, rt, ct = blur(products, WINDOW).unbind(1)
    energy = (rr + cc).mean(dim=(-2, -1), keepdim=True)
    pull = SMOOTHNESS * energy + 1e-9
    mean_flow = _surroundings(flow, rr + cc)
    rest = mean_flow - flow
    b_r, b_c = -rt + pull * rest[:, 0], -ct + pull * rest[:, 1]
    a, d = rr + pull, cc + pull
    determinant = a * d - rc * rc
    step = torch.stack([(d * b_r - rc * b_c) / determinant, (a * b_c - rc * b_r) / determinant], dim=1)
    return flow + step.clamp(-2.0, 2.0)


def _surroundings(flow: Tensor, energy: Tensor) -> Tensor:
    """Mean flow around each pixel, weighted by how much there is to see."""
    weight = energy[:, None] + 1e-3 * energy.mean(dim=(-2, -1), keepdim=True)[:, None] + 1e-12
    return blur(flow * weight, 3 * WINDOW) / blur(weight, 3 * WINDOW)


def _gradients(v: Tensor) -> tuple[Tensor, Tensor]:
    wide = pad(v, (1, 1, 1, 1), mode="replicate")
    return (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2, (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2


def blur(v: Tensor, sigma: float) -> Tensor:
    """Gaussian mean over (b, c, y, x), edges replicated: three box means, wide ones on a coarser grid."""
    if sigma >= 4.0 and min(v.shape[-2:]) >= 8:
        return interpolate(blur(halved(v), sigma / 2), size=v.shape[-2:], mode="bilinear", align_corners=False)
    radius = max(1, round((math.sqrt(4 * sigma**2 + 1) - 1) / 2))
    for _ in range(3):
        v = _box(_box(v, radius, -1), radius, -2)
    return v


def halved(v: Tensor) -> Tensor:
    """Means over blocks of two by two pixels; those at the south and east may be cut."""
    height, width = v.shape[-2:]
    if height % 2 or width % 2:
        v = pad(v, (0, width % 2, 0, height % 2), mode="replicate")
    pairs = v[..., 0::2, :] + v[..., 1::2, :]
    return (pairs[..., 0::2] + pairs[..., 1::2]) / 4


def _box(v: Tensor, radius: int, axis: int) -> Tensor:
    """Means along rows or columns. Shifted copies are added: on CPUs several times as fast as torch's pooling."""
    size, width = v.shape[axis], 2 * radius + 1
    wide = pad(v, (radius, radius, 0, 0) if axis == -1 else (0, 0, radius, radius), mode="replicate")
    if v.is_cuda:
        return avg_pool2d(wide, (1, width) if axis == -1 else (width, 1), stride=1)
    total = wide.narrow(axis, 0, size) + wide.narrow(axis, 1, size)
    for shift in range(2, width):
        total += wide.narrow(axis, shift, size)
    return total / width
