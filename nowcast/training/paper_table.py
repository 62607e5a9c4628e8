"""Table 1 of Shi et al. 2015 (arXiv:1506.04214) beside what was trained here, as JSON, Markdown and learning curves."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from nowcast.models.paper import PAPER_MODELS, paper_model, paper_parameter_counts
from nowcast.training.moving_mnist import SPLITS, MovingMNIST, open_split
from nowcast.training.paper_bench import PaperTrainer, Point, Recipe, train
from nowcast.training.paper_loss import brightness, constant_score, least_score, score

PAPER_LOSSES = {
    "convlstm-5x5-256": 3887.94,
    "convlstm-5x5-128-128": 3733.56,
    "convlstm-5x5-128-64-64": 3670.85,
    "convlstm-9x9-1x1-128-128": 4782.84,
    "convlstm-9x9-1x1-128-64-64": 4231.50,
    "fc-lstm-2048-2048": 4832.49,
}
"""Cross-entropy per sequence [nats] on the paper's test set, its table 1."""

TABLE = "moving-mnist"
TEST_SETS = ("test", "three digits")

Report = Callable[[str, int, float, Point | None], None]
"""Called with (network, step, loss, the newest point of the learning curve) after every step."""


@dataclass(frozen=True)
class Budget:
    """What one call may use: minutes and steps of training, and sequences of each test set to score on."""

    minutes: float
    steps: int | None = None
    test_sequences: int = SPLITS["test"].sequences
    device: str = "cpu"
    bf16: bool = False

    def __post_init__(self) -> None:
        if self.test_sequences < 1:
            raise ValueError(f"at least 1 test sequence is needed, not {self.test_sequences}")


@dataclass(frozen=True)
class Row:
    """What was trained here: cross-entropies per sequence [nats] on the first `test_sequences` of two test sets.

    Scored are the weights with the lowest loss on the first `validated` validation sequences. `partial` unless that
    loss had stopped falling and all validation and test sequences were scored.
    """

    test: float
    three_digits: float
    test_sequences: int
    validation: float | None
    validated: int
    steps: int
    batch: int
    sequences: int
    minutes: float
    device: str
    partial: bool


def bench(names: Sequence[str], mnist: Path, out: Path, recipe: Recipe, budget: Budget, report: Report) -> Any:
    """Train and score networks of table 1 one after the other; the table, which is also written to `out`.

    `out` keeps the state of every training: calling again goes on with it. ValueError for an unknown network, for
    MNIST files in the folder `mnist` that are no good, and for a training that began with another recipe.
    """
    unknown = [name for name in names if name not in PAPER_MODELS]
    if unknown:
        raise ValueError(f"model must be one of {', '.join(PAPER_MODELS)}, not {', '.join(unknown)}")
    sets = {name: open_split(mnist, name) for name in SPLITS}
    table = read_table(out) | {"references": references(sets, budget.test_sequences)}
    write_table(table, out)
    for name in names:
        row = trained(name, sets, out, recipe, budget, report)
        table["networks"][name] |= asdict(row)
        write_table(table, out)
    return table


def trained(name: str, sets: dict[str, MovingMNIST], out: Path, recipe: Recipe, budget: Budget, report: Report) -> Row:
    """Train one network, from where `out` has it, write its learning curve there and score it."""
    torch.manual_seed(recipe.seed)
    model, state = paper_model(name), out / f"{name}.state"
    trainer = PaperTrainer(model, sets["train"], sets["validation"], recipe, budget.device, budget.bf16)
    train(trainer, budget.minutes, budget.steps, state, lambda *step: report(name, *step))
    write_curve(trainer.curve, curve_file(out, name))
    trainer.use_best()
    test, three = (score(model, sets[k], budget.test_sequences, budget.device, budget.bf16) for k in TEST_SETS)
    scored, validated = min(budget.test_sequences, sets["test"].count), min(recipe.validated, sets["validation"].count)
    return Row(
        test=test,
        three_digits=three,
        test_sequences=scored,
        validation=min((point.validation_loss for point in trainer.curve), default=None),
        validated=validated,
        steps=trainer.step,
        batch=recipe.batch,
        sequences=trainer.sequences,
        minutes=trainer.seconds / 60.0,
        device=_device(budget),
        partial=not trainer.is_over or (scored, validated) != (sets["test"].count, sets["validation"].count),
    )


def references(sets: dict[str, MovingMNIST], first: int) -> dict[str, dict[str, float]]:
    """Cross-entropies per sequence [nats] that need no network, on the `first` sequences of each test set."""
    learned = brightness(sets["train"], first)
    counts = {name: brightness(sets[name], first) for name in TEST_SETS}
    return {
        "mean brightness": {name: constant_score(counts[name], learned) for name in TEST_SETS},
        "the truth itself": {name: least_score(counts[name]) for name in TEST_SETS},
    }


def read_table(out: Path) -> dict[str, Any]:
    """The table in a folder, or one in which no network was trained."""
    path = out / f"{TABLE}.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    counts = paper_parameter_counts()
    return {"networks": {name: {"parameters": counts[name], "paper": PAPER_LOSSES[name]} for name in PAPER_MODELS}}


def write_table(table: dict[str, Any], out: Path) -> None:
    """The table as JSON and as Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{TABLE}.json").write_text(json.dumps(table, indent=1) + "\n")
    (out / f"{TABLE}.md").write_text(markdown(table))


COLUMNS = (
    "network",
    "parameters",
    "paper",
    "here",
    "here, 3 digits",
    "scored on",
    "validation",
    "steps x batch",
    "sequences seen",
    "minutes",
    "device",
    "partial",
)


def markdown(table: dict[str, Any]) -> str:
    """Cross-entropy per sequence [nats], a line per network and reference."""
    rows = [_line(name, row) for name, row in table["networks"].items()]
    for name, row in table["references"].items():
        rows.append([name, "", "", *(f"{row[k]:.2f}" for k in TEST_SETS)])
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *rows]
    return "".join(f"| {' | '.join([*line, *[''] * (len(COLUMNS) - len(line))])} |\n" for line in lines)


def _line(name: str, row: dict[str, Any]) -> list[str]:
    known = [name, f"{row['parameters']:,}", f"{row['paper']:.2f}"]
    if "test" not in row:
        return [*known, "not run"]
    validation = "-" if row["validation"] is None else f"{row['validation']:.2f} on {row['validated']}"
    return [
        *known,
        f"{row['test']:.2f}",
        f"{row['three_digits']:.2f}",
        f"{row['test_sequences']} of {SPLITS['test'].sequences}",
        validation,
        f"{row['steps']} x {row['batch']}",
        f"{row['sequences']:,}",
        f"{row['minutes']:.1f}",
        row["device"],
        "partial" if row["partial"] else "complete",
    ]


def curve_file(out: Path, name: str) -> Path:
    """Where the learning curve of a network is."""
    return out / f"{name}.csv"


def write_curve(curve: Sequence[Point], path: Path) -> None:
    """A line per point, under the names of its fields."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Point._fields)
        writer.writerows(curve)


def read_curve(path: Path) -> list[Point]:
    """What `write_curve` wrote."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [Point(int(step), int(sequences), *map(float, rest)) for step, sequences, *rest in rows]


def _device(budget: Budget) -> str:
    """Where it ran, and how numbers were kept."""
    is_cuda = torch.device(budget.device).type == "cuda"
    where = torch.cuda.get_device_name(budget.device) if is_cuda else f"CPU, {torch.get_num_threads()} thread(s)"
    return f"{where}, {'bfloat16' if budget.bf16 else 'float32'}"
