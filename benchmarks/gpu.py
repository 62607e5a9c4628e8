"""What a GPU is made of use of: training against the card's bf16 peak, and the whole cycle of a large region.

Runs without Ray. Without a GPU it has no figures.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import torch
from measure import Row, machine, show, spread
from model import MNIST, Case
from torch import nn

from nowcast.core import crashpoints
from nowcast.core.rain import MARSHALL_PALMER
from nowcast.core.timeline import Timeline
from nowcast.desk import desk
from nowcast.issue import issue_due
from nowcast.settings import Region, Settings
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import append, create_archive

BATCHES = 32, 128, 512
START = datetime(2026, 6, 1, tzinfo=UTC)
LEADS, CYCLES = 12, 60


def rows() -> list[Row]:
    """Nothing where there is no GPU."""
    return [*share_of_peak(MNIST), *cycle_of_a_megapixel()] if torch.cuda.is_available() else []


def share_of_peak(case: Case) -> list[Row]:
    """Floating-point operations of the training step's convolutions per second, against the card's bf16 products."""
    peak = bf16_peak()
    measured = []
    for batch in BATCHES:
        times = _timed(_step(case, batch), 12)
        rate = batch * 3 * operations(case) / statistics.median(times)
        share = rate / peak
        measured.append(
            Row(
                f"training step, {case.name.split(', batch')[0]}, batch {batch}, bfloat16",
                f"{rate / 1e12:.0f} TFLOP/s ({batch / statistics.median(times):.0f} sequences/s)",
                f"{peak / 1e12:.0f} TFLOP/s, 8192^3 product",
                round(share, 3),
                ">= 0.40 of the measured bf16 peak at a fitting batch",
                share >= 0.40,
                spread(times),
                _card(),
            )
        )
    return measured


def operations(case: Case) -> int:
    """Of the convolutions of one forward pass over one sequence; backward is taken to be twice as much."""
    pixels, taps = case.shape[0] * case.shape[1], case.kernel**2
    state = sum(taps * h * 4 * h for h in case.hidden)
    above = sum(taps * a * 4 * b for a, b in zip(case.hidden, case.hidden[1:], strict=False))
    first = taps * case.channels * 4 * case.hidden[0]
    output = sum(case.hidden) * case.channels
    return 2 * pixels * (case.seen * (first + above + state) + case.leads * (above + state + output))


def bf16_peak() -> float:
    """Operations per second of a product of random matrices."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return float(2 * 8192**3 / statistics.median(_timed(lambda: a @ b, 20)))


def cycle_of_a_megapixel(size: int = 1024, cycles: int = CYCLES) -> list[Row]:
    """From a scan in the archive to its nowcast in the forecast store, and until everything that follows is done.

    The first five, in which kernels are chosen and motion is first seen, are not counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=folder, device="cuda" if torch.cuda.is_available() else "cpu")
        region = Region(name="large", cadence=5, leads=LEADS)
        readable, whole = zip(*_cycles(region, settings, Storm(START, size=size), cycles)[5:], strict=True)
    kept = f"{len(region.thresholds)} chances, {len(region.quantiles)} quantiles"
    name = f"rolling cycle, {size} x {size}, {LEADS} leads, rate, {kept}"
    return [
        _within_a_second(f"{name}: scan archived to nowcast readable", readable),
        _within_a_second(f"{name}: and advection kept beside it", whole),
    ]


def _within_a_second(name: str, times: Sequence[float]) -> Row:
    p50, p99 = np.quantile(times, (0.5, 0.99))
    ours = f"p50 {p50:.3f} s, p99 {p99:.3f} s of {len(times)}"
    return Row(name, ours, "-", None, "p99 <= 1 s", bool(p99 <= 1), spread(times), _card())


def _cycles(region: Region, settings: Settings, storm: Storm, cycles: int) -> list[tuple[float, float]]:
    """Seconds until the nowcast is readable, and until the cycle is over, scan by scan."""
    where = settings.location(region.name).child("archive")
    archive = create_archive(where, storm.grid, Timeline(storm.start, storm.cadence), "rain_rate", MARSHALL_PALMER)
    office, times = desk(region, settings), []
    for k, scan in enumerate(storm.scans(cycles)):
        now = scan.nominal_time + timedelta(minutes=1)
        append(archive, [scan], k.to_bytes(32, "big"), now)
        published: list[float] = []
        crashpoints.arm("issue.published", lambda seen=published: seen.append(time.perf_counter()))
        begun = time.perf_counter()
        issue_due(office, now)
        times.append((published[0] - begun, time.perf_counter() - begun))
    return times


def _step(case: Case, batch: int) -> Callable[[], None]:
    model = case.ours().cuda()
    frames, wanted = (torch.rand(batch, n, case.channels, *case.shape, device="cuda") for n in (case.seen, case.leads))
    optimiser = torch.optim.RMSprop(model.parameters(), 1e-3)

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            outputs = model(frames, wanted.shape[1])
        loss = nn.functional.binary_cross_entropy_with_logits(outputs.float(), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def _timed(work: Callable[[], object], rounds: int) -> list[float]:
    """Seconds on the card, after three that are not counted."""
    times = []
    for k in range(rounds + 3):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        if k >= 3:
            times.append(begin.elapsed_time(end) / 1e3)
    return times


def _card() -> str:
    return f"{torch.cuda.get_device_name()}, {machine()}" if torch.cuda.is_available() else machine()


if __name__ == "__main__":
    show(rows())
