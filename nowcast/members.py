"""What may fall after a slot of an archive: chances lead by lead, and members drawn from them."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
import torch

from nowcast.core.types import FloatField
from nowcast.forecast import state_at
from nowcast.models.neighbourhood import outlooks
from nowcast.models.noise import correlated
from nowcast.models.outlook import Outlook, Uncertain, Window, in_blocks, whole_blocks
from nowcast.models.rollout import Rolling
from nowcast.store.archive import Archive

UNKNOWN = torch.empty(1, 0, 0, 0)
"""Margins at no rate."""


def outlooks_from(archive: Archive, rolling: Rolling[Any], slot: int, leads: int) -> Iterator[Outlook]:
    """The forecast at lead 1 .. `leads` after a slot with the chances behind it.

    A method that knows none is taken to be as sure as its surroundings are alike.
    """
    state, method = state_at(archive, rolling, slot), rolling.nowcaster
    if isinstance(method, Uncertain):
        return islice(method.outlook(state), leads)
    return islice(outlooks(method.forecast(state), archive.sampling), leads)


def rates_from(archive: Archive, rolling: Rolling[Any], slot: int, leads: int) -> Iterator[Outlook]:
    """The forecast at lead 1 .. `leads` after a slot, of which nothing can be asked but its rain rate."""
    state = state_at(archive, rolling, slot)
    return (Outlook(field, UNKNOWN) for field in islice(rolling.nowcaster.forecast(state), leads))


def members_from(
    archive: Archive, rolling: Rolling[Any], slot: int, outlooks: Iterable[Outlook], window: Window, count: int
) -> Iterator[FloatField]:
    """Rain rates [mm h-1] (member, y, x) on the whole grid, NaN outside the window, lead by lead.

    `outlooks` are the method's from that slot, cut to the window. Members are equally likely, and coherent in space and
    from lead to lead; the same slot and window give the same ones. ValueError for a method that knows no motion.
    """
    state, method = state_at(archive, rolling, slot), rolling.nowcaster
    if not isinstance(method, Uncertain):
        raise ValueError(f"{method.model_id} makes no members")
    track = method.track(state)
    noise = None
    for outlook in outlooks:
        noise = noise or correlated(track.crop(in_blocks(window, outlook.block)), count, seed=slot)
        fields = np.full((count, *archive.grid.shape), np.nan, np.float32)
        fields[:, *window] = outlook.members(next(noise))
        yield fields


def ensemble(
    archive: Archive, rolling: Rolling[Any], slot: int, leads: int, window: Window, count: int
) -> tuple[FloatField, Window]:
    """Members (member, lead, y, x) [mm h-1] of a window of the grid, and the window, widened to whole blocks."""
    said = outlooks_from(archive, rolling, slot, leads)
    first = next(said)
    whole = whole_blocks(window, first.block, archive.grid.shape)
    cut = (outlook.crop(whole) for outlook in chain([first], said))
    fields = members_from(archive, rolling, slot, cut, whole, count)
    return np.stack([lead[:, *whole] for lead in fields], axis=1), whole
