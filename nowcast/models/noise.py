"""Gaussian fields that look like the errors of extrapolated rain: its own spectrum, and small scales first.

As in STEPS (Bowler et al. 2006, Q. J. R. Meteorol. Soc. 132; Seed et al. 2013, Water Resour. Res. 49): what is lost of
each scale by a lead, as its autocorrelation decays along the motion, is what noise replaces.
"""

import itertools
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
    amplitude, lasting = _amplitude(newest[0, 0]), _lasting(track)
    spectrum = torch.zeros((), device=newest.device)
    displacement = torch.zeros_like(flow)
    for lead in itertools.count(1):
        white = torch.randn(count, *newest.shape[-2:], generator=random, device=newest.device)
        fresh = (_lost(lasting, lead) - lasting**2 * _lost(lasting, lead - 1)).clamp(min=0.0).sqrt() * amplitude
        spectrum = lasting * spectrum + fresh * torch.fft.rfft2(white)
        displacement = extend(displacement, flow)
        fields = torch.fft.irfft2(spectrum, s=newest.shape[-2:])
        moved = advect(fields[None], displacement, outside="reflection")[0]
        yield moved / moved.square().mean().sqrt().clamp(min=1e-12)


def _lost(lasting: Tensor, steps: int) -> Tensor:
    """Share of each scale's variance that is error after so many steps."""
    kept = lasting**steps
    return (1 - kept) ** 1.5 * (1 + kept) ** 0.5


def _amplitude(field: Tensor) -> Tensor:
    """Of each coefficient of `rfft2`, that of the field (y, x) in a window that falls to zero at the edges."""
    height, width = field.shape
    if int((field > 0).sum()) < FEWEST_WET or field.std() < FLATTEST:
        return _radius(height, width, field).clamp(min=1.0 / max(height, width)) ** SLOPE
    window = torch.hann_window(height, device=field.device)[:, None] * torch.hann_window(width, device=field.device)
    spectrum: Tensor = torch.fft.rfft2(window * (field - (window * field).sum() / window.sum())).abs()
    spectrum[0, 0] = 0.0
    return spectrum


def _lasting(track: Track) -> Tensor:
    """Correlation from one step to the next along the motion, of each coefficient of `rfft2`: that of its scale."""
    flow = track.flow
    radius = _radius(flow.shape[-2], flow.shape[-1], flow)
    if track.fields.shape[1] < 2:
        return torch.full_like(radius, UNSEEN)
    now, covered = track.newest
    before, known = advect_covered(track.fields[:, -2:-1], track.coverage[:, -2:-1], flow)
    both = covered * known
    now_bands, before_bands = (cascade.bands(v, cascade.means(v, both)) for v in (now, before))
    by_band = cascade.correlation(now_bands, before_bands, both).clamp(0.0, MOST_LASTING)[0, :, 0, 0]
    scales = [0.0, *cascade.SCALES, torch.inf]
    passed = [torch.exp(-2 * (torch.pi * scale * radius) ** 2) if scale < torch.inf else 0.0 for scale in scales]
    shares = [finer - coarser for finer, coarser in pairwise(passed)]
    return torch.stack([c * share for c, share in zip(by_band, shares, strict=True)]).sum(dim=0)


def _radius(height: int, width: int, like: Tensor) -> Tensor:
    """Cycles per pixel of each coefficient of `rfft2`."""
    rows, cols = torch.fft.fftfreq(height, device=like.device), torch.fft.rfftfreq(width, device=like.device)
    return torch.hypot(rows[:, None], cols[None, :])
