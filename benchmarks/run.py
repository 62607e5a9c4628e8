"""Run the benchmarks, each in a process of its own, and join their figures: results.json and RESULTS.md.

`python benchmarks/run.py` runs all, `python benchmarks/run.py model tiles` some. Figures of those that were not run, or
that had none on this machine, as those of a GPU, stay as they are; each row tells its machine.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
RESULTS, TABLE = HERE / "results.json", HERE / "RESULTS.md"

SCRIPTS = {
    "model": "ConvLSTM against the common PyTorch port",
    "gpu": "What a GPU is used for",
    "advection": "Advection against pysteps",
    "ensemble": "Members and chances against STEPS",
    "decode": "Decoding against pysteps' importers",
    "ingest": "Ingest and backfill",
    "latency": "From a scan's arrival to its nowcast",
    "age": "Scan 10,000 against scan 100",
    "scale": "Many regions",
    "nodes": "Ray nodes",
    "large": "A large grid",
    "tiles": "Map tiles",
    "serving": "Points and tiles under load",
    "sandbox": "Decoding in a child",
}
"""Every script with a `rows()`, and what its figures are about."""

MET = {True: "met", False: "**not met**", None: ""}


def main(names: list[str]) -> None:
    """Exit status 1 when a script failed."""
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    failed = []
    for name in names or SCRIPTS:
        print(f"== {name}: {SCRIPTS[name]}", flush=True)
        rows = measured(name)
        failed += [name] if rows is None else []
        if rows:
            held = joined(held, name, rows)
            RESULTS.write_text(json.dumps(held, indent=1) + "\n")
            TABLE.write_text(table(held))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def measured(name: str) -> list[dict[str, Any]] | None:
    """What a script finds, None when it fails."""
    with TemporaryDirectory() as folder:
        kept = Path(folder) / "rows.json"
        code = f"import {name}, measure, pathlib, sys; rows = list({name}.rows()); measure.show(rows); "
        code += "measure.keep(rows, pathlib.Path(sys.argv[1]))"
        done = subprocess.run([sys.executable, "-c", code, str(kept)], cwd=HERE, env=_reaching(HERE), check=False)
        return json.loads(kept.read_text()) if done.returncode == 0 else None


def _reaching(folder: Path) -> dict[str, str]:
    """The environment, in which processes that a script starts, as Ray's workers are, import from a folder too."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}


def joined(held: list[dict[str, Any]], name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows held, with those of a script in place of its rows from the same machine."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    machines = {row["machine"] for row in rows}
    stay = [row for row in held if row["script"] != name or row["machine"] not in machines]
    fresh = [{"script": name, **row, "day": today} for row in rows]
    return sorted(stay + fresh, key=lambda row: list(SCRIPTS).index(row["script"]))


def table(rows: list[dict[str, Any]]) -> str:
    """The figures for people."""
    lines = ["# Measured", "", "Written by `make bench`; the same as `results.json`.", ""]
    machines = sorted({row["machine"] for row in rows})
    lines += [f"* ({chr(97 + k)}) {machine}" for k, machine in enumerate(machines)]
    for name, about in SCRIPTS.items():
        if own := [row for row in rows if row["script"] == name]:
            lines += ["", f"## {about}", "", "| what | ours | peer | ratio | goal | | spread | on |"]
            lines += ["|---|---|---|---|---|---|---|---|"]
            lines += [_line(row, machines.index(row["machine"])) for row in own]
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any], machine: int) -> str:
    ratio = "" if row["ratio"] is None else f"{row['ratio']:g}"
    cells = row["name"], row["ours"], row["peer"], ratio, row["goal"], MET[row["met"]], row["spread"]
    return f"| {' | '.join(cells)} | ({chr(97 + machine)}), {row['day']} |"


if __name__ == "__main__":
    main(sys.argv[1:])
