"""Gate arithmetic of Shi et al. 2015, equation 3, and its derivative, on rows: one row per pixel, channels along it.

The four gates of a row are, in this order, input, forget, candidate and output, `c` channels each. Sums are made in the
type of the memory, whatever the type of the gates. On a CPU the rows are taken in tiles that stay in the cache.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor

TILE = 1 << 18
"""Gate values per thread that are worked on at a time."""

SUMS = 7
"""What `closed` sums over rows: the slopes of the four gates, and those of the peepholes of all but the candidate."""


class Shares(NamedTuple):
    """What is the same at every pixel: `bias` (4 c) and `peephole` (3, c), to input, forget and output gate."""

    bias: Tensor
    peephole: Tensor


def opened(shares: Shares, gates: Tensor, added: Tensor | None, memory: Tensor, after: Tensor, hidden: Tensor) -> None:
    """Write the memory `after` the step (n, c) and what is `hidden` (n, c).

    The gates before sigmoids and tanh are `gates`, `added` (n, 4 c), if any, bias, and peepholes on memory; `gates` (n,
    4 c) become what they are thereafter.
    """
    if _on_card(memory):
        from nowcast.models.gates_cuda import opened as work

        return work(*shares, gates, added, memory, after, hidden)
    _by_tiles(lambda *tile: _open(shares, *tile), gates, added, memory, after, hidden)


def closed(
    shares: Shares,
    gates: Tensor,
    memory: Tensor,
    after: Tensor,
    by_hidden: Tensor,
    by_later: Tensor,
    by_memory: Tensor,
    slope: Tensor,
    sums: Tensor,
) -> None:
    """The derivative of `opened`: of a loss with respect to the gates before sigmoids and tanh, written to `slope`.

    `gates` (n, 4 c) are what `opened` left. The loss's derivative with respect to what is hidden is `by_hidden` and
    `by_later`, that with respect to `after` is `by_memory`, all (n, c); `by_memory` becomes that with respect to
    `memory`. Added to `sums`, from `no_sums`, are the derivatives with respect to bias and peepholes.
    """
    if _on_card(memory):
        from nowcast.models.gates_cuda import closed as work

        return work(shares.peephole, gates, memory, after, by_hidden, by_later, by_memory, slope, sums)
    tiled = gates, memory, after, by_hidden, by_later, by_memory, slope
    _by_tiles(lambda *tile: _close(shares.peephole, sums, *tile), *tiled)


def no_sums(memory: Tensor) -> Tensor:
    """Where `closed` adds to (k, 7, c), for rows like those of `memory` (n, c); the sum over k is meant."""
    parts = 1
    if _on_card(memory):
        from nowcast.models.gates_cuda import programs as parts_of

        parts = parts_of(memory)
    return memory.new_zeros(parts, SUMS, memory.shape[1])


def _open(shares: Shares, gates: Tensor, added: Tensor | None, memory: Tensor, after: Tensor, hidden: Tensor) -> None:
    peephole, wide = shares.peephole, gates.to(memory.dtype) + shares.bias
    if added is not None:
        wide += added
    to_input, to_forget, candidate, to_output = wide.chunk(4, dim=1)
    take = to_input.addcmul_(memory, peephole[0]).sigmoid_()
    keep = to_forget.addcmul_(memory, peephole[1]).sigmoid_()
    stepped = torch.mul(keep, memory, out=after).addcmul_(take, _tanh(candidate))
    show = to_output.addcmul_(stepped, peephole[2]).sigmoid_()
    hidden.copy_(_tanh(stepped.clone()).mul_(show))
    gates.copy_(wide)


def _tanh(values: Tensor) -> Tensor:
    """In place, by way of the sigmoid, which takes a third of the time."""
    return values.mul_(2).sigmoid_().mul_(2).sub_(1)


def _close(
    peephole: Tensor,
    sums: Tensor,
    gates: Tensor,
    memory: Tensor,
    after: Tensor,
    by_hidden: Tensor,
    by_later: Tensor,
    by_memory: Tensor,
    slope: Tensor,
) -> None:
    take, keep, candidate, show = gates.to(memory.dtype).chunk(4, dim=1)
    seen, by_shown = _tanh(after.clone()), by_hidden.to(memory.dtype) + by_later
    by_show = by_shown * seen * show * (1 - show)
    by_after = by_memory + by_shown * show * (1 - seen * seen) + by_show * peephole[2]
    by_take = by_after * candidate * take * (1 - take)
    by_keep = by_after * memory * keep * (1 - keep)
    by_candidate = by_after * take * (1 - candidate * candidate)
    slopes = torch.cat([by_take, by_keep, by_candidate, by_show], dim=1)
    by_peephole = (by_take * memory).sum(0), (by_keep * memory).sum(0), (by_show * after).sum(0)
    sums[0] += torch.cat([slopes.sum(0).view(4, -1), torch.stack(by_peephole)])
    slope.copy_(slopes)
    by_memory.copy_(by_after * keep + by_take * peephole[0] + by_keep * peephole[1])


def _by_tiles(work: Callable[..., None], gates: Tensor, *others: Tensor | None) -> None:
    """`work` on one tile of all rows after another."""
    rows = max(1, TILE * torch.get_num_threads() // gates.shape[1])
    for first in range(0, len(gates), rows):
        part = slice(first, first + rows)
        work(gates[part], *(None if v is None else v[part] for v in others))


def _on_card(memory: Tensor) -> bool:
    return memory.is_cuda and memory.dtype == torch.float32 and HAS_TRITON


HAS_TRITON = find_spec("triton") is not None
"""Comes with torch for CUDA."""
