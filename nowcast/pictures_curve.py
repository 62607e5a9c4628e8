"""Learning curves of networks on Moving-MNIST."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib import pyplot as plt

from nowcast.training.paper_bench import Point

matplotlib.use("Agg")


def learning_curves(curves: Mapping[str, Sequence[Point]], wanted: Mapping[str, float], path: Path) -> None:
    """Cross-entropy per sequence [nats] by sequences seen, of networks by name; dotted is what is `wanted` of each.

    Thin lines are the training loss, thick lines the validation loss.
    """
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, curve in curves.items():
        seen = [point.sequences for point in curve]
        (line,) = axis.plot(seen, [point.validation_loss for point in curve], label=name, linewidth=2)
        axis.plot(seen, [point.train_loss for point in curve], color=line.get_color(), linewidth=0.7)
        axis.axhline(wanted[name], color=line.get_color(), linestyle=":", linewidth=1)
    axis.set_xlabel("sequences seen")
    axis.set_ylabel("cross-entropy per sequence [nats]")
    axis.set_title("Moving-MNIST: validation (thick), training (thin), the paper's test loss (dotted)", fontsize=9)
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)
