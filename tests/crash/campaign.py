"""Hundreds of kills over many histories, and the report of what came of them: `make crash`."""

import argparse
import importlib.metadata
import json
import logging
import os
import random
import shutil
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import structlog
from bucket import s3_server
from crash.actors import actor_history
from crash.harness import RANDOM, Clean, Tally, clean_run, drawn, history
from crash.scene import FMI, Scene, finnish, synthetic
from receiver import receiving

from nowcast.core.crashpoints import POINTS
from nowcast.settings import calm_engines

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- crash: begin -->", "<!-- crash: end -->"
VERSIONS = ("icechunk", "zarr", "obstore", "filelock", "torch", "pyarrow")
WEIGHTS = {"advection": 10, "fmi": 3, "default": 3, "aged": 2, "bucket": 1}
"""How often each scene is played."""

AT_RANDOM = 0.3
"""Share of the kills that come at no named place."""


@dataclass
class Stage:
    """A scene, its run without kills, and the settings that it needs."""

    scene: Scene
    clean: Clean
    settings: dict[str, Any]


@contextmanager
def theatre(folder: Path) -> Iterator[tuple[list[Stage], str]]:
    """Every scene, played once without kills, and the address that alerts go to."""
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    with receiving() as hook, s3_server() as url:
        boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="crash")
        in_bucket = {"s3_endpoint_url": url, "s3_region": "us-east-1"}
        stages = [staged(scene, folder, hook.url, in_bucket) for scene in scenes(folder)]
        yield stages, hook.url


def scenes(folder: Path) -> Iterator[Scene]:
    """One of each kind; the Finnish one where its files are."""
    for name in ("advection", "default"):
        (folder / name).mkdir()
        yield synthetic(folder / name, name)
    (folder / "aged").mkdir()
    usual = synthetic(folder / "aged", "advection")
    yield replace(usual, name="aged", is_aged=True)
    yield replace(usual, name="bucket")
    if FMI.is_dir():
        (folder / "fmi").mkdir()
        yield finnish(folder / "fmi")


def staged(scene: Scene, folder: Path, url: str, in_bucket: dict[str, Any]) -> Stage:
    """A scene with its run without kills."""
    settings = in_bucket if scene.name == "bucket" else {}
    return Stage(scene, clean_run(placed(scene, folder / f"clean-{scene.name}", url, settings)), settings)


def placed(scene: Scene, folder: Path, url: str, settings: dict[str, Any]) -> Scene:
    """The scene in a new folder, or below a new prefix of the bucket."""
    folder.mkdir()
    store = {"store": f"s3://crash/{folder.name}"} if settings else {}
    return scene.at(folder, url, **settings, **store)


def campaign(stages: list[Stage], folder: Path, url: str, kills: int, seconds: float, seed: int) -> Iterator[Tally]:
    """Histories until there were so many kills or the time is over, and one on Ray; the tally after each."""
    tally, ends = Tally(), time.monotonic() + seconds
    by_weight = [stage for stage in stages for _ in range(WEIGHTS[stage.scene.name])]
    order = random.Random(seed)
    order.shuffle(by_weight)
    while tally.kills.total() < kills and time.monotonic() < ends:
        number = tally.histories
        stage = by_weight[number % len(by_weight)]
        tally.seeds.append(seed + number)
        deaths = drawn(stage.clean, tally.kills, AT_RANDOM, random.Random(seed + number))
        here = folder / f"history-{seed + number}"
        history(placed(stage.scene, here, url, stage.settings), stage.clean, deaths, tally)
        shutil.rmtree(here)
        yield tally
    actor_history(stages[0].scene, folder, tally)
    yield tally


def report(tally: Tally, seconds: float, cpu: float) -> dict[str, Any]:
    """What reports/crash.json says."""
    p50, p99 = np.percentile(tally.recoveries or [np.nan], [50, 99])
    return {
        "kills": tally.kills.total(),
        "by_point": {name: tally.kills[name] for name in (*POINTS, RANDOM)},
        "histories": tally.histories,
        "looks_of_a_reader": tally.looks,
        "lost": len(tally.lost),
        "lost_what": tally.lost,
        "violations": len(tally.violations),
        "violations_what": tally.violations,
        "recoveries": len(tally.recoveries),
        "recovery_p50_s": round(float(p50), 2),
        "recovery_p99_s": round(float(p99), 2),
        "recovery_max_s": round(max(tally.recoveries, default=float("nan")), 2),
        "bound_95_per_kill": round(3 / max(1, tally.kills.total()), 5),
        "seconds": round(seconds),
        "cpu_seconds": round(cpu),
        "machine": f"{os.cpu_count()} cores",
        "seeds": tally.seeds,
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
    }


def cpu_seconds() -> float:
    """Of this process, of the server that lives are forked from, and of all lives."""
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return sum(os.times()[:2]) + sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def table(found: dict[str, Any]) -> str:
    """The report as Markdown."""
    by_point = [f"{name} {n}" for name, n in found["by_point"].items()]
    lines = [
        "| what | figure |",
        "|---|---|",
        f"| kills, in histories | {found['kills']}, {found['histories']} |",
        f"| accepted scans lost | {found['lost']} (95 %: at most {found['bound_95_per_kill']} per kill) |",
        f"| promises broken | {found['violations']} (95 %: at most {found['bound_95_per_kill']} per kill) |",
        f"| looks of a reader meanwhile at a newer state | {found['looks_of_a_reader']} |",
        f"| kill to next nowcast, median, p99, longest | {found['recovery_p50_s']} s, {found['recovery_p99_s']} s, "
        f"{found['recovery_max_s']} s over {found['recoveries']} |",
        f"| run | {found['seconds']} s, of which {found['cpu_seconds']} s of one core; {found['machine']}, shared |",
        "",
        *textwrap.wrap(f"Kills by place: {', '.join(by_point)}.", 120),
    ]
    return "\n".join(lines)


def regenerate(page: Path, found: dict[str, Any]) -> None:
    """Put the table between the marks of a page."""
    head, rest = page.read_text().split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{table(found)}\n{END}{rest.split(END)[1]}")


def quiet() -> None:
    """No log lines but of what goes wrong here."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def main() -> None:
    """Run, write the report after every history, and at last the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=510)
    options.add_argument("--seconds", type=float, default=3600.0)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, default=ROOT / "reports" / "crash.json")
    chosen = options.parse_args()
    chosen.out.parent.mkdir(exist_ok=True)
    begun = time.monotonic()
    calm_engines()
    quiet()
    with tempfile.TemporaryDirectory(prefix="nowcast-crash-") as name:
        folder = Path(name)
        with theatre(folder) as (stages, url):
            for tally in campaign(stages, folder, url, chosen.kills, chosen.seconds, chosen.seed):
                found = report(tally, time.monotonic() - begun, cpu_seconds())
                chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    regenerate(ROOT / "docs" / "guarantees.md", found)


if __name__ == "__main__":
    main()
