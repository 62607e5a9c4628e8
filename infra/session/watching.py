"""When each nowcast could be read first, and what that says of a session."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from station import REGION, until

from nowcast.settings import Settings
from nowcast.store import repository
from nowcast.store.forecasts import open_forecasts, records


@dataclass
class Watcher:
    """A reader that looks every 50 ms. By initial time: when its nowcast was there, and by which rung."""

    settings: Settings
    seen: dict[str, float] = field(default_factory=dict)
    rungs: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it is over."""
        where = self.settings.location(REGION).child("forecasts")
        until(lambda: self.over.is_set() or repository.exists(where), 600, "the first nowcast")
        last = ""
        while not self.over.wait(0.05):
            forecasts = open_forecasts(where)
            if (snapshot := repository.snapshot_id(forecasts.repository)) == last:
                continue
            now, last = time.monotonic(), snapshot
            for slot, record in records(forecasts).items():
                key = forecasts.timeline.time(slot).isoformat()
                self.seen.setdefault(key, now)
                self.rungs.setdefault(key, record.rung)


def judged(put: dict[str, float], kills: dict[str, float], watcher: Watcher, step_s: float) -> dict[str, Any]:
    """Counts, and latencies [s] from a file in the feed to its nowcast in a reader; on time is within a step."""
    late = {key: watcher.seen[key] - moment for key, moment in put.items() if key in watcher.seen}
    times = sorted(late.values())
    centiles = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return {
        "scans": len(put),
        "nowcasts": len(late),
        "missed": sorted(set(put) - set(late)),
        "on_time": sum(one <= step_s for one in times),
        "within_s": step_s,
        "latency_s": {"p50": round(centiles[49], 2), "p99": round(centiles[98], 2), "max": round(times[-1], 2)},
        "kills": {what: _recovery(put, moment, late, watcher, step_s) for what, moment in kills.items()},
        "rungs": dict(Counter(watcher.rungs[key] for key in put if key in watcher.rungs)),
    }


def _recovery(
    put: dict[str, float], moment: float, late: dict[str, float], watcher: Watcher, step_s: float
) -> dict[str, Any]:
    """Cycles in a row that were late from the one that was going on, and seconds to the first nowcast after."""
    count = 0
    for key in (key for key, there in put.items() if there >= moment - step_s):
        if late.get(key, float("inf")) <= step_s:
            break
        count += 1
    first = min((there for there in watcher.seen.values() if there > moment), default=float("nan"))
    return {"late_cycles": count, "first_nowcast_after_s": round(first - moment, 1)}
