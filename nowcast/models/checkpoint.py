"""A model on disk: weights as safetensors, and a JSON beside them that says everything else about it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.models.transform import FLOOR_DB, SPAN_DB

SCHEMA = 1
TRANSFORM = {"name": "decibel", "floor_db": FLOOR_DB, "span_db": SPAN_DB}


@dataclass(frozen=True)
class Training:
    """Where a model comes from.

    `cadence_s` and `spacing_km` are those of the scans it saw; `span` their first and last time; `held_out` the days
    it never saw, on which `scores` were made: method -> threshold [mm h-1] -> lead [min] -> CSI.
    """

    cadence_s: float
    spacing_km: float
    span: tuple[str, str]
    frames: int
    held_out: tuple[str, ...]
    steps: int
    minutes: float
    seed: int
    git_revision: str
    scores: Mapping[str, Any]

    def strangeness(self, cadence_s: float, spacing_km: float) -> str:
        """Why scans of this cadence and spacing are unlike those it was trained on; empty when they are alike."""
        reasons = []
        for what, here, there in (
            ("cadence [s]", cadence_s, self.cadence_s),
            ("pixel size [km]", spacing_km, self.spacing_km),
        ):
            if not 0.66 < here / there < 1.5:
                reasons.append(f"{what} is {here:g}, trained on {there:g}")
        return "; ".join(reasons)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A rain model, what its weights hash to, and how it was trained."""

    name: str
    model: RainModel
    digest: str
    training: Training

    @property
    def model_id(self) -> str:
        """Name and the first 8 digits of the weights' sha256."""
        return f"{self.name}-{self.digest[:8]}"


def save_checkpoint(path: Path, name: str, model: RainModel, training: Training) -> Checkpoint:
    """Write `path` (.safetensors) and the JSON of the same stem; returns what `load_checkpoint` will."""
    weights = save({key: value.contiguous().cpu() for key, value in model.state_dict().items()})
    digest = hashlib.sha256(weights).hexdigest()
    about = {
        "schema": SCHEMA,
        "name": name,
        "sha256": digest,
        "config": asdict(model.config),
        "transform": TRANSFORM,
        "training": asdict(training),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(weights)
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
    return Checkpoint(name, model, digest, training)


def load_checkpoint(path: Path) -> Checkpoint:
    """The model at `path` (.safetensors, with its JSON beside it).

    Raises ValueError, naming the file, when the two do not belong together or this version cannot run the model.
    """
    weights, about = path.read_bytes(), json.loads(path.with_suffix(".json").read_text())
    digest = hashlib.sha256(weights).hexdigest()
    for what, found, wanted in (
        ("schema", about["schema"], SCHEMA),
        ("sha256", about["sha256"], digest),
        ("transform", about["transform"], TRANSFORM),
    ):
        if found != wanted:
            raise ValueError(f"{path}: its JSON says {what} {found}, but {wanted} is needed")
    config = about["config"] | {"hidden": tuple(about["config"]["hidden"])}
    model = RainModel(RainModelConfig(**config))
    model.load_state_dict(load(weights))
    training = about["training"]
    training |= {key: tuple(training[key]) for key in ("span", "held_out")}
    return Checkpoint(about["name"], model, digest, Training(**training))
