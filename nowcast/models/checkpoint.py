"""A model on disk: weights as safetensors, and a JSON beside them that says everything else about it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from nowcast.core.types import Sampling
from nowcast.models.calibration import Calibration
from nowcast.models.exceedance import RATES
from nowcast.models.rain_model import RainModel, RainModelConfig
from nowcast.models.transform import FLOOR_DB, SPAN_DB

SCHEMA = 2
TRANSFORM = {"name": "decibel", "floor_db": FLOOR_DB, "span_db": SPAN_DB, "rates": list(RATES)}

ALIKE = 1.5
"""Cadences and pixel sizes within this factor of one that was trained on are taken as known."""


@dataclass(frozen=True)
class Training:
    """Where a model comes from.

    `samplings` are the cadences and pixel sizes of the scans it saw; `span` their first and last time; `held_out` the
    days it never saw, on which `scores` were made: method -> threshold [mm h-1] -> lead [steps] -> CSI.
    """

    samplings: tuple[Sampling, ...]
    span: tuple[str, str]
    frames: int
    held_out: tuple[str, ...]
    steps: int
    minutes: float
    seed: int
    git_revision: str
    scores: Mapping[str, Any]

    def strangeness(self, sampling: Sampling) -> str:
        """Why scans of this cadence and pixel size are unlike all it was trained on; empty when they are alike."""
        reasons = []
        for k, what in enumerate(("cadence [min]", "pixel size [km]")):
            here, there = sampling[k], sorted({known[k] for known in self.samplings})
            if not there[0] / ALIKE < here < there[-1] * ALIKE:
                reasons.append(f"{what} is {here:g}, trained on {', '.join(f'{v:g}' for v in there)}")
        return "; ".join(reasons)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A rain model, what its weights hash to, and how it was trained."""

    name: str
    model: RainModel
    digest: str
    training: Training
    calibration: Calibration = field(default_factory=Calibration)

    @property
    def model_id(self) -> str:
        """Name and the first 8 digits of the weights' sha256."""
        return f"{self.name}-{self.digest[:8]}"


def save_checkpoint(
    path: Path, name: str, model: RainModel, training: Training, calibration: Calibration | None = None
) -> Checkpoint:
    """Write `path` (.safetensors) and the JSON of the same stem; returns what `load_checkpoint` will."""
    calibration = calibration or Calibration()
    weights = save({key: value.contiguous().cpu() for key, value in model.state_dict().items()})
    digest = hashlib.sha256(weights).hexdigest()
    about = {
        "schema": SCHEMA,
        "name": name,
        "sha256": digest,
        "config": asdict(model.config),
        "transform": TRANSFORM,
        "training": asdict(training),
        "calibration": asdict(calibration),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(weights)
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
    return Checkpoint(name, model, digest, training, calibration)


def load_checkpoint(path: Path) -> Checkpoint:
    """The model at `path` (.safetensors, with its JSON beside it).

    Raises ValueError, naming the file, when the two do not belong together or this version cannot run the model.
    """
    weights, about = path.read_bytes(), json.loads(path.with_suffix(".json").read_text())
    digest = hashlib.sha256(weights).hexdigest()
    for what, wanted in (("schema", SCHEMA), ("sha256", digest), ("transform", TRANSFORM)):
        if about.get(what) != wanted:
            raise ValueError(f"{path}: its JSON says {what} {about.get(what)}, but {wanted} is needed")
    config: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in about["config"].items()}
    model = RainModel(RainModelConfig(**config))
    try:
        model.load_state_dict(load(weights))
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"{path}: {error}") from error
    training = about["training"]
    training |= {key: tuple(training[key]) for key in ("span", "held_out")}
    training |= {"samplings": tuple(Sampling(*sampling) for sampling in training["samplings"])}
    return Checkpoint(about["name"], model, digest, Training(**training), _calibration(about.get("calibration")))


def _calibration(lines: Mapping[str, Any] | None) -> Calibration:
    """None gives the chances as they are."""
    if lines is None:
        return Calibration()
    return Calibration(
        *(tuple((float(at), float(growth)) for at, growth in lines[key]) for key in ("slope", "offset", "scene"))
    )
