"""The regions of a service as a Prometheus registry: figures of the moment, and counts since the process started."""

import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import nowcast
from nowcast.core.scan import RUNGS
from nowcast.monitor.figures import BUCKETS, BUILD, COUNTERS, DISK, GAUGES, LATENCY, UP, Figure
from nowcast.monitor.region import Nowcasts, Sight, look
from nowcast.settings import Settings
from nowcast.store.forecasts import NO_RUNG

log = structlog.get_logger()
disable_created_metrics()  # type: ignore[no-untyped-call]

PATIENCE_S = 5.0
"""A region whose stores answer later than this counts as not up; Prometheus waits ten seconds for all."""


@dataclass
class Counted:
    """The slots of a region that are counted already; None before the first look, which counts nothing."""

    rungs: dict[int, str] | None = None


@dataclass(eq=False)
class Regions(Collector):
    """Looks at every region when it is asked, side by side, and waits for none that hangs."""

    sights: Sequence[Sight]
    patience_s: float = PATIENCE_S
    _counted: dict[str, Counted] = field(default_factory=dict)
    _looks: dict[str, Future[list[Figure]]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(max(1, len(self.sights)), "monitor")
        made, withheld = COUNTERS
        self.nowcasts = Counter(made, "Nowcasts published", ("region", "rung"), registry=None)
        self.withheld = Counter(withheld, "Scans that led to no nowcast", ("region",), registry=None)
        says = "From the receipt of a scan to the publication of its nowcast"
        self.latency = Histogram(LATENCY, says, ("region",), buckets=BUCKETS, registry=None)
        for sight in self.sights:
            self._start(sight.region.name)

    def describe(self) -> list[Metric]:
        """Nothing: to be registered costs no look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of all regions; counts come after the look that adds to them."""
        with self._lock:
            found = self._look()
        for name, gauge in GAUGES.items():
            family = GaugeMetricFamily(name, gauge.says, labels=("region", *gauge.labels))
            for region, figures in found.items():
                for figure in figures:
                    if figure.name == name:
                        family.add_metric((region, *figure.labels), figure.value)
            yield family
        for counted in (self.nowcasts, self.withheld, self.latency):
            yield from counted.collect()

    def _look(self) -> dict[str, list[Figure]]:
        """By region. A look that is late goes on, and is what the next one waits for."""
        for sight in self.sights:
            if sight.region.name not in self._looks:
                self._looks[sight.region.name] = self._pool.submit(look, sight)
        wait(self._looks.values(), self.patience_s)
        return {sight.region.name: self._figures(sight) for sight in self.sights}

    def _figures(self, sight: Sight) -> list[Figure]:
        name = sight.region.name
        if not self._looks[name].done():
            log.error("region cannot be read", region=name, reason=f"no answer in {self.patience_s:g} s")
            return [Figure(UP, 0.0)]
        figures = self._looks.pop(name).result()
        if sight.made is not None:
            self._count(name, sight.made)
        return figures

    def _start(self, region: str) -> None:
        """With zeros, from which Prometheus can tell an increase."""
        self._counted[region] = Counted()
        for rung in RUNGS:
            self.nowcasts.labels(region, rung)
        self.withheld.labels(region)
        self.latency.labels(region)

    def _count(self, region: str, made: Nowcasts) -> None:
        """Count what is new since the last look: a slot, or a better nowcast in it."""
        known = self._counted[region].rungs
        for slot, rung in made.rungs.items():
            if known is None or known.get(slot) == rung:
                continue
            if rung == NO_RUNG:
                self.withheld.labels(region).inc()
            else:
                self.nowcasts.labels(region, rung).inc()
                if slot in made.seconds:
                    self.latency.labels(region).observe(made.seconds[slot])
        self._counted[region].rungs = dict(made.rungs)


@dataclass(frozen=True, eq=False)
class Machine(Collector):
    """The version, and the room that is left for a store in a folder."""

    settings: Settings

    def describe(self) -> list[Metric]:
        """Nothing beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One figure each."""
        build = GaugeMetricFamily(BUILD, "1 for the version that runs", labels=("version", "python"))
        build.add_metric((nowcast.__version__, platform.python_version()), 1.0)
        yield build
        if self.settings.location("any").is_local and Path(self.settings.store).is_dir():
            usage = shutil.disk_usage(self.settings.store)
            yield GaugeMetricFamily(DISK[0], "Free on the disk that holds the stores", usage.free)
            yield GaugeMetricFamily(DISK[1], "Size of the disk that holds the stores", usage.total)


def exporter(
    settings: Settings, names: Sequence[str], clock: Callable[[], datetime], patience_s: float = PATIENCE_S
) -> CollectorRegistry:
    """All that is told of these regions and of this process; ValueError for a region whose YAML is wrong."""
    registry = CollectorRegistry(auto_describe=False)
    regions = Regions([Sight(settings.region(name), settings, clock) for name in names], patience_s)
    for collector in (regions, Machine(settings), ProcessCollector(registry=None), PlatformCollector(registry=None)):
        registry.register(collector)
    return registry
