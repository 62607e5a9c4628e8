"""A model on disk is what it was in memory, or is refused."""

import json
from pathlib import Path

import pytest
import torch
from models_at_hand import drop_tensor

from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.core.types import Sampling
from nowcast.models.checkpoint import Training, load_checkpoint, save_checkpoint
from nowcast.models.rain_model import RainModel, RainModelConfig

SPAN = ("2021-01-01T00:00:00Z", "2021-01-02T00:00:00Z")
TRAINING = Training((Sampling(5.0, 1.0), Sampling(10.0, 2.0)), SPAN, 10, ("2021-01-03",), 5, 0.1, 0, "abc", {})


def saved(folder: Path) -> Path:
    torch.manual_seed(0)
    save_checkpoint(folder / "m.safetensors", "tiny", RainModel(RainModelConfig(hidden=(2,), patch=4)), TRAINING)
    return folder / "m.safetensors"


def test_a_model_comes_back_the_same(tmp_path: Path) -> None:
    made = save_checkpoint(tmp_path / "m.safetensors", "tiny", RainModel(RainModelConfig(hidden=(2,))), TRAINING)
    found = load_checkpoint(tmp_path / "m.safetensors")
    assert found.model_id == made.model_id
    assert found.training == TRAINING
    for name, value in made.model.state_dict().items():
        torch.testing.assert_close(found.model.state_dict()[name], value, rtol=0, atol=0)


def test_changed_weights_are_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ValueError, match=r"m\.safetensors: its JSON says sha256"):
        load_checkpoint(path)


@pytest.mark.parametrize(("key", "value"), [("schema", 99), ("transform", {"name": "logarithm"})])
def test_what_this_version_cannot_run_is_refused_by_name(tmp_path: Path, key: str, value: object) -> None:
    path = saved(tmp_path)
    about = json.loads(path.with_suffix(".json").read_text()) | {key: value}
    path.with_suffix(".json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=rf"m\.safetensors: its JSON says {key}"):
        load_checkpoint(path)


def test_a_missing_tensor_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path)
    drop_tensor(path, "network.output.bias")
    with pytest.raises(ValueError, match=r"(?s)m\.safetensors: .*network\.output\.bias"):
        load_checkpoint(path)


def test_scans_unlike_those_of_the_training_are_named() -> None:
    assert TRAINING.strangeness(Sampling(5.0, 1.2)) == ""
    wanted = "cadence [min] is 30, trained on 5, 10; pixel size [km] is 4, trained on 1, 2"
    assert TRAINING.strangeness(Sampling(30.0, 4.0)) == wanted


def test_the_shipped_weights_say_where_they_come_from() -> None:
    shipped = load_checkpoint(SHIPPED_WEIGHTS)
    assert shipped.training.scores["convlstm"]
    assert shipped.training.steps > 0
    assert SHIPPED_WEIGHTS.stat().st_size < 5_000_000
