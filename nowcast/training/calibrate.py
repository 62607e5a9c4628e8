"""What a model's chances are calibrated on: its margins at pixels of forecasts, and what fell there."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nowcast.forecast import stepped
from nowcast.models.calibration import Calibration, Sample, fitted, scene_excess, shares
from nowcast.models.coarse import joined
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.track import HISTORY
from nowcast.store.archive import Archive, read_frames

NEAR = -9.0
"""Pixels whose logit of any rain is above this are near rain; the others are all but certainly dry."""

MOST_NEAR, FAR_SHARE = 2000, 0.25
"""Pixels near rain drawn from one lead of one start, and how many far from it to each of them."""

BUDGET = 80_000
"""Pixels near rain drawn from one archive: more make the fit slower, not better."""


@torch.inference_mode()
def sample(archive: Archive, method: ConvLSTM, starts: Sequence[int], leads: int, seed: int = 0) -> Sample | None:
    """Pixels of forecasts over `leads` steps from the given slots, weighted as if all had been drawn.

    Each slot must end HISTORY observed ones; a lead without a scan gives none. None when no pixel can be judged.
    """
    random = torch.Generator().manual_seed(seed)
    most = min(MOST_NEAR, BUDGET // max(1, len(starts) * leads))
    parts = [part for slot in starts for part in _of_start(archive, method, slot, leads, most, random)]
    return Sample(*(torch.cat(each) for each in zip(*parts, strict=True))) if parts else None


def left_out(samples: Sequence[Sample]) -> list[Calibration]:
    """For each sample the calibration fitted on all others; ValueError for fewer than 2."""
    if len(samples) < 2:
        raise ValueError(f"nothing is left to fit on when one of {len(samples)} event(s) is left out")
    return [fitted([*samples[:k], *samples[k + 1 :]]) for k in range(len(samples))]


def _of_start(
    archive: Archive, method: ConvLSTM, slot: int, leads: int, most: int, random: torch.Generator
) -> Iterator[Sample]:
    state = stepped(method, read_frames(archive, slot + 1 - HISTORY, slot))
    later = read_frames(archive, slot + 1, slot + leads)
    newest = shares(state.recurrent.field, state.recurrent.coverage).cpu()
    steps = method.model.steps(state.recurrent)
    for step, rain_rate, coverage in zip(steps, later.rain_rate, later.coverage, strict=False):
        observed, covered = (torch.from_numpy(v) for v in joined(rain_rate, coverage, state.block))
        margins, known = step.margins[0].flatten(1).T.cpu(), (step.coverage[0, 0].cpu() > 0) & covered
        if not known.any():
            continue
        excess = scene_excess(newest, torch.sigmoid(margins).mean(dim=0))
        places, weight = _drawn(margins[:, 0], known.flatten(), most, random)
        minutes = torch.full_like(weight, step.lead * archive.sampling.minutes)
        yield Sample(margins[places], minutes, excess.expand(len(places), -1), observed.flatten()[places], weight)


def _drawn(any_rain: Tensor, known: Tensor, most: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places (n,) among the known pixels, and their weights, which sum to 1."""
    near = known & (any_rain > NEAR)
    pools = [torch.nonzero(pool)[:, 0] for pool in (near, known & ~near)]
    counts = [min(len(pool), round(most * share)) for pool, share in zip(pools, (1.0, FAR_SHARE), strict=True)]
    places = [p[torch.randperm(len(p), generator=random)[:n]] for p, n in zip(pools, counts, strict=True)]
    total = int(known.sum())
    weights = [torch.full((n,), len(p) / max(1, n) / total) for p, n in zip(pools, counts, strict=True)]
    return torch.cat(places), torch.cat(weights)
