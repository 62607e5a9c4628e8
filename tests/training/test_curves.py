"""What TensorBoard will read."""

from pathlib import Path

from event_files import written

from nowcast.training.curves import curves, write_scores
from nowcast.training.loop import Progress


def progress(step: int, loss: float) -> Progress:
    return Progress(step, step / 4, loss, learning_rate=0.5, gradient_norm=2.0, windows_per_s=8.0)


def test_every_step_is_a_point_of_four_curves(tmp_path: Path) -> None:
    with curves(tmp_path / "logs") as write:
        for step in (1, 2):
            write(progress(step, 1.0 / step))
    assert written(tmp_path / "logs") == {
        "training/loss": {1: 1.0, 2: 0.5},
        "training/learning_rate": {1: 0.5, 2: 0.5},
        "training/gradient_norm": {1: 2.0, 2: 2.0},
        "training/windows_per_s": {1: 8.0, 2: 8.0},
    }


def test_steps_made_again_replace_what_was_written_before(tmp_path: Path) -> None:
    """Steps 2 and 3 are lost with a worker; then the whole training is started again from step 3 on."""
    with curves(tmp_path) as write:
        for step in (1, 2, 3):
            write(progress(step, 1.0))
        for step in (2, 3):
            write(progress(step, 0.5))
    with curves(tmp_path) as write:
        write(progress(3, 0.25))
    assert written(tmp_path)["training/loss"] == {1: 1.0, 2: 0.5, 3: 0.25}


def test_a_training_that_makes_no_step_writes_nothing(tmp_path: Path) -> None:
    with curves(tmp_path / "logs"):
        pass
    assert not (tmp_path / "logs").exists()


def test_scores_stand_by_lead_and_undefined_ones_are_left_out(tmp_path: Path) -> None:
    write_scores(tmp_path, {"advection": {"0.1": {"1": 0.5, "2": 0.25}, "5": {"1": None}}})
    assert written(tmp_path / "held-out" / "advection") == {"CSI/0.1_mm_per_h": {1: 0.5, 2: 0.25}}
