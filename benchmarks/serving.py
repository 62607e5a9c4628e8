"""Latency of /point and /tiles on loopback, at a fixed rate of requests, idle and while nowcasts are being published.

The peer answers the same points by opening the store with xarray for each. Prints milliseconds and ratios.

    python benchmarks/serving.py [--rate 200] [--seconds 10]
"""

import argparse
import asyncio
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import icechunk
import numpy as np
import xarray as xr
from measure import Row, machine, show

from nowcast.core.grid import Grid
from nowcast.core.scan import Nowcast, Scan
from nowcast.core.timeline import Timeline
from nowcast.store.archive import append, create_archive
from nowcast.store.forecasts import create_forecasts, open_forecasts, publish
from nowcast.store.repository import Location

GRID = Grid(
    "+proj=stere +lat_0=90 +lon_0=25 +lat_ts=60 +R=6371288 +units=m", -380_886, -2_170_133, 1000, 1000, 1226, 760
)
START, FIVE, LEADS = datetime(2026, 6, 1, tzinfo=UTC), timedelta(minutes=5), 12
THRESHOLDS, QUANTILES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0), (0.1, 0.5, 0.9)
SCANS, PUBLISHED = 13, 40
ZOOMS = (5, 6, 7, 8)
SEED = 1


@dataclass(frozen=True)
class Run:
    """Seconds from when each request was due until its answer was read, and how many were no 200."""

    latency: list[float]
    failed: int
    elapsed: float

    def told(self) -> str:
        p50, p99 = (1000 * float(np.percentile(self.latency, q)) for q in (50, 99))
        rate = len(self.latency) / self.elapsed
        return f"p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   {rate:6.0f} answers/s   {self.failed} failed"


def rain(k: int) -> np.ndarray:
    """A field of wide showers that moves with k, (y, x), mm/h, half of it dry."""
    y, x = np.mgrid[: GRID.height, : GRID.width]
    waves = np.sin((x + 5 * k) / 31) * np.cos((y - 3 * k) / 47) + 0.3 * np.sin((x + y + 7 * k) / 11)
    return np.clip(waves, 0, None).astype(np.float32) * 8


def nowcast(slot: int) -> Nowcast:
    """Of one slot, with chances and quantiles."""
    fields = np.stack([rain(slot + k + 1) for k in range(LEADS)])
    chances = {t: np.clip(fields / (4 * t), 0, 1) for t in THRESHOLDS}
    quantiles = {q: fields * np.float32(2 * q) for q in QUANTILES}
    leads = tuple(FIVE * (k + 1) for k in range(LEADS))
    return Nowcast(START + slot * FIVE, leads, fields, GRID, "bench-1", (b"1" * 32,), FIVE, chances, quantiles)


def build(folder: Path) -> None:
    """An archive of an hour and the nowcast of its last scan."""
    timeline, everywhere = Timeline(START, FIVE), np.ones(GRID.shape, bool)
    first = Scan("bench", "rain", START, "rain_rate", rain(0), everywhere, GRID)
    archive = create_archive(Location(str(folder / "bench" / "archive")), GRID, timeline, "rain_rate", first.zr)
    for slot in range(SCANS):
        scan = Scan("bench", "rain", START + slot * FIVE, "rain_rate", rain(slot), everywhere, GRID)
        append(archive, [scan], bytes([slot]) * 32, START)
    where = Location(str(folder / "bench" / "forecasts"))
    publish(create_forecasts(where, GRID, timeline, LEADS, THRESHOLDS, QUANTILES), nowcast(SCANS - 1), START)


def publish_on(folder: str, count: int) -> None:
    """A nowcast every five seconds: sixty times as often as most radars scan."""
    forecasts = open_forecasts(Location(f"{folder}/bench/forecasts"))
    made = nowcast(SCANS)
    for slot in range(SCANS, SCANS + count):
        publish(forecasts, replace(made, init_time=START + slot * FIVE), START)
        time.sleep(5.0)


def points(random: np.random.Generator) -> str:
    """A question about a place anywhere on the grid."""
    lon, lat = GRID.lonlat(*(random.uniform(0, size - 1) for size in GRID.shape))
    return f"/point?lat={lat:.4f}&lon={lon:.4f}"


def tiles(random: np.random.Generator) -> str:
    """A tile around a place anywhere on the grid, of any lead of the first nowcast."""
    lon, lat = GRID.lonlat(*(random.uniform(0, size - 1) for size in GRID.shape))
    zoom = int(random.choice(ZOOMS))
    x = int((lon + 180) / 360 * 2**zoom)
    y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**zoom)
    lead = 5 * int(random.integers(1, LEADS + 1))
    init = int((START + (SCANS - 1) * FIVE).timestamp())
    return f"/tiles/bench/rain/fc-{init}-{lead}/{zoom}/{x}/{y}.png"


async def load(base: str, question: Callable[[np.random.Generator], str], rate: float, seconds: float) -> Run:
    """So many questions a second whether or not the answers keep up."""
    random, latency, failed = np.random.default_rng(SEED), [], 0
    async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(limit=64)) as session:

        async def ask(path: str, due: float) -> None:
            nonlocal failed
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            async with session.get(path) as answer:
                await answer.read()
                failed += answer.status != 200
            latency.append(time.perf_counter() - due)

        start = time.perf_counter() + 0.1
        paths = [question(random) for _ in range(int(rate * seconds))]
        await asyncio.gather(*(ask(path, start + k / rate) for k, path in enumerate(paths)))
        return Run(latency, failed, time.perf_counter() - start)


def peer(folder: Path, count: int) -> Run:
    """Points by opening the store with xarray each time."""
    random, latency = np.random.default_rng(SEED), []
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(folder / "bench" / "forecasts")))
    start = time.perf_counter()
    for _ in range(count):
        row, col = int(random.integers(GRID.height)), int(random.integers(GRID.width))
        due = time.perf_counter()
        opened = xr.open_zarr(repository.readonly_session("main").store, consolidated=False, chunks=None)
        opened[["rain_rate", "probability", "rain_rate_quantile"]].isel(init_time=-1, y=row, x=col).load()
        latency.append(time.perf_counter() - due)
    return Run(latency, 0, time.perf_counter() - start)


def rows(rate: float = 200, seconds: float = 10) -> list[Row]:
    """Of a service that is started for it, over a store that is made for it."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), 8765
        build(folder)
        now = (START + (SCANS + PUBLISHED) * FIVE).isoformat()
        command = [sys.executable, "-m", "nowcast", "serve", "--store", name, "--port", str(port), "--now", now]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            return measure(f"http://127.0.0.1:{port}", folder, rate, seconds)
        finally:
            server.terminate()
            server.wait()


def measure(base: str, folder: Path, rate: float, seconds: float) -> list[Row]:
    asyncio.run(ready(base))
    runs: dict[str, Run] = {}
    for state in ("idle", "publishing"):
        publisher = multiprocessing.get_context("spawn").Process(target=publish_on, args=(str(folder), PUBLISHED))
        if state == "publishing":
            publisher.start()
            time.sleep(3)
        for name, question in (("point", points), ("tile", tiles)):
            for _ in ("cold", "warm"):
                runs[f"{name}, {state}"] = asyncio.run(load(base, question, rate, seconds))
        if publisher.pid is not None:
            publisher.terminate()
            publisher.join()
    runs["tile, as fast as may be"] = asyncio.run(load(base, tiles, 5000, 1))
    naive = peer(folder, 40)
    ratio = float(np.median(naive.latency) / np.median(runs["point, idle"].latency))
    told = [
        Row(f"{name}, {rate:g} asked per second", run.told(), "-", None, "-", None, "", machine())
        for name, run in runs.items()
    ]
    own, other = runs["point, idle"].told(), f"store opened with xarray for each: {naive.told()}"
    return [*told, Row("a point", own, other, round(ratio, 1), "-", None, "medians", machine())]


async def ready(base: str) -> None:
    """Until the service answers."""
    async with aiohttp.ClientSession(base) as session:
        for _ in range(300):
            try:
                async with session.get("/status") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
    raise TimeoutError(f"no service at {base}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    asked = parser.parse_args()
    show(rows(asked.rate, asked.seconds))
