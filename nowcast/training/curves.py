"""Curves for TensorBoard: the course of a training, and its held-out scores by lead."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tensorboardX import SummaryWriter

from nowcast.training.loop import Progress, Report
from nowcast.verify.scores import Table

TAGS = {
    "loss": "training/loss",
    "learning_rate": "training/learning_rate",
    "gradient_norm": "training/gradient_norm",
    "windows_per_s": "training/windows_per_s",
}
"""Field of `Progress` -> name of its curve."""


@contextmanager
def curves(folder: Path) -> Iterator[Report]:
    """A report that writes the TAGS by step to an event file in `folder`, which is made.

    Steps that come again, because a training went on from an earlier state, start another file that replaces them.
    """
    writer: SummaryWriter | None = None
    newest = 0

    def write(progress: Progress) -> None:
        nonlocal writer, newest
        if writer is None or progress.step <= newest:
            _close(writer)
            start = progress.step
            writer = SummaryWriter(str(folder), purge_step=start, filename_suffix=f".from{start}")
        newest = progress.step
        for field, tag in TAGS.items():
            writer.add_scalar(tag, getattr(progress, field), progress.step)

    try:
        yield write
    finally:
        _close(writer)


def write_scores(folder: Path, scores: Mapping[str, Table]) -> None:
    """CSI by lead [steps of the cadence] in place of training steps, one TensorBoard run per method below `folder`."""
    for method, by_threshold in scores.items():
        with SummaryWriter(str(folder / "held-out" / method)) as writer:
            for threshold, by_lead in by_threshold.items():
                for lead, csi in by_lead.items():
                    if csi is not None:
                        writer.add_scalar(f"CSI/{threshold}_mm_per_h", csi, int(lead))


def _close(writer: SummaryWriter | None) -> None:
    if writer is not None:
        writer.close()
