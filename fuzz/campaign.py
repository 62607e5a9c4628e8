"""One format's inputs, judged one after the other; what is done is kept, so that a run that was stopped goes on."""

import json
import resource
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fuzz.judge import Case, Verdict, case_of, judge
from fuzz.mutations import mutated

KEEP_EVERY = 100
MEMORY = 8 << 30
"""Of the process that makes and judges inputs: damage done by HDF5 itself may want any amount."""


@dataclass
class Tally:
    """What became of a format's inputs so far. `at` is the input at work, for when the process dies of it."""

    seed: int
    next: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    unchanged: int = 0
    parent_deaths: int = 0
    notable: list[list[str]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)


def load(path: Path, seed: int) -> Tally:
    """What is done, if it was done with this seed."""
    if not path.exists():
        return Tally(seed)
    tally = Tally(**json.loads(path.read_text()))
    return tally if tally.seed == seed else Tally(seed)


def save(path: Path, tally: Tally) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(tally)))
    part.replace(path)


def run(name: str, specimen: bytes, inputs: int, seed: int, kept: Path) -> Tally:
    """Judge the inputs that are not yet done."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    tally, at = load(kept, seed), kept.with_suffix(".at")
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
        path = Path(folder) / f"{name}.bin"
        path.write_bytes(specimen)
        case = case_of(path)
        while tally.next < inputs:
            at.write_text(str(tally.next))
            _step(tally, case, name, specimen, path)
            if tally.next % KEEP_EVERY == 0:
                save(kept, tally)
    save(kept, tally)
    return tally


def _step(tally: Tally, case: Case, name: str, specimen: bytes, path: Path) -> None:
    content = mutated(specimen, name, f"{tally.seed}:{name}:{tally.next}")
    path.write_bytes(content)
    verdict, reason = judge(case, path)
    tally.verdicts = dict(Counter(tally.verdicts) + Counter([verdict.value]))
    tally.unchanged += content == specimen
    words = " ".join(reason.split()[:5])
    if words in tally.reasons or len(tally.reasons) < 200:
        tally.reasons[words] = tally.reasons.get(words, 0) + 1
    if verdict not in (Verdict.ACCEPTED, Verdict.REFUSED):
        tally.notable.append([str(tally.next), verdict.value, reason[:200]])
    tally.next += 1


def bury(kept: Path, seed: int, how: str) -> None:
    """Count the death of the process that judged, and go on behind the input that it died of."""
    tally, at = load(kept, seed), kept.with_suffix(".at")
    number = int(at.read_text()) if at.exists() else tally.next
    tally.parent_deaths += 1
    tally.notable.append([str(number), "parent died", how])
    tally.next = number + 1
    save(kept, tally)


def _memory_folder() -> Path | None:
    """Where files cost no disk, if there is such a place."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None
