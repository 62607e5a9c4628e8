"""Tiny rain models, alike but for what they add to the cascade, as files and in registries."""

import hashlib
import json
from pathlib import Path

import torch
from fakes import NOW
from safetensors.torch import load, save
from storms import TINY

from nowcast import registry
from nowcast.core.types import USUAL, Sampling
from nowcast.models.checkpoint import Training, save_checkpoint
from nowcast.models.rain_model import RainModel
from nowcast.store.repository import Location

SPAN = ("2021-01-01T00:00:00Z", "2021-01-02T00:00:00Z")


def weights(folder: Path, seed: int, sampling: Sampling = USUAL, spread: float = 0.3) -> Path:
    """A model whose last layer depends on the seed, as files; a wide spread leaves little of the cascade."""
    torch.manual_seed(seed)
    model = RainModel(TINY)
    torch.nn.init.normal_(model.pixels.last.weight, std=spread)
    training = Training((sampling,), SPAN, 10, (), 5, 0.1, seed, "abc", {})
    path = folder / f"seed-{seed}.safetensors"
    save_checkpoint(path, "tiny", model, training)
    return path


def registered(where: Location, folder: Path, seed: int, sampling: Sampling = USUAL) -> str:
    """The id of such a model, registered."""
    return registry.register(where, weights(folder, seed, sampling), NOW).model_id


def drop_tensor(path: Path, name: str) -> None:
    """Take a tensor out of saved weights, whose JSON goes on to agree with the file."""
    tensors = load(path.read_bytes())
    del tensors[name]
    path.write_bytes(save(tensors))
    about = json.loads(path.with_suffix(".json").read_text())
    about["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(about))
