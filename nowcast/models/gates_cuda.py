"""The functions of nowcast.models.gates on an NVIDIA card, each as one kernel that reads and writes everything once."""

import triton
import triton.language as tl
from torch import Tensor

ROWS = 16
"""Pixels per program."""


def opened(
    bias: Tensor, peephole: Tensor, gates: Tensor, added: Tensor | None, memory: Tensor, after: Tensor, hidden: Tensor
) -> None:
    """As nowcast.models.gates.opened; all tensors without gaps, the memory in float32."""
    assert all(v.is_contiguous() for v in (gates, memory, after, hidden) if v is not None)
    has_added, more = added is not None, gates if added is None else added.contiguous()
    sizes = memory.shape[0], memory.shape[1], triton.next_power_of_2(memory.shape[1])
    _open[(programs(memory),)](bias, peephole, gates, more, memory, after, hidden, *sizes, has_added, ROWS)


def closed(
    peephole: Tensor,
    gates: Tensor,
    memory: Tensor,
    after: Tensor,
    by_hidden: Tensor,
    by_later: Tensor,
    by_memory: Tensor,
    slope: Tensor,
    sums: Tensor,
) -> None:
    """As nowcast.models.gates.closed; all tensors without gaps, the memory in float32."""
    by_hidden = by_hidden.contiguous()
    given = peephole, gates, memory, after, by_hidden, by_later, by_memory, slope, sums
    assert all(v.is_contiguous() for v in given[1:])
    sizes = memory.shape[0], memory.shape[1], triton.next_power_of_2(memory.shape[1])
    _close[(programs(memory),)](*given, *sizes, ROWS)


def programs(memory: Tensor) -> int:
    """How many there are for rows like those of `memory` (n, c)."""
    return -(-len(memory) // ROWS)


@triton.jit
def _tanh(x):  # type: ignore[no-untyped-def]
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit  # type: ignore[untyped-decorator]
def _open(  # type: ignore[no-untyped-def]
    bias, peephole, gates, added, memory, after, hidden, n,
    C: tl.constexpr, WIDTH: tl.constexpr, HAS_ADDED: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, WIDTH)[None, :]
    inside, channel = (row < n) & (column < C), column < C
    here, gate = row * C + column, row * (4 * C) + column
    to_input = tl.load(gates + gate, inside).to(tl.float32) + tl.load(bias + column, channel)
    to_forget = tl.load(gates + gate + C, inside).to(tl.float32) + tl.load(bias + C + column, channel)
    candidate = tl.load(gates + gate + 2 * C, inside).to(tl.float32) + tl.load(bias + 2 * C + column, channel)
    to_output = tl.load(gates + gate + 3 * C, inside).to(tl.float32) + tl.load(bias + 3 * C + column, channel)
    if HAS_ADDED:
        to_input += tl.load(added + gate, inside).to(tl.float32)
        to_forget += tl.load(added + gate + C, inside).to(tl.float32)
        candidate += tl.load(added + gate + 2 * C, inside).to(tl.float32)
        to_output += tl.load(added + gate + 3 * C, inside).to(tl.float32)
    before = tl.load(memory + here, inside)
    take = tl.sigmoid(to_input + before * tl.load(peephole + column, channel))
    keep = tl.sigmoid(to_forget + before * tl.load(peephole + C + column, channel))
    candidate = _tanh(candidate)
    stepped = keep * before + take * candidate
    show = tl.sigmoid(to_output + stepped * tl.load(peephole + 2 * C + column, channel))
    tl.store(gates + gate, take, inside)
    tl.store(gates + gate + C, keep, inside)
    tl.store(gates + gate + 2 * C, candidate, inside)
    tl.store(gates + gate + 3 * C, show, inside)
    tl.store(after + here, stepped, inside)
    tl.store(hidden + here, show * _tanh(stepped), inside)


@triton.jit  # type: ignore[untyped-decorator]
def _close(  # type: ignore[no-untyped-def]
    peephole, gates, memory, after, by_hidden, by_later, by_memory, slope, sums, n,
    C: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, WIDTH)[None, :]
    inside, channel = (row < n) & (column < C), column < C
    here, gate = row * C + column, row * (4 * C) + column
    take = tl.load(gates + gate, inside, 0.0).to(tl.float32)
    keep = tl.load(gates + gate + C, inside, 0.0).to(tl.float32)
    candidate = tl.load(gates + gate + 2 * C, inside, 0.0).to(tl.float32)
    show = tl.load(gates + gate + 3 * C, inside, 0.0).to(tl.float32)
    before, stepped = tl.load(memory + here, inside, 0.0), tl.load(after + here, inside, 0.0)
    by_shown = tl.load(by_hidden + here, inside, 0.0).to(tl.float32)
    by_shown += tl.load(by_later + here, inside, 0.0).to(tl.float32)
    seen = _tanh(stepped)
    by_show = by_shown * seen * show * (1 - show)
    by_after = tl.load(by_memory + here, inside, 0.0) + by_shown * show * (1 - seen * seen)
    by_after += by_show * tl.load(peephole + 2 * C + column, channel, 0.0)
    by_take = by_after * candidate * take * (1 - take)
    by_keep = by_after * before * keep * (1 - keep)
    by_candidate = by_after * take * (1 - candidate * candidate)
    tl.store(slope + gate, by_take, inside)
    tl.store(slope + gate + C, by_keep, inside)
    tl.store(slope + gate + 2 * C, by_candidate, inside)
    tl.store(slope + gate + 3 * C, by_show, inside)
    by_before = by_after * keep + by_take * tl.load(peephole + column, channel, 0.0)
    by_before += by_keep * tl.load(peephole + C + column, channel, 0.0)
    tl.store(by_memory + here, by_before, inside)
    total = sums + tl.program_id(0).to(tl.int64) * (7 * C) + tl.arange(0, WIDTH)
    real = tl.arange(0, WIDTH) < C
    _add(total, tl.sum(by_take, 0), real)
    _add(total + C, tl.sum(by_keep, 0), real)
    _add(total + 2 * C, tl.sum(by_candidate, 0), real)
    _add(total + 3 * C, tl.sum(by_show, 0), real)
    _add(total + 4 * C, tl.sum(by_take * before, 0), real)
    _add(total + 5 * C, tl.sum(by_keep * before, 0), real)
    _add(total + 6 * C, tl.sum(by_show * stepped, 0), real)


@triton.jit
def _add(place, more, real):  # type: ignore[no-untyped-def]
    tl.store(place, tl.load(place, real, 0.0) + more, real)
