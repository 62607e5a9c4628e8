"""Training, scores and table of the Moving-MNIST bench, with networks and sets small enough for seconds."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mnist import dot, mnist
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from nowcast.cli import app
from nowcast.models.encoder_forecaster import EncoderForecaster, NetworkConfig
from nowcast.models.paper import PAPER_MODELS
from nowcast.pictures_curve import learning_curves
from nowcast.training.moving_mnist import MovingMNIST
from nowcast.training.paper_bench import PaperTrainer, Point, Recipe, order, train
from nowcast.training.paper_loss import brightness, constant_score, cross_entropy, least_score, patches, score
from nowcast.training.paper_table import PAPER_LOSSES, read_curve, read_table, write_curve

SQUARE = np.full((1, 28, 28), 255, np.uint8)
RECIPE = Recipe(batch=2, validate_every=2, validated=2, patience=3)
PIXELS = 10 * 64 * 64


class Constant(nn.Module):
    """A network that forecasts the same logit at every pixel."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, frames: torch.Tensor, leads: int) -> torch.Tensor:
        return torch.full_like(frames[:, :leads], self.logit)


def trainer(recipe: Recipe = RECIPE, seed: int = 0) -> PaperTrainer:
    """A tiny network on four sequences of two white squares."""
    torch.manual_seed(seed)
    model = EncoderForecaster(NetworkConfig(16, 16, (8,), 3, 3))
    return PaperTrainer(model, MovingMNIST(SQUARE, 4, 2, 1), MovingMNIST(SQUARE, 2, 2, 2), recipe)


def quiet(step: int, loss: float, newest: Point | None) -> None:
    """A report that nobody reads."""


def test_a_patch_becomes_channels() -> None:
    """Row 1, column 6 is row 1, column 2 of the patch at (0, 1): channel 4 + 2."""
    sequences = np.zeros((1, 1, 64, 64), np.uint8)
    sequences[0, 0, 1, 6] = 51
    wanted = torch.zeros(1, 1, 16, 16, 16)
    wanted[0, 0, 6, 0, 1] = 0.2
    torch.testing.assert_close(patches(sequences), wanted)


def test_an_even_chance_costs_log_two_per_pixel() -> None:
    frames = torch.randint(2, (3, 20, 16, 16, 16)).float()
    assert float(cross_entropy(Constant(0.0), frames)) == pytest.approx(PIXELS * math.log(2), rel=1e-5)


def test_only_the_frames_to_come_count() -> None:
    frames = torch.zeros(1, 20, 16, 16, 16)
    frames[:, :10] = 1.0
    assert float(cross_entropy(Constant(-50.0), frames)) == pytest.approx(0.0, abs=1e-6)


def test_a_score_is_the_mean_of_all_sequences() -> None:
    """20 sequences are scored as 16 and 4."""
    on, model = MovingMNIST(SQUARE, 20, 2, 1), trainer().model
    whole = float(cross_entropy(model, patches(on.sequences(range(20)))).detach())
    assert score(model, on, 99) == pytest.approx(whole, rel=1e-5)
    assert score(model, on, 4) != pytest.approx(whole, rel=1e-5)


def test_the_mean_everywhere_scores_as_a_network_that_forecasts_it() -> None:
    """One white square of 28 x 28 in 64 x 64 pixels."""
    on = MovingMNIST(SQUARE, 3, 1, 1)
    mean = 28 * 28 / (64 * 64)
    counts = brightness(on, 3)
    assert counts[[0, 255]].tolist() == [PIXELS - 7840, 7840]
    wanted = score(Constant(math.log(mean / (1 - mean))), on, 3)
    assert constant_score(counts, counts) == pytest.approx(wanted, rel=1e-5)


def test_the_truth_itself_costs_what_its_greys_are_worth() -> None:
    grey = -0.2 * math.log(0.2) - 0.8 * math.log(0.8)
    assert least_score(brightness(MovingMNIST(dot(51)[None], 3, 1, 1), 3)) == pytest.approx(10 * grey)
    assert least_score(brightness(MovingMNIST(SQUARE, 3, 1, 1), 3)) == 0.0


def test_every_pass_shows_every_sequence_once() -> None:
    """Five sequences in batches of two: the third batch ends one pass and starts the next."""
    batches = [order(5, seen, RECIPE) for seen in range(0, 10, 2)]
    drawn = np.concatenate(batches)
    assert sorted(drawn[:5]) == sorted(drawn[5:]) == [0, 1, 2, 3, 4]
    assert drawn[:5].tolist() != drawn[5:].tolist()


def test_training_lowers_the_loss_below_that_of_the_mean_everywhere(tmp_path: Path) -> None:
    taught = trainer(Recipe(batch=4, learning_rate=0.01, validate_every=40, validated=2))
    counts = brightness(taught.validation, 2)
    assert score(taught.model, taught.validation, 2) > constant_score(counts, counts)
    train(taught, 1.0, 40, tmp_path / "tiny.state", quiet)
    after = score(taught.model, taught.validation, 2)
    assert after < 0.9 * constant_score(counts, counts)
    assert taught.curve[0].validation_loss == pytest.approx(after, rel=1e-5)


def test_an_interrupted_training_goes_on_exactly(tmp_path: Path) -> None:
    """Interrupted between two points of the learning curve."""
    whole, first, second = trainer(), trainer(), trainer(seed=5)
    train(whole, 1.0, 6, tmp_path / "whole.state", quiet)
    train(first, 1.0, 3, tmp_path / "parts.state", quiet)
    train(second, 1.0, 3, tmp_path / "parts.state", quiet)
    assert second.step == 6
    assert [p._replace(minutes=0) for p in second.curve] == [p._replace(minutes=0) for p in whole.curve]
    for one, other in ((whole.model.state_dict(), second.model.state_dict()), (whole.best, second.best)):
        for name, value in one.items():
            torch.testing.assert_close(other[name], value, rtol=0, atol=0)


def test_training_is_over_when_validation_no_longer_improves(tmp_path: Path) -> None:
    """A network that does not learn is at its best at its first point; three more are waited for."""
    stuck = trainer(replace(RECIPE, learning_rate=0.0))
    train(stuck, 1.0, None, tmp_path / "stuck.state", quiet)
    assert stuck.is_over
    assert len(stuck.curve) == 4


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    """At a learning rate that throws the network about, the last weights are not the best."""
    wild = trainer(replace(RECIPE, learning_rate=1.0, validate_every=1))
    train(wild, 1.0, None, tmp_path / "wild.state", quiet)
    losses = [point.validation_loss for point in wild.curve]
    assert losses[-1] > min(losses)
    wild.use_best()
    assert score(wild.model, wild.validation, 2) == pytest.approx(min(losses), rel=1e-6)


def test_a_training_does_not_go_on_by_another_recipe(tmp_path: Path) -> None:
    train(trainer(), 1.0, 1, tmp_path / "tiny.state", quiet)
    with pytest.raises(ValueError, match=r"tiny.state was trained with .*'batch': 2"):
        train(trainer(replace(RECIPE, batch=4)), 1.0, 1, tmp_path / "tiny.state", quiet)


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="diverged at step 1: loss nan"):
        train(trainer(replace(RECIPE, learning_rate=math.inf)), 1.0, 5, tmp_path / "tiny.state", quiet)


def test_a_recipe_without_sequences_is_refused() -> None:
    with pytest.raises(ValueError, match="batch must be at least 1, not 0"):
        Recipe(batch=0)


def test_a_learning_curve_is_read_as_written(tmp_path: Path) -> None:
    curve = [Point(2, 8, 0.5, 9000.25, 8000.125), Point(4, 16, 1.0, 7000.0, 6000.0)]
    write_curve(curve, tmp_path / "tiny.csv")
    assert (tmp_path / "tiny.csv").read_text().splitlines()[1] == "2,8,0.5,9000.25,8000.125"
    assert read_curve(tmp_path / "tiny.csv") == curve


def test_every_network_of_the_paper_has_its_figure() -> None:
    assert list(PAPER_LOSSES) == list(PAPER_MODELS)


def test_learning_curves_are_drawn_in_colour(tmp_path: Path) -> None:
    curve = [Point(1, 10, 0.1, 9000.0, 8000.0), Point(2, 20, 0.2, 7000.0, 6000.0)]
    learning_curves({"convlstm-5x5-256": curve}, PAPER_LOSSES, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert (np.ptp(np.asarray(image.convert("RGB")).astype(int), axis=-1) > 100).sum() > 500


class TestCommand:
    """One step of one sequence of the smallest network, then a second."""

    @staticmethod
    def run(folder: Path, *words: str) -> dict:
        short = ("--steps", "1", "--batch", "1", "--validate-every", "1", "--validation-sequences", "1")
        short += ("--test-sequences", "1", "--device", "cpu", "--out", str(folder / "out"), "--json")
        environment = {"NOWCAST_MNIST_DIR": str(folder)}
        result = CliRunner(env=environment).invoke(app, ["bench", "moving-mnist", *short, *words])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def test_the_table_grows_and_training_goes_on(self, tmp_path: Path) -> None:
        first = self.run(mnist(tmp_path))["networks"]["convlstm-5x5-128-64-64"]
        assert (first["steps"], first["sequences"], first["paper"], first["partial"]) == (1, 1, 3670.85, True)
        table = self.run(tmp_path, "--model", "convlstm-5x5-128-64-64")
        assert table == read_table(tmp_path / "out")
        row = table["networks"]["convlstm-5x5-128-64-64"]
        assert (row["steps"], row["test_sequences"], row["parameters"]) == (2, 1, 7_585_296)
        assert row["validation"] == min(p.validation_loss for p in read_curve(tmp_path / "out" / CURVE))
        assert "test" not in table["networks"]["convlstm-5x5-256"]
        assert (tmp_path / "out" / "moving-mnist.png").exists()
        lines = (tmp_path / "out" / "moving-mnist.md").read_text().splitlines()
        assert lines[2].startswith("| convlstm-5x5-256 | 13,524,496 | 3887.94 | not run |")
        assert f"| 7,585,296 | 3670.85 | {row['test']:.2f} | {row['three_digits']:.2f} | 1 of 3000 |" in lines[4]
        assert lines[4].endswith("| CPU, 1 thread(s), float32 | partial |") or torch.get_num_threads() > 1
        assert lines[8].startswith("| mean brightness |  |  | ")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--model", "convlstm-7x7"), "not convlstm-7x7"),
            (("--batch", "0"), "batch must be at least 1, not 0"),
            (("--test-sequences", "0"), "at least 1 test sequence is needed, not 0"),
            ((), "train-images-idx3-ubyte.gz is missing"),
        ],
    )
    def test_wrong_input_ends_with_its_reason(self, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
        environment = {"NOWCAST_MNIST_DIR": str(tmp_path), "COLUMNS": "400"}
        command = ["bench", "moving-mnist", "--out", str(tmp_path), *words]
        result = CliRunner(env=environment).invoke(app, command)
        assert result.exit_code == 2
        assert message in result.stderr


CURVE = "convlstm-5x5-128-64-64.csv"

WITHOUT = "import sys, nowcast.training.paper_table\nprint({m.partition('.')[0] for m in sys.modules})"


def test_the_bench_needs_torch_and_numpy_only() -> None:
    loaded = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True).stdout
    assert "'torch'" in loaded
    for name in ("ray", "prefect", "pydantic", "typer", "zarr", "xarray", "safetensors", "matplotlib"):
        assert f"'{name}'" not in loaded
