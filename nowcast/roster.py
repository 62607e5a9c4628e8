"""The methods that a region may forecast with, warm: its models as the registry names them, and the baselines."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from nowcast import champion, registry
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import RUNGS
from nowcast.core.types import Sampling
from nowcast.models.baselines import baselines
from nowcast.models.convlstm import Warm
from nowcast.models.rollout import Chain, Rolling
from nowcast.registry import Pointer
from nowcast.store.repository import Location

log = structlog.get_logger()

CHAMPION, PREVIOUS, ADVECTION, PERSISTENCE = RUNGS
SHIPPED = "shipped weights"
"""What stands for the model without an id."""

REFUSED_S = 600.0
"""Seconds for which a model that could not be loaded is not tried again, unless the registry's roles change."""


class Refusal(NamedTuple):
    """Why a model could not be loaded, and until when on the clock that counts."""

    reason: str
    until: float


@dataclass
class Roster:
    """A region's methods. `named` are the registry's roles as last read, `warm` the methods in use by name."""

    models: Location
    setting: str = "default"
    device: str = "cpu"
    clock: Callable[[], float] = time.monotonic
    named: Pointer = field(default_factory=Pointer)
    warm: dict[str, Rolling[Any]] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    complaints: set[str] = field(default_factory=set)


def rungs(roster: Roster) -> list[tuple[str, str]]:
    """(rung, name) of the region's methods, the best first: its own, and what is simpler."""
    simple = [(name, name) for name in (ADVECTION, PERSISTENCE)]
    if roster.setting == PERSISTENCE:
        return simple[1:]
    if roster.setting == ADVECTION:
        return simple
    if roster.setting != "default":
        return [(CHAMPION, roster.setting), *simple]
    first, *others = (model_id or SHIPPED for model_id in champion.line(roster.named))
    return [(CHAMPION, first), *((PREVIOUS, name) for name in others), *simple]


def refresh(roster: Roster) -> str:
    """Read the roles off the registry. Why that failed, when it did: the roles then stay as they were."""
    if roster.setting != "default":
        return ""
    try:
        named = registry.pointer(roster.models)
    except (ValueError, OSError) as error:
        complain(roster, "registry cannot be read", error)
        return f"registry cannot be read: {error}"
    if named != roster.named:
        roster.named, roster.refused = named, {}
        in_use = {name for _, name in rungs(roster)} | {named.shadow}
        roster.warm = {name: rolling for name, rolling in roster.warm.items() if name in in_use}
        log.info("roles taken over", registry=roster.models.url, champion=named.champion, shadow=named.shadow)
    return ""


def rolling(roster: Roster, name: str, sampling: Sampling) -> Rolling[Any]:
    """A method by its name, warm. ValueError or OSError when it cannot be loaded; what the registry cannot give is
    remembered as refused for a while."""
    if name in roster.warm:
        return roster.warm[name]
    if name in roster.refused and roster.clock() < roster.refused[name].until:
        raise ValueError(roster.refused[name].reason)
    try:
        roster.warm[name] = Rolling(_loaded(roster, name, sampling))
    except (ValueError, OSError) as error:
        roster.refused[name] = Refusal(str(error), roster.clock() + REFUSED_S)
        complain(roster, "model refused", error)
        raise
    return roster.warm[name]


def method_at(roster: Roster, model_id: str, sampling: Sampling) -> Rolling[Any]:
    """The region's method of this id; ValueError when it is none of them any more or cannot be loaded."""
    refresh(roster)
    for _, name in rungs(roster):
        if name in (model_id, SHIPPED, roster.setting):
            found = rolling(roster, name, sampling)
            if found.nowcaster.model_id == model_id:
                return found
    raise ValueError(f"{model_id} is not at hand")


def lend_motion(model: Rolling[Any], advection: Rolling[Any]) -> None:
    """Give advection the motion that a model has found, where both work on the same pixels: one optical flow a scan."""
    for anchor, chain in model.chains.items():
        if isinstance(chain.state, Warm) and chain.state.block == 1:
            advection.chains[anchor] = Chain(chain.consumed, chain.state.track)


def complain(roster: Roster, what: str, error: Exception) -> None:
    """Log an error, once."""
    if str(error) not in roster.complaints:
        roster.complaints.add(str(error))
        log.error(what, registry=roster.models.url, reason=str(error))


def _loaded(roster: Roster, name: str, sampling: Sampling) -> Nowcaster[Any]:
    simple = baselines(roster.device)
    if name in simple:
        return simple[name]
    return champion.nowcaster(roster.models, None if name == SHIPPED else name, sampling, roster.device)
