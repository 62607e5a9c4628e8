"""Nothing that comes from outside is run: no pickle, no YAML of objects, no shell. Checked on the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

UNPICKLERS = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
MAY_IMPORT = {"nowcast/sources/meteonet.py", "nowcast/sources/__init__.py"}
"""The first has an unpickler that knows dates alone, the second names its errors."""

BUILT_IN = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
YAML = {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load"}


def faults(tree: ast.AST, path: str = "nowcast/some.py") -> list[str]:
    """What a module must not have, with its line."""
    return [f"{path}:{node.lineno} {what}" for node in ast.walk(tree) for what in _of(node, path)]


def _of(node: ast.AST, path: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = {alias.name.partition(".")[0] for alias in node.names}
        yield from (f"imports {name}" for name in names & UNPICKLERS if path not in MAY_IMPORT)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPICKLERS:
        yield f"imports {node.module}"
    elif isinstance(node, ast.Call):
        yield from _of_call(node, ast.unparse(node.func))


def _of_call(node: ast.Call, name: str) -> Iterator[str]:
    said = {one.arg: one.value for one in node.keywords}
    if name in BUILT_IN or name in SHELLS or name in YAML:
        yield f"calls {name}"
    if name.endswith(("pickle.load", "pickle.loads")):
        yield f"calls {name}"
    if name == "torch.load" and not _is(said.get("weights_only"), True):
        yield "calls torch.load without weights_only=True"
    if "allow_pickle" in said and not _is(said["allow_pickle"], False):
        yield "allows pickle"
    if "shell" in said and not _is(said["shell"], False):
        yield "starts a shell"
    if said.get("Loader") is not None:
        yield "chooses a YAML loader"


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval('1')",
        "exec(text)",
        "subprocess.run(words, shell=True)",
        "os.system('ls')",
    ],
)
def test_the_rule_finds(line: str) -> None:
    assert faults(ast.parse(line))


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "model.eval()",
        "re.compile('a')",
        "subprocess.run(['git', 'log'])",
    ],
)
def test_the_rule_leaves_alone(line: str) -> None:
    assert not faults(ast.parse(line))


def test_no_module_runs_what_comes_from_outside() -> None:
    found = []
    for folder in ("nowcast", "flows", "benchmarks", "infra"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found += faults(ast.parse(path.read_text()), path.relative_to(ROOT).as_posix())
    assert found == []
