"""Every write has a crash point beside it, and every crash point lies somewhere."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nowcast.core import crashpoints
from nowcast.core.crashpoints import POINTS, arm, disarm, reached

ROOT = Path(__file__).resolve().parents[2]
WRITES = re.compile(
    r"(\brepository\.transaction|\bobjects\.(write|change)|\b(fresh|part)\.replace|\bobstore\.put|expire_snapshots)\("
)
"""A commit, an object that is put, a file that is renamed into place."""

NOT_IN_THE_CYCLE = ("training", "cli", "demo", "pictures", "plots", "drawing")
"""What people start by hand, and start again."""


def functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    """Outermost functions and methods of the cycle's modules."""
    for path in sorted((ROOT / "nowcast").rglob("*.py")):
        if not path.relative_to(ROOT / "nowcast").parts[0].startswith(NOT_IN_THE_CYCLE):
            bodies = [ast.parse(path.read_text()).body]
            bodies += [one.body for one in bodies[0] if isinstance(one, ast.ClassDef)]
            yield from ((path, one) for body in bodies for one in body if isinstance(one, ast.FunctionDef))


def test_every_write_has_a_crash_point_in_its_function() -> None:
    bare = []
    for path, function in functions():
        source = ast.unparse(function)
        if WRITES.search(source) and "reached(" not in source:
            bare.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}")
    assert bare == []


def test_every_name_is_used_once_and_no_other() -> None:
    """`reached` is never called with anything but a literal."""
    used = Counter[str]()
    for path in (ROOT / "nowcast").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "reached":
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}"
                used[str(name.value)] += 1
    assert used == Counter(POINTS)


def test_nothing_happens_but_where_it_was_armed() -> None:
    struck = []
    arm("ingest.begun", lambda: struck.append("ingest"))
    try:
        for name in POINTS:
            reached(name)
    finally:
        disarm()
    reached("ingest.begun")
    assert struck == ["ingest"]


def test_a_name_that_is_none_cannot_be_armed() -> None:
    with pytest.raises(ValueError, match="no crash point 'ingest.began'"):
        arm("ingest.began", lambda: None)
    assert crashpoints._armed == {}
