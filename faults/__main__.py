"""`python -m faults`: inject faults into replays of real scans, write the report, and the table in docs/guarantees.md.

What is done is kept in the work folder, so that a run that was stopped goes on. `--table` only writes the table anew.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import structlog

from faults import clean, guarantees, outage
from faults.campaign import EVENTS, injections
from faults.report import report
from nowcast.settings import Settings

REPORT = Path("reports/faults.json")


def main() -> int:
    """0 when nothing wrong was published, no fault was missed and clean scans hardly ever were refused."""
    options = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    options.add_argument("--work", type=Path, default=Path("out/faults"), help="where what is done is kept")
    options.add_argument("--report", type=Path, default=REPORT)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--table", action="store_true", help="only write the table in docs/guarantees.md")
    chosen = options.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if not chosen.table:
        _run(chosen.work, chosen.report, chosen.seed)
    guarantees.write(json.loads(chosen.report.read_text()))
    totals = json.loads(chosen.report.read_text())["totals"]
    print(json.dumps(totals, indent=2))
    return int(totals["wrong_publications"] > 0 or totals["detected"] < totals["injected"])


def _run(work: Path, target: Path, seed: int) -> None:
    radar = Settings().radar_dir
    done = work / f"verdicts-{seed}.jsonl"
    done.parent.mkdir(parents=True, exist_ok=True)
    lines = done.read_text().splitlines() if done.exists() else []
    verdicts = [json.loads(line) for line in lines]
    known = {(one["event"], one["number"], one["kind"]) for one in verdicts}
    with done.open("a") as file:
        for verdict in injections(radar, work / "cases", seed, known):
            verdicts.append(asdict(verdict))
            file.write(json.dumps(verdicts[-1]) + "\n")
            file.flush()
    replayed = _kept(work / "clean.json", lambda: clean.replay(radar, work / "clean"))
    back = _kept(work / "outage.json", lambda: outage.measure(radar, work / "outage"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report(verdicts, replayed, back, seed, EVENTS), indent=2) + "\n")
    shutil.rmtree(work / "cases", ignore_errors=True)


def _kept(path: Path, measure) -> dict:
    """What was measured, now or before."""
    if not path.exists():
        path.write_text(json.dumps(measure()))
    return json.loads(path.read_text())


if __name__ == "__main__":
    sys.exit(main())
