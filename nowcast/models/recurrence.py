"""A ConvLSTM layer over many steps at once, forwards and backwards through time.

What does not depend on the step before is done for all steps together: the input's share of the gates before, the
weights' gradient after. Only the state's convolution and the gates go step by step. Tensors lie channels last, so a
convolution's result is at the same time the rows that nowcast.models.gates works on.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d

from nowcast.models.gates import Shares, closed, no_sums, opened


def recur(
    added: Tensor | None, hidden: Tensor, memory: Tensor, weight: Tensor, bias: Tensor, peephole: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Hidden states (t, b, c, h, w) of `steps` steps, and the memory (b, c, h, w) after the last.

    `added` (t, b, 4 c, h, w) is the input's share of the gates, if there is an input; `weight` (4 c, c, k, k) and
    `bias` (4 c) make the state's; `peephole` is (3, c). Convolutions are computed in the type of `weight`, which the
    hidden states get; sums in that of `memory`.
    """
    apply = cast(Callable[..., tuple[Tensor, Tensor]], _Recurrence.apply)
    return apply(added, hidden, memory, weight, bias, peephole, steps)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        added: Tensor | None,
        hidden: Tensor,
        memory: Tensor,
        weight: Tensor,
        bias: Tensor,
        peephole: Tensor,
        steps: int,
    ) -> tuple[Tensor, Tensor]:
        batch, channels, height, width = hidden.shape
        shares, padding = Shares(bias, peephole), weight.shape[-1] // 2
        hiddens = weight.new_empty(steps + 1, batch, height, width, channels)
        memories = memory.new_empty(steps + 1, batch, height, width, channels)
        hiddens[0], memories[0] = last(hidden), last(memory)
        gates = []
        for t in range(steps):
            gates.append(rows(last(conv2d(first(hiddens[t]), weight, padding=padding))))
            more = None if added is None else rows(last(added[t]))
            opened(shares, gates[t], more, rows(memories[t]), rows(memories[t + 1]), rows(hiddens[t + 1]))
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(hiddens, memories, weight, bias, peephole, *gates)
        return first(hiddens[1:]), first(memories[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_hiddens: Tensor, by_memory: Tensor) -> tuple[Tensor | None, ...]:
        hiddens, memories, weight, bias, peephole, *gates = ctx.saved_tensors
        back = weight.transpose(0, 1).flip(2, 3).contiguous(memory_format=torch.channels_last)
        slopes = weight.new_empty(len(gates), *hiddens.shape[1:-1], weight.shape[0])
        by_earlier = rows(last(by_memory).clone(memory_format=torch.contiguous_format))
        by_later, sums = torch.zeros_like(hiddens[0]), no_sums(by_earlier)
        for t in reversed(range(len(gates))):
            states, by_hidden = (rows(memories[t]), rows(memories[t + 1])), rows(last(by_hiddens[t]))
            given = *states, by_hidden, rows(by_later), by_earlier, rows(slopes[t]), sums
            closed(Shares(bias, peephole), gates[t], *given)
            by_later = last(conv2d(first(slopes[t]), back, padding=weight.shape[-1] // 2))
        by_weight = _by_weight(slopes.flatten(0, 1), hiddens[:-1].flatten(0, 1), weight)
        by_shares = sums.sum(0)
        by_added = first(slopes) if ctx.needs_input_grad[0] else None
        by_states = first(by_later), first(by_earlier.view_as(memories[0]))
        return by_added, *by_states, by_weight, by_shares[:4].flatten(), by_shares[4:], None


def _by_weight(slopes: Tensor, hiddens: Tensor, weight: Tensor) -> Tensor:
    """The weight's gradient from all steps' slopes (n, h, w, 4 c) and hidden states (n, h, w, c)."""
    padding = [weight.shape[-1] // 2] * 2
    how = [1, 1], padding, [1, 1], False, [0, 0], 1, [False, True, False]
    by_weight: Tensor = torch.ops.aten.convolution_backward(first(slopes), first(hiddens), weight, None, *how)[1]
    return by_weight


def first(fields: Tensor) -> Tensor:
    """(..., h, w, c) as (..., c, h, w)."""
    return fields.movedim(-1, -3)


def last(fields: Tensor) -> Tensor:
    """(..., c, h, w) as (..., h, w, c)."""
    return fields.movedim(-3, -1)


def rows(fields: Tensor) -> Tensor:
    """(..., h, w, c) as (n, c), one row per pixel; the same memory when there are no gaps."""
    return fields.reshape(-1, fields.shape[-1])
