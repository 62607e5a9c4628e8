"""Streaming equals batch."""

from datetime import UTC, datetime
from itertools import islice

import numpy as np
import torch

from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.core.scan import Frames
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.motion import optical_flow, steadied
from nowcast.models.rollout import Rolling
from nowcast.models.track import HISTORY
from nowcast.models.transform import denormalise, normalise
from nowcast.sources.synthetic import Storm

STORM = Storm(datetime(2026, 6, 1, 12, tzinfo=UTC), size=96, cells=4)


def frames(count: int) -> Frames:
    scans = list(STORM.scans(count))
    rain, coverage = np.stack([s.rain_rate for s in scans]), np.stack([s.coverage for s in scans])
    return Frames(tuple(s.nominal_time for s in scans), rain, coverage, tuple(s.scan_id for s in scans))


def part(whole: Frames, first: int, last: int) -> Frames:
    span = slice(first, last + 1)
    return Frames(whole.times[span], whole.rain_rate[span], whole.coverage[span], whole.scan_ids[span])


def streamed(model: ConvLSTM, whole: Frames, slots: range) -> np.ndarray:
    rolling = Rolling(model)
    for slot in slots:
        ids = whole.scan_ids[rolling.first_slot(slot) : slot + 1]
        state = rolling.advance(slot, ids, lambda a, b: part(whole, a, b))
    return np.stack(list(islice(model.forecast(state), 12)))


@torch.inference_mode()
def batch(model: ConvLSTM, whole: Frames, first: int, last: int) -> np.ndarray:
    """The window first .. last encoded at once, frame by frame on tensors, without any streaming code."""
    window = part(whole, first, last)
    fields = normalise(torch.from_numpy(np.nan_to_num(window.rain_rate)))[:, None, None]
    coverage = torch.from_numpy(window.coverage.astype(np.float32))[:, None, None]
    state = model.model.start(fields[0])
    for t in range(len(window)):
        past = slice(max(0, t + 1 - HISTORY), t + 1)
        flow = torch.zeros(1, 2, *fields.shape[-2:])
        if t:
            flow = optical_flow(fields[past, 0, 0][None], coverage[past, 0, 0][None])
        state = model.model.observe(state, fields[t], coverage[t], steadied(flow, fields[t]))
    outputs = islice(model.model.forecast(state), 12)
    return np.stack([denormalise(f).where(c > 0, torch.nan)[0, 0].numpy() for f, c in outputs])


def test_stepping_scan_by_scan_equals_encoding_the_window_at_once() -> None:
    model, whole = ConvLSTM(load_checkpoint(SHIPPED_WEIGHTS)), frames(14)
    for last in (9, 13):
        expected = batch(model, whole, (last // 4 - 1) * 4, last)
        np.testing.assert_allclose(streamed(model, whole, range(last + 1)), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(streamed(model, whole, range(last, last + 1)), expected, rtol=1e-5, atol=1e-5)
    assert np.nanmax(expected) > 1.0


def test_forecasting_leaves_the_state_untouched() -> None:
    model, whole = ConvLSTM(load_checkpoint(SHIPPED_WEIGHTS)), frames(6)
    state = None
    for t in range(6):
        state = model.observe(state, whole.rain_rate[t], whole.coverage[t])
    once, twice = (np.stack(list(islice(model.forecast(state), 3))) for _ in range(2))
    np.testing.assert_array_equal(once, twice)


def test_a_missing_scan_is_rebuilt_over_when_it_comes_late() -> None:
    model, whole = ConvLSTM(load_checkpoint(SHIPPED_WEIGHTS)), frames(10)
    rain, coverage = whole.rain_rate.copy(), whole.coverage.copy()
    rain[7], coverage[7] = np.nan, False
    holed = Frames(whole.times, rain, coverage, (*whole.scan_ids[:7], b"", *whole.scan_ids[8:]))
    rolling = Rolling(model)
    for known in (holed, whole):
        state = rolling.advance(9, known.scan_ids[rolling.first_slot(9) :], lambda a, b, k=known: part(k, a, b))
    late = np.stack(list(islice(model.forecast(state), 12)))
    np.testing.assert_array_equal(late, streamed(model, whole, range(9, 10)))
