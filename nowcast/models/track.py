"""The last few frames of a region and the motion found in them: what every Lagrangian method starts from."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nowcast.core.types import USUAL, BoolField, FloatField, Sampling
from nowcast.models.motion import advect_covered, optical_flow
from nowcast.models.transform import normalise

HISTORY = 4
"""Frames that the motion is found on."""


class Track(NamedTuple):
    """Normalised `fields` and their `coverage` (0 or 1), both (1, t, y, x), newest last; `flow` (1, 2, y, x).

    Where a whole frame was missing its field is the previous one carried on.
    """

    fields: Tensor
    coverage: Tensor
    flow: Tensor
    sampling: Sampling = USUAL

    @property
    def newest(self) -> tuple[Tensor, Tensor]:
        """The last field and its coverage, both (1, 1, y, x)."""
        return self.fields[:, -1:], self.coverage[:, -1:]

    def crop(self, window: tuple[slice, slice]) -> "Track":
        """The same of some rows and columns."""
        fields, coverage, flow = (v[(..., *window)] for v in (self.fields, self.coverage, self.flow))
        return Track(fields, coverage, flow, self.sampling)


def follow(
    track: Track | None, rain_rate: FloatField, coverage: BoolField, device: str, sampling: Sampling = USUAL
) -> Track:
    """The track after one more frame (y, x); None starts one. A missing scan has no coverage."""
    field = normalise(torch.from_numpy(np.nan_to_num(rain_rate)).to(device))[None, None]
    covered = torch.from_numpy(coverage.astype(np.float32)).to(device)[None, None]
    if track is None:
        return Track(field * covered, covered, field.new_zeros(1, 2, *field.shape[-2:]), sampling)
    if not coverage.any():
        field, covered = advect_covered(*track.newest, track.flow)
        return _extended(track, field, covered, track.flow)
    longer = _extended(track, field * covered, covered, track.flow)
    return longer._replace(flow=optical_flow(longer.fields, longer.coverage))


def _extended(track: Track, field: Tensor, covered: Tensor, flow: Tensor) -> Track:
    fields = torch.cat([track.fields, field], dim=1)[:, -HISTORY:]
    return Track(fields, torch.cat([track.coverage, covered], dim=1)[:, -HISTORY:], flow, track.sampling)
