"""`python -m fuzz`: damage small real files of every format and judge what becomes of them; writes reports/fuzz.json,
and with `--table` puts its counts into docs/guarantees.md.

Each format is judged in a process of its own, whose death would be counted. What is done is kept in the work folder, so
that a run that was stopped goes on.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from fuzz import campaign
from fuzz.report import report, write
from fuzz.specimens import specimens
from nowcast.settings import Settings

REPORT = Path("reports/fuzz.json")
MOST_DEATHS = 20
"""Of the judging process, per format and run."""


def main() -> int:
    """0 when no parent died and nothing was accepted that must not be."""
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=12_000, help="per format")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--work", type=Path, default=Path("out/fuzz"), help="where what is done is kept")
    options.add_argument("--report", type=Path, default=REPORT)
    options.add_argument("--table", action="store_true", help="only write the table in docs/guarantees.md")
    options.add_argument("--only", help="judge this format here; used by the command itself")
    chosen = options.parse_args()
    if chosen.table:
        write(json.loads(chosen.report.read_text()))
        return 0
    made = specimens(Settings().radar_dir)
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.only:
        kept = chosen.work / f"{chosen.only}.json"
        campaign.run(chosen.only, made[chosen.only], chosen.inputs, chosen.seed, kept)
        return 0
    for name in made:
        _watch(name, chosen)
    tallies = {name: campaign.load(chosen.work / f"{name}.json", chosen.seed) for name in made}
    found = report(tallies, chosen.inputs)
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    chosen.report.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found["totals"], indent=2))
    return int(bool(found["totals"]["parent_deaths"] or found["totals"]["wrong"]))


def _watch(name: str, chosen: argparse.Namespace) -> None:
    """Judge one format in another process; bury it where it dies, and begin anew behind that input."""
    kept = chosen.work / f"{name}.json"
    told = ["--inputs", str(chosen.inputs), "--seed", str(chosen.seed), "--work", str(chosen.work)]
    for _ in range(MOST_DEATHS):
        done = subprocess.run([sys.executable, "-m", "fuzz", "--only", name, *told], check=False)
        if done.returncode == 0:
            return
        campaign.bury(kept, chosen.seed, f"status {done.returncode}")
    raise SystemExit(f"{name}: the judging process died {MOST_DEATHS} times")


if __name__ == "__main__":
    raise SystemExit(main())
