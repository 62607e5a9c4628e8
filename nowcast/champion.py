"""Registered models as nowcasters: loaded, or refused by name, before any of them gets a role."""

import tempfile
from datetime import datetime
from pathlib import Path

from nowcast import registry
from nowcast.core.types import Sampling
from nowcast.models.checkpoint import Checkpoint, load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.registry import Pointer
from nowcast.store.repository import Location

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "rain.safetensors"


def line(named: Pointer) -> tuple[str | None, ...]:
    """Whom to take in turn: the champion, the one before it, and the shipped weights, None; each once."""
    return tuple(dict.fromkeys((named.champion, named.previous, None)))


def load(where: Location, model_id: str | None, sampling: Sampling) -> Checkpoint:
    """A registered model for scans of this cadence and pixel size; the shipped one for None, whatever the scans.

    Raises ValueError, naming the model, when it is unknown, when a file is missing or not as it was registered, when
    its tensors do not fit or are not finite, and when it was trained on scans of another cadence or pixel size.
    """
    if model_id is None:
        return load_checkpoint(SHIPPED_WEIGHTS)
    try:
        with tempfile.TemporaryDirectory(prefix="nowcast-") as folder:
            checkpoint = load_checkpoint(registry.fetch(where, model_id, Path(folder)))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{model_id} cannot be loaded: {error}") from error
    if not all(bool(weights.isfinite().all()) for weights in checkpoint.model.state_dict().values()):
        raise ValueError(f"{model_id} holds weights that are not finite")
    if strange := checkpoint.training.strangeness(sampling):
        raise ValueError(f"{model_id} does not fit these scans: {strange}")
    return checkpoint


def nowcaster(where: Location, model_id: str | None, sampling: Sampling, device: str) -> ConvLSTM:
    """`load`, on a device."""
    return ConvLSTM(load(where, model_id, sampling), device)


def promote(
    where: Location, model_id: str, sampling: Sampling, why: str, now: datetime, instead_of: Pointer | None = None
) -> Pointer:
    """`registry.promote` of a model that can be loaded; the errors of both."""
    load(where, model_id, sampling)
    return registry.promote(where, model_id, why, now, instead_of)


def rollback(where: Location, sampling: Sampling, why: str, now: datetime) -> Pointer:
    """`registry.rollback` to a model that can be loaded; the errors of both."""
    if (previous := registry.pointer(where).previous) is not None:
        load(where, previous, sampling)
    return registry.rollback(where, why, now)


def set_shadow(where: Location, model_id: str | None, sampling: Sampling, why: str, now: datetime) -> Pointer:
    """`registry.set_shadow` of a model that can be loaded; the errors of both."""
    if model_id is not None:
        load(where, model_id, sampling)
    return registry.set_shadow(where, model_id, why, now)
