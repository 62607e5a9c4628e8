"""From a scan in the feed to its nowcast in a query: p50 and p99 with their parts, in one process and through Prefect.

`python benchmarks/latency.py [--model default] [--way local]` needs no files: synthetic storms of 128 x 128 pixels,
12 leads, by advection with its chances or the shipped model. The time of a scan begins when the feed hands it out:
before that a folder is looked at every `poll_s`, and a file is left alone for `settle_s` after its last change. Through
Prefect means a server of its own, a task per step, and the region's Ray actor.
"""

import argparse
import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import Row, machine, show

from nowcast import ingest, issue
from nowcast.core import crashpoints
from nowcast.logs import configure
from nowcast.replay import follow_locally
from nowcast.settings import Region, Settings, calm_engines
from nowcast.sources.feeds import Replay, files_in
from nowcast.sources.odim_hdf5 import write
from nowcast.sources.synthetic import Storm
from nowcast.store.query import Reader, point
from nowcast.store.repository import Location

STORM = Storm(datetime(2026, 6, 1, tzinfo=UTC), size=128, cells=6)
PLACE = 60.0, 25.0
SCANS, WARM_UP = 46, 6
LIMIT_S = {"local": 1.0, "prefect": 5.0}
"""p99 of all that is not the model's own time."""

TRACE, STORE = "NOWCAST_LATENCY_TRACE", "NOWCAST_LATENCY_STORE"
PARTS = ("read and hash", "decode", "checks", "commit", "wake", "model", "forecast write", "query")

Times = dict[str, list[float]]


def note(event: str) -> None:
    """One line: what happened and when, by the clock that all processes share."""
    with open(os.environ[TRACE], "a") as trace:
        trace.write(f"{event} {time.time():.6f}\n")


def watch() -> None:
    """Note what this process does; Ray's workers do so before an actor begins."""
    ingest.decode, ingest.check = noted("decode", ingest.decode), noted("check", ingest.check)
    ingest.check_change, issue.make = noted("check", ingest.check_change), noted("make", issue.make)
    for name in ("ingest.begun", "archive.append.committed"):
        crashpoints.arm(name, partial(note, name))
    crashpoints.arm("issue.published", ask)


def noted(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, its begin and end noted."""

    def call(*args: Any, **named: Any) -> Any:
        note(f"{name}.begin")
        result = work(*args, **named)
        note(f"{name}.end")
        return result

    return call


def ask() -> None:
    """What a user does: open the store and ask for a place; the newest nowcast must be there."""
    note("issue.published")
    answer = point(Reader(Location(os.environ[STORE])), *PLACE)
    assert np.isfinite(answer.rain_rate.values).any()
    note("query.end")


class Noted(Replay):
    """Hands out a file whenever asked, and notes when."""

    def poll(self) -> list[Path]:
        """The next file."""
        note("feed.given")
        return super().poll()


def rows(model: str = "advection", ways: Sequence[str] = ("local", "prefect")) -> list[Row]:
    """Totals, parts and what is beside the model, both ways."""
    calm_engines()
    with tempfile.TemporaryDirectory() as folder:
        paths = scans(Path(folder) / "scans")
        return [row for way in ways for row in told(way, parts(trace(Path(folder), way, paths, WAYS[way], model)))]


def scans(folder: Path) -> list[Path]:
    """Files of a storm."""
    folder.mkdir()
    for scan in STORM.scans(SCANS):
        write(scan, folder / f"storm_{scan.nominal_time:%Y%m%d%H%M}.h5")
    return files_in(folder)


def trace(folder: Path, way: str, paths: list[Path], run: Callable[..., None], model: str) -> list[tuple[str, float]]:
    """What happened and when while the files were followed."""
    os.environ |= {TRACE: str(folder / way), STORE: str(folder / "store" / way / "forecasts")}
    settings = Settings(store=str(folder / "store"), device="cpu")
    configure(settings)
    run(Region(name=way, cadence=5, poll_s=0.01, model=model), settings, Noted(paths))
    lines = (line.split() for line in (folder / way).read_text().splitlines())
    return sorted(((name, float(moment)) for name, moment in lines), key=lambda event: event[1])


def local(region: Region, settings: Settings, feed: Replay) -> None:
    """One process."""
    kept = ingest.decode, ingest.check, ingest.check_change, issue.make
    watch()
    follow_locally(region, settings, feed, lambda *_: None, lambda: None)
    crashpoints.disarm()
    ingest.decode, ingest.check, ingest.check_change, issue.make = kept


def prefect(region: Region, settings: Settings, feed: Replay) -> None:
    """A Prefect server, the flow in this process, the model in Ray's actor."""
    import ray
    from prefect.testing.utilities import prefect_test_harness

    from flows.follow import follow
    from nowcast.serving.actor import stop
    from nowcast.serving.cluster import NAMESPACE

    ray.init(
        address="local",
        namespace=NAMESPACE,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"worker_process_setup_hook": watch},
    )
    watch()
    with prefect_test_harness():
        asyncio.run(follow(region, settings, feed))
    stop(region)
    ray.shutdown()


def parts(events: list[tuple[str, float]]) -> Times:
    """Seconds of each part of each scan, those of the warm-up left out."""
    begun = [number for number, (name, _) in enumerate(events) if name == "feed.given"]
    found: Times = {name: [] for name in PARTS}
    for first, last in list(zip(begun, [*begun[1:], len(events)], strict=True))[WARM_UP:]:
        for name, seconds in zip(PARTS, _of_scan(events[first:last]), strict=True):
            found[name].append(seconds)
    return found


def _of_scan(events: list[tuple[str, float]]) -> list[float]:
    """The parts of one scan, which follow each other."""
    at = dict(reversed(events))
    published = at["issue.published"]
    made = max(moment for name, moment in events if name == "make.end" and moment <= published)
    checks = sum((1 if name == "check.end" else -1) * moment for name, moment in events if name.startswith("check."))
    decode, committed = at["decode.end"] - at["decode.begin"], at["archive.append.committed"]
    return [
        at["decode.begin"] - at["feed.given"],
        decode,
        checks,
        committed - at["decode.end"] - checks,
        at["make.begin"] - committed,
        made - at["make.begin"],
        published - made,
        at["query.end"] - published,
    ]


def told(way: str, times: Times) -> list[Row]:
    """A row for the whole, one for what is not the model, one for each part."""
    held = np.array([times[name] for name in PARTS])
    beside = held.sum(0) - held[PARTS.index("model")]
    made = [_row(f"{way}: {name}", seconds) for name, seconds in times.items()]
    return [_row(f"{way}: scan to query", held.sum(0)), _row(f"{way}: beside the model", beside, LIMIT_S[way]), *made]


def _row(name: str, seconds: Any, limit: float | None = None) -> Row:
    p50, p99 = np.percentile(seconds, [50, 99])
    goal, met = ("-", None) if limit is None else (f"p99 <= {limit:g} s", bool(p99 <= limit))
    peer, ratio = ("-", None) if limit is None else (f"{limit:g} s", round(limit / float(p99), 2))
    spread = f"{min(seconds):.3f} to {max(seconds):.3f} s, {len(seconds)} scans"
    return Row(f"latency {name}", f"p50 {p50:.3f} s, p99 {p99:.3f} s", peer, ratio, goal, met, spread, machine())


WAYS = {"local": local, "prefect": prefect}

if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--model", default="advection")
    asked.add_argument("--way", choices=WAYS, nargs="+", default=list(WAYS))
    chosen = asked.parse_args()
    show(rows(chosen.model, chosen.way))
