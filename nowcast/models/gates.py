"""Gate arithmetic of Shi et al. 2015, equation 3, and its derivative, on rows: one row per pixel, channels along it.

The four gates of a row are, in this order, input, forget, candidate and output, `c` channels each. Sums are made in the
type of the memory, whatever the type of the gates. On a CPU the rows are taken in tiles that stay in the cache; on CUDA
one kernel is compiled for each function, where there is a compiler.
"""

import shutil
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

TILE = 1 << 17
"""Gate values per thread that are worked on at a time."""


def opened(
    peephole: Tensor, gates: Tensor, added: Tensor | None, memory: Tensor, after: Tensor, hidden: Tensor
) -> None:
    """Write memory `after` the step (n, c) and `hidden` (n, c); `gates` (n, 4 c) become what they are after their
    sigmoids and tanh. The gates before them are `gates`, `added` (n, 4 c), if any, and `peephole` (3, c) on memory.
    """
    _by_tiles(_open, peephole, gates, added, memory, after, hidden)


def closed(
    peephole: Tensor, gates: Tensor, memory: Tensor, after: Tensor, by_hidden: Tensor, by_memory: Tensor, slope: Tensor
) -> None:
    """The derivative of `opened`: of a loss with respect to the gates before sigmoids and tanh, written to `slope`.

    `gates` (n, 4 c) are what `opened` left, `by_hidden` and `by_memory` (n, c) the loss's derivatives with respect to
    what it wrote; `by_memory` becomes that with respect to `memory`.
    """
    _by_tiles(_close, peephole, gates, memory, after, by_hidden, by_memory, slope)


def peephole_slope(slope: Tensor, memory: Tensor, after: Tensor) -> Tensor:
    """The loss's derivative with respect to the peepholes (3, c), from the `slope` (n, 4 c) of `closed`."""
    to_input, to_forget, _, to_output = slope.chunk(4, dim=1)
    pairs = (to_input, memory), (to_forget, memory), (to_output, after)
    return torch.stack([(by * value).sum(dim=0, dtype=memory.dtype) for by, value in pairs])


def _open(peephole: Tensor, gates: Tensor, added: Tensor | None, memory: Tensor, after: Tensor, hidden: Tensor) -> None:
    wide = gates.to(memory.dtype) if added is None else gates.to(memory.dtype) + added
    to_input, to_forget, candidate, to_output = wide.chunk(4, dim=1)
    take = torch.sigmoid(torch.addcmul(to_input, memory, peephole[0]))
    keep = torch.sigmoid(torch.addcmul(to_forget, memory, peephole[1]))
    candidate = torch.tanh(candidate)
    stepped = torch.addcmul(keep * memory, take, candidate)
    show = torch.sigmoid(torch.addcmul(to_output, stepped, peephole[2]))
    gates.copy_(torch.cat([take, keep, candidate, show], dim=1))
    hidden.copy_(show * torch.tanh(stepped))
    after.copy_(stepped)


def _close(
    peephole: Tensor, gates: Tensor, memory: Tensor, after: Tensor, by_hidden: Tensor, by_memory: Tensor, slope: Tensor
) -> None:
    take, keep, candidate, show = gates.to(memory.dtype).chunk(4, dim=1)
    seen = torch.tanh(after)
    by_show = by_hidden * seen * show * (1 - show)
    by_after = by_memory + by_hidden * show * (1 - seen * seen) + by_show * peephole[2]
    by_take = by_after * candidate * take * (1 - take)
    by_keep = by_after * memory * keep * (1 - keep)
    by_candidate = by_after * take * (1 - candidate * candidate)
    slope.copy_(torch.cat([by_take, by_keep, by_candidate, by_show], dim=1))
    by_memory.copy_(by_after * keep + by_take * peephole[0] + by_keep * peephole[1])


def _by_tiles(work: Callable[..., None], peephole: Tensor, gates: Tensor, *others: Tensor | None) -> None:
    """`work` on all rows, or on one tile of them after another."""
    if gates.is_cuda:
        return _compiled(work)(peephole, gates, *others)
    rows = max(1, TILE * torch.get_num_threads() // gates.shape[1])
    for first in range(0, len(gates), rows):
        part = slice(first, first + rows)
        work(peephole, gates[part], *(None if v is None else v[part] for v in others))


@cache
def _compiled(work: Callable[..., None]) -> Callable[..., Any]:
    if shutil.which("cc") is None or find_spec("triton") is None:
        return work
    return torch.compile(work, dynamic=True)
