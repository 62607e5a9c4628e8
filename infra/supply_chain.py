"""Part of `make check`: known weaknesses of the locked packages, and a bill of materials of what is installed.

Fails when a package has a weakness that a newer version mends. A service that cannot be reached fails nothing, and is
said. `python infra/supply_chain.py LOCK SBOM`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE_S = 240
FIRST = 5
ACCEPTED: Mapping[str, str] = {}
"""Id of a weakness -> why it does not concern us."""

AUDIT = ("--disable-pip", "--no-deps", "--progress-spinner", "off", "--timeout", "5", "--format", "json")


def audited(lock: Path) -> list[dict[str, Any]] | None:
    """What the service knows of each locked package; None when it could not be asked.

    A few packages are asked for first, not to wait for all of them where it knows none.
    """
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.txt"
        first.write_text("\n".join(lock.read_text().splitlines()[:FIRST]))
        if not any("vulns" in one for one in _asked(first) or ()):
            return None
    return _asked(lock)


def _asked(lock: Path) -> list[dict[str, Any]] | None:
    command = [sys.executable, "-m", "pip_audit", "-r", str(lock), *AUDIT]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return None
    return found


def judged(packages: Sequence[Mapping[str, Any]] | None) -> tuple[int, list[str]]:
    """Exit code, and lines to print."""
    known = [] if packages is None else [one for one in packages if "vulns" in one]
    if not known:
        return 0, ["vulnerabilities: NOT CHECKED, the service could not be reached or knows none of the packages"]
    found = [
        (f"{one['name']} {one['version']}", weakness["id"], list(weakness.get("fix_versions", ())))
        for one in known
        for weakness in one["vulns"]
        if weakness["id"] not in ACCEPTED
    ]
    mended = [f"{package}: {name}, mended in {', '.join(fixes)}" for package, name, fixes in found if fixes]
    open_ones = [f"{package}: {name}, not mended yet" for package, name, fixes in found if not fixes]
    assert packages is not None
    told = f"vulnerabilities: {len(known)} of {len(packages)} locked packages checked, {len(mended)} to mend"
    return bool(mended), [told, *mended, *open_ones]


def write_sbom(path: Path) -> str:
    """A CycloneDX bill of what is installed beside this Python; a line to print."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml"]
    subprocess.run([*command, "--output-reproducible", "-o", str(path), sys.executable], check=True)
    count = len(json.loads(path.read_text())["components"])
    return f"bill of materials: {count} packages in {path}"


def main(lock: str, sbom: str) -> int:
    """The exit code."""
    code, lines = judged(audited(Path(lock)))
    print("\n".join([*lines, write_sbom(Path(sbom))]))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
