"""The ConvLSTM on rain: which of the rain that moves in will still be there, pixel by pixel and lead by lead.

Rain moves first: the recurrent states, and predictors of the field at several scales, are carried along the optical
flow. The ConvLSTM (the paper's, on patches) sees each frame, its coverage and how wrong the last frame moved on was;
its forecaster gives a context per patch and lead. A small network per pixel adds to what an autoregressive cascade
predicts, and ranks the pixels for each of a few rain rates. With the last layer at zero the model is that cascade,
S-PROG.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, gelu, interpolate, pad, pixel_unshuffle

from nowcast.core.types import USUAL, Sampling
from nowcast.models import cascade
from nowcast.models.encoder_forecaster import EncoderForecaster, LayerStates, NetworkConfig, carried
from nowcast.models.exceedance import RATES, area, falling, field_from, levels, matched
from nowcast.models.motion import advect, advect_covered, extend, landed, with_coverage

INPUT_FIELDS = 3
"""Field, coverage and innovation (field minus the advected previous field)."""

NEAR = 4.0
"""Standard deviation [pixels] of the Gaussian for local errors and wet shares."""

HEAVY = 2.0
"""mm h-1 whose share of the surroundings is a predictor, beside that of the lowest rate."""

PREDICTORS = 2 + 2 * len(cascade.SCALES) + 3
"""What the pixel network sees beside the context."""

LAST_FIELD = slice(1, 2)
"""Predictor that is the newest field, after the cascade's forecast."""

MEMORY = 0.5
"""Weight of the past in the Lagrangian mean of the innovations."""

STEEPNESS = 12.0
"""Logits per unit of the normalised field, before anything is learned."""

STRIP = 1 << 20
"""Pixels that the pixel network is given at a time."""

SCALE = 10.0
"""Predictors are about a tenth; the pixel network sees them about one."""

Pixels = tuple[slice, slice]
"""Rows and columns."""

EVERY: Pixels = (slice(None), slice(None))


@dataclass(frozen=True)
class RainModelConfig:
    """Hidden channels per ConvLSTM layer, kernel, side of a patch [pixels], channels of the patch embedding, of the
    forecaster's context, and of the two layers of the pixel network."""

    hidden: tuple[int, ...] = (32, 32)
    kernel: int = 3
    patch: int = 8
    embedding: int = 32
    context: int = 16
    pixel: tuple[int, int] = (32, 24)

    @property
    def network(self) -> NetworkConfig:
        """The network after patching and embedding."""
        return NetworkConfig(self.embedding, self.context, self.hidden, self.kernel, self.kernel)


class RainState(NamedTuple):
    """Everything the next step needs.

    `frames` (b, 3, y, x) are the newest field and the two before it, moved to where the rain is now; `error`
    (b, 1, y, x) is the Lagrangian mean of how wrong extrapolation by one step was; `coverage` (b, 1, y, x), `flow`
    (b, 2, y, x).
    """

    layers: LayerStates
    frames: Tensor
    error: Tensor
    coverage: Tensor
    flow: Tensor
    seen: int
    sampling: Sampling

    @property
    def field(self) -> Tensor:
        """The newest field."""
        return self.frames[:, :1]


class LeadStep(NamedTuple):
    """Margins (b, k, y, x) at a lead, coverage and the newest field moved on, both (b, 1, y, x)."""

    lead: int
    margins: Tensor
    coverage: Tensor
    field: Tensor


class RainModel(nn.Module):
    """Normalised rain fields, stepped one frame at a time."""

    def __init__(self, config: RainModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Conv2d(INPUT_FIELDS * config.patch**2 + 2, config.embedding, 1)
        self.network = EncoderForecaster(config.network)
        for parameter in self.network.output.parameters():
            nn.init.zeros_(parameter)
        self.pixels = PixelNetwork(PREDICTORS + config.context, config.pixel)

    @torch.no_grad()
    def drawn_back(self, trust: float) -> "RainModel":
        """The model with only that share of what it adds to the cascade, changed in place; 0 is the cascade alone.

        What was learned from few radars holds less on others: the mean of first and trained weights is the better guess
        there (Wortsman et al. 2022, arXiv:2109.01903), here taken for the last layers, which start at zero.
        """
        for parameter in self.pixels.ends():
            parameter.mul_(trust)
        return self

    def start(self, field: Tensor, sampling: Sampling = USUAL) -> RainState:
        """The state before the first frame, on the grid of `field` (b, 1, y, x)."""
        nothing = torch.zeros_like(field)
        layers = self.network.zero_states(self._patches(nothing))
        return RainState(layers, nothing.repeat(1, 3, 1, 1), nothing, nothing, nothing.repeat(1, 2, 1, 1), 0, sampling)

    def observe(self, state: RainState, field: Tensor, coverage: Tensor, flow: Tensor) -> RainState:
        """The state after a frame: `field` normalised, `coverage` 0 or 1, `flow` the motion since the last frame.

        A frame that is missing as a whole is taken to be the last one moved on.
        """
        past = torch.cat([state.frames[:, :2], state.error], dim=1)
        past, known = advect_covered(past, state.coverage, flow)
        expected = past[:, :1]
        present = coverage.amax(dim=(1, 2, 3), keepdim=True) > 0
        field = torch.where(present, field * coverage, expected)
        coverage = torch.where(present, coverage, known)
        innovation = (field - expected) * coverage * known
        before = torch.where(known > 0, past[:, :2], field)
        error = innovation.abs() if state.seen < 2 else MEMORY * past[:, 2:] + (1 - MEMORY) * innovation.abs()
        layers = self.network.encode(
            self._embedded(field, coverage, innovation, state.sampling), self._carried(state, flow)
        )
        frames = torch.cat([field, before], dim=1)
        return RainState(layers, frames, error, coverage, flow, state.seen + 1, state.sampling)

    def forecast(self, state: RainState) -> Iterator[tuple[Tensor, Tensor]]:
        """(field, coverage), both (b, 1, y, x), at lead 1, 2, ... without end."""
        for step in self.steps(state):
            yield self.field(step, state.sampling)

    def field(self, step: LeadStep, sampling: Sampling) -> tuple[Tensor, Tensor]:
        """(field, coverage), both (b, 1, y, x), that stand for the margins of a lead."""
        wanted = area(step.lead * sampling.minutes)
        return field_from(matched(step.margins, step.field, step.coverage, wanted)), step.coverage

    def margins(
        self, state: RainState, wanted: Sequence[int] | None = None, pixels: Pixels = EVERY
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Margins (b, k, y, x), logits of exceeding each rate, falling along k, with coverage (b, 1, y, x).

        At lead 1, 2, ... without end, or at the `wanted` leads, ascending, alone; of every pixel or of some rows and
        columns.
        """
        for step in self.steps(state, wanted, pixels):
            yield step.margins, step.coverage

    def steps(
        self, state: RainState, wanted: Sequence[int] | None = None, pixels: Pixels = EVERY
    ) -> Iterator[LeadStep]:
        """What `forecast` and `margins` are made of."""
        patch_flow = self._patch_flow(state.flow)
        contexts = self.network.forecast(state.layers, lambda v: advect(v, patch_flow))
        for lead, known, displacement in predictors(state):
            context = next(contexts)
            if wanted is not None and lead not in wanted:
                continue
            context = self._upsampled(context, known)
            with torch.no_grad():
                known = with_coverage(known, state.coverage)
            told = known.new_tensor([horizon(lead, state.sampling)])
            parts = [self._ranked(known, displacement, context, told, k, pixels) for k in self._strips(known, pixels)]
            yield LeadStep(lead, *(torch.cat(each, dim=-2) for each in zip(*parts, strict=True)))
            if wanted is not None and lead == wanted[-1]:
                return

    def _ranked(
        self, known: Tensor, displacement: Tensor, context: Tensor, told: Tensor, rows: slice, pixels: Pixels
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Margins, coverage and the newest field, moved on, of some rows, and of some pixels there."""
        with torch.no_grad():
            moved, coverage = landed(advect(known, displacement[..., rows, :], first=rows.start))
        moved, context, coverage = (v[(..., *pixels)] for v in (moved, context[..., rows, :], coverage))
        return self.pixels(moved, context, told), coverage, moved[:, LAST_FIELD]

    def _strips(self, known: Tensor, pixels: Pixels) -> list[slice]:
        """Rows to work on together: all while learning, else as many as memory need not grow with the grid for."""
        height, width = known.shape[-2:]
        whole = torch.is_grad_enabled() or pixels != EVERY
        rows = height if whole else max(1, STRIP // (len(known) * width))
        return [slice(first, min(first + rows, height)) for first in range(0, height, rows)]

    def _upsampled(self, context: Tensor, like: Tensor) -> Tensor:
        fine = interpolate(context, scale_factor=self.config.patch, mode="bilinear", align_corners=False)
        return fine[..., : like.shape[-2], : like.shape[-1]]

    def _embedded(self, field: Tensor, coverage: Tensor, innovation: Tensor, sampling: Sampling) -> Tensor:
        patches = self._patches(torch.cat([field, coverage, innovation], dim=1))
        told = [torch.full_like(patches[:, :1], v) for v in _described(sampling)]
        return gelu(self.embed(torch.cat([patches, *told], dim=1)))

    def _carried(self, state: RainState, flow: Tensor) -> LayerStates:
        patch_flow = self._patch_flow(flow)
        return carried(state.layers, lambda v: advect(v, patch_flow))

    def _patches(self, fields: Tensor) -> Tensor:
        return pixel_unshuffle(self._fill_patches(fields), self.config.patch)

    def _patch_flow(self, flow: Tensor) -> Tensor:
        means = avg_pool2d(self._fill_patches(flow), self.config.patch)
        return means / self.config.patch

    def _fill_patches(self, fields: Tensor) -> Tensor:
        """Zero rows and columns added at the south and east until whole patches fit."""
        height, width = fields.shape[-2:]
        return pad(fields, (0, -width % self.config.patch, 0, -height % self.config.patch))


class PixelNetwork(nn.Module):
    """Margins from predictors and context, the same at every pixel; lead, cadence and pixel size scale its first layer.

    What it learns is added to the margins of the cascade.
    """

    def __init__(self, inputs: int, hidden: tuple[int, int]) -> None:
        super().__init__()
        first, second = hidden
        self.first = nn.Conv2d(inputs, first, 1)
        self.second = nn.Conv2d(first, second, 1)
        self.last = nn.Conv2d(second, len(RATES), 1)
        self.lead = nn.Sequential(nn.Linear(3, 16), nn.GELU())
        self.modulation = nn.Linear(16, 2 * first)
        self.fade = nn.Linear(16, len(RATES))
        for parameter in (*self.ends(), *self.modulation.parameters()):
            nn.init.zeros_(parameter)

    def ends(self) -> Iterator[nn.Parameter]:
        """What leaves the cascade's margins as they are when it is zero."""
        yield from self.last.parameters()
        yield from self.fade.parameters()

    def forward(self, moved: Tensor, context: Tensor, horizon: Tensor) -> Tensor:
        """(b, k, y, x) from predictors (b, PREDICTORS, y, x), the cascade first, context (b, c, y, x) and horizon
        (1 or b, 3), as `horizon` gives it."""
        told = self.lead(horizon)
        scale, shift = self.modulation(told)[..., None, None].chunk(2, dim=1)
        hidden = self.first(torch.cat([SCALE * moved, context], dim=1))
        hidden = gelu(hidden * (1 + scale) + shift)
        learned = self.last(gelu(self.second(hidden)))
        plain = STEEPNESS * (moved[:, :1] - levels().to(moved)) * torch.exp(self.fade(told))[..., None, None]
        return falling(plain + learned)


def horizon(lead: int, sampling: Sampling) -> tuple[float, float, float]:
    """What the pixel network is told of the time and space it forecasts over."""
    return math.log(lead * sampling.minutes / 30.0), *_described(sampling)


def _described(sampling: Sampling) -> tuple[float, float]:
    """The sampling beside the usual one, in powers of e."""
    return math.log(sampling.minutes / USUAL.minutes), math.log(sampling.spacing_km / USUAL.spacing_km)


@torch.no_grad()
def predictors(state: RainState) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(lead, predictors, displacement) at lead 1, 2, ... without end; the predictors are still to be moved."""
    known, now, before, coefficients = _predictors(state)
    displacement = torch.zeros_like(state.flow)
    for lead, rain in enumerate(cascade.propagated(now, before, coefficients), 1):
        displacement = extend(displacement, state.flow)
        yield lead, torch.cat([rain, known], dim=1), displacement


def _predictors(state: RainState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The predictors that are the same for all leads, the bands of the last two frames, and their coefficients."""
    frames = torch.split(state.frames, 1, dim=1)
    smooth = [cascade.means(frame, state.coverage) for frame in frames]
    now, before, earlier = (cascade.bands(f, s) for f, s in zip(frames, smooth, strict=True))
    coefficients = cascade.autoregression(now, before, earlier, state.coverage)
    low, heavy = (levels().to(state.frames)[RATES.index(rate)] for rate in (RATES[0], HEAVY))
    local = torch.cat([state.error, (state.field >= low).float(), (state.field >= heavy).float()], dim=1)
    near = cascade.covered_mean(local, state.coverage, NEAR)
    known = torch.cat([state.field, smooth[0], smooth[0] - smooth[1], near], dim=1)
    return known, now, before, coefficients
