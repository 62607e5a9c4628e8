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

from nowcast.models.gates import closed, opened, peephole_slope


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
        hiddens = weight.new_empty(steps + 1, batch, height, width, channels)
        memories = memory.new_empty(steps + 1, batch, height, width, channels)
        hiddens[0], memories[0] = last(hidden), last(memory)
        gates = []
        for t in range(steps):
            before = conv2d(first(hiddens[t]), weight, bias, padding=weight.shape[-1] // 2)
            gates.append(rows(last(before)))
            more = None if added is None else rows(last(added[t]))
            opened(peephole, gates[t], more, rows(memories[t]), rows(memories[t + 1]), rows(hiddens[t + 1]))
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(hiddens, memories, weight, peephole, *gates)
        return first(hiddens[1:]), first(memories[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_hiddens: Tensor, by_memory: Tensor) -> tuple[Tensor | None, ...]:
        hiddens, memories, weight, peephole, *gates = ctx.saved_tensors
        slopes = weight.new_empty(len(gates), *hiddens.shape[1:-1], weight.shape[0])
        back = weight.transpose(0, 1).flip(2, 3).contiguous(memory_format=torch.channels_last)
        by_memory = rows(last(by_memory).clone(memory_format=torch.contiguous_format))
        by_hidden = torch.zeros_like(hiddens[0])
        for t in reversed(range(len(gates))):
            by_hidden = by_hidden + last(by_hiddens[t])
            states = rows(memories[t]), rows(memories[t + 1])
            closed(peephole, gates[t], *states, rows(by_hidden), by_memory, rows(slopes[t]))
            by_hidden = last(conv2d(first(slopes[t]), back, padding=weight.shape[-1] // 2))
        by_weight, by_bias = _by_weights(slopes.flatten(0, 1), hiddens[:-1].flatten(0, 1), weight)
        by_peephole = peephole_slope(rows(slopes), rows(memories[:-1]), rows(memories[1:]))
        by_memory = by_memory.view_as(memories[0])
        by_added = first(slopes) if ctx.needs_input_grad[0] else None
        return by_added, first(by_hidden), first(by_memory), by_weight, by_bias, by_peephole, None


def _by_weights(slopes: Tensor, hiddens: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of weight and bias from all steps' slopes (n, h, w, 4 c) and hidden states (n, h, w, c)."""
    padding = [weight.shape[-1] // 2] * 2
    sizes, how = [len(weight)], ([1, 1], padding, [1, 1], False, [0, 0], 1, [False, True, True])
    _, by_weight, by_bias = torch.ops.aten.convolution_backward(first(slopes), first(hiddens), weight, sizes, *how)
    return by_weight, by_bias


def first(fields: Tensor) -> Tensor:
    """(..., h, w, c) as (..., c, h, w)."""
    return fields.movedim(-1, -3)


def last(fields: Tensor) -> Tensor:
    """(..., c, h, w) as (..., h, w, c)."""
    return fields.movedim(-3, -1)


def rows(fields: Tensor) -> Tensor:
    """(..., h, w, c) as (n, c), one row per pixel; the same memory when there are no gaps."""
    return fields.reshape(-1, fields.shape[-1])
