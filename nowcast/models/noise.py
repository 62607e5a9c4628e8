"""Gaussian fields that look like the errors of extrapolated rain: its own spectrum, and small scales first.

As in STEPS (Bowler et al. 2006, Q. J. R. Meteorol. Soc. 132; Seed et al. 2013, Water Resour. Res. 49): what is lost of
each scale by a lead, as its autocorrelation decays along the motion, is what noise replaces.
"""

import itertools
import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from nowcast.models import cascade
from nowcast.models.motion import advect, advect_covered, extend
from nowcast.models.track import Track

SLOPE = -1.5
"""Power to which amplitude falls with wavenumber where there is too little rain to see it."""

FEWEST_WET = 100
"""Pixels with rain that a spectrum can be read off."""

FLATTEST = 1e-3
"""Standard deviation of a normalised field, 0.04 dB, below which it has no spectrum to read off."""

MOST_LASTING = 0.995
"""Correlation from one step to the next above which a scale would never change."""

UNSEEN = 0.9
"""The same for every scale before there are two frames."""


@torch.inference_mode()
def correlated(track: Track, count: int, seed: int) -> Iterator[Tensor]:
    """Standard normal fields (count, y, x) at lead 1, 2, ..., moving with the rain; the same seed, the same fields."""
    (newest, _), flow = track.newest, track.flow
    random = torch.Generator(newest.device).manual_seed(seed)
    height, width = newest.shape[-2:]
    size = _fast(height), _fast(width)
    amplitude, lasting = _amplitude(newest[0, 0], size) * _doubled(size, newest), _lasting(track, size)
    spectrum = torch.zeros(count, *lasting.shape, dtype=torch.complex64, device=newest.device)
    displacement = torch.zeros_like(flow)
    for lead in itertools.count(1):
        white = torch.randn(spectrum.shape, dtype=spectrum.dtype, generator=random, device=newest.device)
        fresh = (_lost(lasting, lead) - lasting**2 * _lost(lasting, lead - 1)).clamp(min=0.0).sqrt() * amplitude
        spectrum.mul_(lasting).add_(white.mul_(fresh))
        displacement = extend(displacement, flow)
        fields = torch.fft.irfft2(spectrum, s=size)[:, :height, :width]
        moved = advect(fields[None], displacement, outside="reflection")[0]
        yield moved / (torch.linalg.vector_norm(moved) / math.sqrt(moved.numel())).clamp(min=1e-12)


def _fast(side: int) -> int:
    """The next length that has no prime factor above 5, which transforms are fast on."""
    return next(n for n in itertools.count(side) if 60 ** n.bit_length() % n == 0)


def _doubled(size: tuple[int, int], like: Tensor) -> Tensor:
    """White noise is drawn as coefficients of `rfft2`. Of those in the first column, and in the last of an even number,
    `irfft2` takes what is symmetric in both directions, half of the variance: they are drawn with twice as much."""
    weight = like.new_ones(size[1] // 2 + 1)
    weight[0] = math.sqrt(2.0)
    if size[1] % 2 == 0:
        weight[-1] = math.sqrt(2.0)
    return weight


def _lost(lasting: Tensor, steps: int) -> Tensor:
    """Share of each scale's variance that is error after so many steps."""
    kept = lasting**steps
    return (1 - kept) ** 1.5 * (1 + kept) ** 0.5


def _amplitude(field: Tensor, size: tuple[int, int]) -> Tensor:
    """Of each coefficient of `rfft2` of `size`: that of the field (y, x) in a window that is zero at the edges."""
    height, width = field.shape
    if int((field > 0).sum()) < FEWEST_WET or field.std() < FLATTEST:
        return _radius(size, field).clamp(min=1.0 / max(size)) ** SLOPE
    window = torch.hann_window(height, device=field.device)[:, None] * torch.hann_window(width, device=field.device)
    seen = window * (field - (window * field).sum() / window.sum())
    spectrum: Tensor = torch.fft.rfft2(seen, s=size).abs()
    spectrum[0, 0] = 0.0
    return spectrum


def _lasting(track: Track, size: tuple[int, int]) -> Tensor:
    """Correlation from one step to the next along the motion, of each coefficient of `rfft2`: that of its scale."""
    radius = _radius(size, track.flow)
    if track.fields.shape[1] < 2:
        return torch.full_like(radius, UNSEEN)
    now, covered = track.newest
    before, known = advect_covered(track.fields[:, -2:-1], track.coverage[:, -2:-1], track.flow)
    both = covered * known
    now_bands, before_bands = (cascade.bands(v, cascade.means(v, both)) for v in (now, before))
    by_band = cascade.correlation(now_bands, before_bands, both).clamp(0.0, MOST_LASTING)[0, :, 0, 0]
    scales = [0.0, *cascade.SCALES, torch.inf]
    passed = [torch.exp(-2 * (torch.pi * scale * radius) ** 2) if scale < torch.inf else 0.0 for scale in scales]
    shares = [finer - coarser for finer, coarser in pairwise(passed)]
    return torch.stack([c * share for c, share in zip(by_band, shares, strict=True)]).sum(dim=0)


def _radius(size: tuple[int, int], like: Tensor) -> Tensor:
    """Cycles per pixel of each coefficient of `rfft2`."""
    rows, cols = torch.fft.fftfreq(size[0], device=like.device), torch.fft.rfftfreq(size[1], device=like.device)
    return torch.hypot(rows[:, None], cols[None, :])
