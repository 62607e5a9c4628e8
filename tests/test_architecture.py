"""The rules that keep the system readable, checked on the source itself.

Imports go down the rank table of CONTRIBUTING.md; third parties stay where they belong; functions and files stay short.
"""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

RANKS = {
    "nowcast.core": 0,
    "nowcast.sources": 1,
    "nowcast.verify": 1,
    "nowcast.quality": 1,
    "nowcast.models": 1,
    "nowcast.catchments": 1,
    "nowcast.alerts.rules": 1,
    "nowcast.store": 2,
    "nowcast.training": 3,
    "nowcast.registry": 3,
    "nowcast.gate": 3,
    "nowcast.skill": 3,
    "nowcast.champion": 3.5,
    "nowcast.roster": 3.7,
    "nowcast.ladder": 2.5,
    "nowcast.sight": 2.5,
    "nowcast.forecast": 2.5,
    "nowcast.alerts": 2.5,
    "nowcast.points": 2.5,
    "nowcast.provenance": 2.5,
    "nowcast.edr": 2.5,
    "nowcast.tiles": 2.5,
    "nowcast.basemap": 2.5,
    "nowcast.exports": 2.5,
    "nowcast.pysteps_exchange": 2.5,
    "nowcast.settings": 3,
    "nowcast.ingest": 4,
    "nowcast.members": 2.6,
    "nowcast.backfill": 4.1,
    "nowcast.feeding": 4,
    "nowcast.desk": 4.1,
    "nowcast.issue": 4.2,
    "nowcast.assess": 4,
    "nowcast.region": 4,
    "nowcast.logs": 4,
    "nowcast.exposure": 4,
    "nowcast.access": 4,
    "nowcast.score": 4.2,
    "nowcast.evaluation": 4.5,
    "nowcast.replay": 4.5,
    "nowcast.watch": 4,
    "nowcast.retrain": 4.5,
    "nowcast.retain": 4,
    "nowcast.drawing": 4.4,
    "nowcast.pictures": 4.5,
    "nowcast.plots": 4.5,
    "nowcast.processes": 2.5,
    "nowcast.claims": 4,
    "nowcast.ready": 4.3,
    "nowcast.doctor": 4.5,
    "nowcast.monitor": 4.5,
    "nowcast.serving": 5,
    "nowcast.training.distributed": 5,
    "nowcast.cli": 6,
    "nowcast.demo": 6,
    "nowcast.__main__": 6,
    "flows": 6,
}
"""Package or module -> rank; the longest name that fits counts. `nowcast/__init__.py` is exempt."""

LOWEST_IMPORTER_OF_SETTINGS = 4

COMMAND_LINE = ("nowcast.cli", "nowcast.demo", "nowcast.__main__")
TORCH = (
    "nowcast.models",
    "nowcast.training",
    "nowcast.serving",
    "nowcast.members",
    "nowcast.desk",
    "nowcast.issue",
    "nowcast.retrain",
)

ONLY_IN = {
    "prefect": ("flows",),
    "distributed": ("nowcast.backfill",),
    "ray": ("nowcast.serving.actor", "nowcast.serving.cluster", "nowcast.training.distributed"),
    "typer": COMMAND_LINE,
    "torch": TORCH,
}
"""Third party -> the modules that may import it at all. The command line may import torch inside a function."""

WITHOUT_TORCH = ("nowcast.ingest", "nowcast.backfill", "nowcast.assess", "nowcast.score", "nowcast.skill")
MEDIAN_FUNCTION, MEDIAN_FILE, LONGEST_FILE = 14, 130, 450
RADAR_SUFFIXES = {".h5", ".hf5", ".hdf", ".hdf5", ".nc", ".grib2", ".tif", ".tiff", ".pgm", ".gif", ".bin", ".npz"}
PICTURE_SUFFIXES = {".png", ".gif"}


class Import(NamedTuple):
    """One imported name: the module that is loaded, the line, and whether it happens when the importer is loaded."""

    target: str
    line: int
    at_load: bool


class Module(NamedTuple):
    """A parsed source file."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    def at(self, line: int) -> str:
        """file:line, relative to the repository."""
        return f"{self.path.relative_to(ROOT)}:{line}"


@cache
def modules() -> dict[str, Module]:
    """Every module of nowcast/ and flows/ by dotted name."""
    found = {}
    for package in ("nowcast", "flows"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = Module(name, path, ast.parse(text), len(text.splitlines()))
    return found


def within(name: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of the packages, lies below one, or continues its last word: nowcast.cli_store."""
    return any(name == p or name.startswith((f"{p}.", f"{p}_")) for p in packages)


def package_of(name: str) -> str | None:
    """The key of RANKS that a module falls under."""
    fitting = [key for key in RANKS if within(name, (key,))]
    return max(fitting, key=len) if fitting else None


def imports(module: Module) -> list[Import]:
    """All imports of a module; those under `if TYPE_CHECKING` load nothing."""
    return list(_imports(module, module.tree, at_load=True))


def _imports(module: Module, node: ast.AST, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if isinstance(child, ast.Import | ast.ImportFrom):
            for target in _targets(module, child):
                yield Import(target, child.lineno, at_load)
        else:
            yield from _imports(module, child, at_load and not lazy and not typing_only)


def _targets(module: Module, node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        base = f"{package}.{base}".rstrip(".")
    names = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name in modules() else base for name in names]


def own_imports() -> Iterator[tuple[Module, Import]]:
    """Every import in the tree but those of `nowcast/__init__.py`, which is exempt."""
    for module in modules().values():
        if module.name != "nowcast":
            for one in imports(module):
                yield module, one


def report(faults: list[str]) -> None:
    """Fail with one line per fault."""
    if faults:
        pytest.fail("\n".join(dict.fromkeys(faults)), pytrace=False)


def rank_fault(importer: str, target: str) -> str:
    """Why `importer` may not import `target`; empty when it may."""
    mine, theirs = package_of(importer), package_of(target)
    if mine is None or theirs is None or mine == theirs:
        return ""
    rank, other = RANKS[mine], RANKS[theirs]
    if theirs == "nowcast.settings":
        return "" if rank >= LOWEST_IMPORTER_OF_SETTINGS else f"imports {target} (settings are read from rank 4 up)"
    from_command_line = within(mine, COMMAND_LINE) and within(theirs, (*COMMAND_LINE, "flows"))
    if other >= rank and not from_command_line:
        return f"imports {target} (rank {rank} may not import rank {other})"
    return ""


@pytest.mark.parametrize(
    ("importer", "target", "fault"),
    [
        ("nowcast.core.scan", "nowcast.core.grid", ""),
        ("nowcast.store.archive", "nowcast.core.scan", ""),
        ("nowcast.cli_store", "nowcast.serving.api", ""),
        ("nowcast.core.scan", "nowcast.store.archive", "imports nowcast.store.archive (rank 0 may not import rank 2)"),
        ("nowcast.quality", "nowcast.sources", "imports nowcast.sources (rank 1 may not import rank 1)"),
        ("nowcast.training.job", "nowcast.training.distributed", "(rank 3 may not import rank 5)"),
        ("nowcast.__main__", "nowcast.cli", ""),
        ("flows.ingest", "nowcast.cli", "imports nowcast.cli (rank 6 may not import rank 6)"),
        ("nowcast.cli", "flows.ingest", ""),
        ("nowcast.store.archive", "nowcast.settings", "imports nowcast.settings (settings are read from rank 4 up)"),
    ],
)
def test_rank_rule(importer: str, target: str, fault: str) -> None:
    assert fault in rank_fault(importer, target)
    assert bool(fault) == bool(rank_fault(importer, target))


def test_every_module_has_a_rank() -> None:
    report([f"{m.at(1)} {m.name} is not in the rank table" for m in modules().values() if _unranked(m.name)])


def _unranked(name: str) -> bool:
    return name != "nowcast" and package_of(name) is None


def test_imports_go_down_the_ranks() -> None:
    report([f"{m.at(i.line)} {fault}" for m, i in own_imports() if (fault := rank_fault(m.name, i.target))])


def test_third_parties_stay_where_they_belong() -> None:
    faults = []
    for module, one in own_imports():
        root = one.target.partition(".")[0]
        lazy_torch = root == "torch" and not one.at_load and within(module.name, COMMAND_LINE)
        if root in ONLY_IN and not lazy_torch and not within(module.name, ONLY_IN[root]):
            faults.append(f"{module.at(one.line)} imports {one.target}, which belongs to {', '.join(ONLY_IN[root])}")
    report(faults)


@pytest.mark.parametrize("start", WITHOUT_TORCH)
def test_loads_no_torch(start: str) -> None:
    if start not in modules():
        pytest.skip(f"no module {start}")
    chain = _way_to_torch(start)
    assert not chain, f"{start} loads torch: " + " -> ".join(chain)


def _way_to_torch(start: str) -> list[str]:
    """Places of the imports that lead from a module to torch when it is loaded; empty when none do."""
    ways: dict[str, list[str]] = {start: []}
    waiting = [start]
    while waiting:
        module = modules()[waiting.pop(0)]
        for one in imports(module):
            step = [*ways[module.name], f"{module.at(one.line)} imports {one.target}"]
            if one.at_load and within(one.target, ("torch", "safetensors.torch")):
                return step
            for loaded in _loaded_by(one) if one.at_load else ():
                if loaded not in ways:
                    ways[loaded] = step
                    waiting.append(loaded)
    return []


def _loaded_by(one: Import) -> list[str]:
    """The modules of ours that an import loads: the target and every package above it."""
    parts = one.target.split(".")
    names = (".".join(parts[: k + 1]) for k in range(len(parts)))
    return [name for name in names if name in modules()]


def test_environment_is_read_in_settings_only() -> None:
    faults = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if module.name != "nowcast.settings" and isinstance(node, ast.Attribute | ast.ImportFrom):
                faults += [f"{module.at(node.lineno)} reads the environment"] if _reads_environment(node) else []
    report(faults)


def _reads_environment(node: ast.Attribute | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in ("os.environ", "os.getenv", "os.putenv")
    return node.module == "os" and any(alias.name in ("environ", "getenv", "putenv") for alias in node.names)


def test_nothing_prints_outside_the_command_line() -> None:
    faults = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                faults += [] if within(module.name, COMMAND_LINE) else [f"{module.at(node.lineno)} prints"]
    report(faults)


def test_no_broad_except() -> None:
    faults = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
                faults.append(f"{module.at(node.lineno)} catches everything")
    report(faults)


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    each = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(e, ast.Name) and e.id in ("Exception", "BaseException") for e in each)


def test_functions_are_short() -> None:
    lengths = [length for module in modules().values() for length in _function_lengths(module.tree)]
    assert median(lengths) <= MEDIAN_FUNCTION


def _function_lengths(tree: ast.Module) -> Iterator[int]:
    """Lines of each function without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.end_lineno - node.lineno + 1 - _docstring_lines(node)


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    assert first.end_lineno is not None
    return first.end_lineno - first.lineno + 1


def test_function_length_counts_no_docstring() -> None:
    source = 'def f():\n    """One.\n\n    More.\n    """\n    return 1\n'
    assert list(_function_lengths(ast.parse(source))) == [2]


def test_files_are_short() -> None:
    filled = [module for module in modules().values() if module.lines]
    assert median(module.lines for module in filled) <= MEDIAN_FILE
    report([f"{m.at(m.lines)} is longer than {LONGEST_FILE} lines" for m in filled if m.lines > LONGEST_FILE])


def test_repository_holds_no_radar_file() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    report([f"{name} is a radar file or a misplaced picture" for name in listed.split("\0") if _unwanted(name)])


def _unwanted(name: str) -> bool:
    suffixes = set(Path(name).suffixes)
    if name.startswith("docs/") and suffixes & PICTURE_SUFFIXES:
        return False
    return bool(suffixes & (RADAR_SUFFIXES | PICTURE_SUFFIXES))
