"""Forecasts of real events by our methods pass; what poisoned methods give of the same scans does not."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from radar import RADAR, needs_radar

from nowcast.champion import SHIPPED_WEIGHTS
from nowcast.core.nowcaster import Nowcaster
from nowcast.core.types import BoolField, FloatField, Sampling
from nowcast.models.baselines import Advection, Persistence
from nowcast.models.checkpoint import load_checkpoint
from nowcast.models.convlstm import ConvLSTM
from nowcast.quality import ImplausibleForecast, check_forecast
from nowcast.sources import decode
from nowcast.sources.feeds import files_in

LEADS, SIDE = 6, 192
EVENTS = {
    "fmi": "fmi-pgm/20160928",
    "knmi-rap": "knmi-rap/20100826",
    "knmi-pcp": "knmi-pcp/20210203",
    "mch": "mch-gif/20160711",
    "bom": "bom-rf3/66-mtstapl-20201031",
    "dwd": "dwd-radolan/yw-20170816",
}


def forecast(method: Nowcaster, rain_rate: FloatField, coverage: BoolField, sampling: Sampling) -> FloatField:
    state = None
    for field, covered in zip(rain_rate, coverage, strict=True):
        state = method.observe(state, field, covered, sampling)
    leads = method.forecast(state)
    return np.stack([next(leads) for _ in range(LEADS)])


@cache
def event(name: str) -> tuple[FloatField, BoolField]:
    """Four scans of an event, a square around its middle."""
    scans = [scan for path in files_in(RADAR / EVENTS[name])[4:8] for scan in decode(path)]
    height, width = scans[0].grid.shape
    part = tuple(slice(side // 2 - SIDE // 2, side // 2 + SIDE // 2) for side in (height, width))
    return np.stack([s.rain_rate[part] for s in scans]), np.stack([s.coverage[part] for s in scans])


@cache
def advected(name: str) -> FloatField:
    return forecast(Advection(), *event(name), Sampling(5.0, 1.0))


@needs_radar
@pytest.mark.parametrize("name", EVENTS)
def test_real_events_are_plausible(name: str) -> None:
    """On half-kilometre pixels the model works in blocks of two."""
    rain_rate, coverage = event(name)
    sampling = Sampling(10.0, 0.5) if name == "bom" else Sampling(5.0, 1.0)
    for made in (
        advected(name),
        forecast(ConvLSTM(load_checkpoint(SHIPPED_WEIGHTS)), rain_rate, coverage, sampling),
        forecast(Persistence(), rain_rate, coverage, sampling),
    ):
        check_forecast(made, rain_rate[-1])


POISONS: dict[str, tuple[Callable[[FloatField], FloatField], str]] = {
    "hundredfold": (lambda fields: fields * 100, "rain rates above 500 mm/h|mean rain of|rain on"),
    "infinite": (lambda fields: np.where(fields > 1, np.inf, fields), "hold infinite values"),
    "negative": (lambda fields: fields - 0.1, "6 of 6 fields hold negative rain rates"),
    "constant": (lambda fields: fields * 0 + 3, "^3 mm/h everywhere at lead 1$"),
    "no number": (lambda fields: fields * np.nan, "no forecast at lead 1 on 100% of what was observed"),
    "dry": (lambda fields: fields * 0, "rain on 0.0% of the view at lead 1"),
}


@needs_radar
@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("name", ["fmi", "mch", "dwd"])
def test_poisoned_forecasts_of_real_events_are_caught(name: str, poison: str) -> None:
    change, reason = POISONS[poison]
    with pytest.raises(ImplausibleForecast, match=reason):
        check_forecast(change(advected(name)), event(name)[0][-1])


def fields(rate: float, wet: int, leads: int = 2) -> FloatField:
    """Rain at a rate on the first `wet` of 100 pixels."""
    field = np.zeros(100, np.float32)
    field[:wet] = rate
    return np.stack([field.reshape(10, 10)] * leads)


@pytest.mark.parametrize(
    ("forecast", "observed", "reason"),
    [
        (fields(0.1, 65), fields(1.0, 20)[0], ""),
        (fields(0.1, 66), fields(1.0, 20)[0], "rain on 66% of the view at lead 1, 20.0% was observed"),
        (fields(0.1, 5), fields(0.0, 0)[0], ""),
        (fields(0.1, 6), fields(0.0, 0)[0], "rain on 6% of the view at lead 1, 0.0% was observed"),
        (fields(4.0, 20), fields(1.0, 20)[0], ""),
        (fields(4.3, 20), fields(1.0, 20)[0], "mean rain of 0.86 mm/h at lead 1, 0.2 was observed"),
        (fields(1.0, 3), fields(1.0, 20)[0], ""),
        (fields(1.0, 1), fields(1.0, 20)[0], "rain on 1.0% of the view at lead 1, 20% was observed"),
        (fields(0.0, 0), fields(9.0, 0)[0], ""),
        (fields(500.0, 1), fields(500.0, 1)[0], ""),
        (fields(506.0, 1), fields(500.0, 1)[0], "2 of 2 fields hold rain rates above 500 mm/h"),
    ],
)
def test_limits(forecast: FloatField, observed: FloatField, reason: str) -> None:
    """Three times the area and 5 %, four times the total and 0.05 mm/h, a tenth of the area."""
    if not reason:
        check_forecast(forecast, observed)
        return
    with pytest.raises(ImplausibleForecast) as caught:
        check_forecast(forecast, observed)
    assert str(caught.value) == reason


def test_only_what_was_observed_must_have_a_forecast() -> None:
    """Half of the view was observed, half of that has a forecast; the other way round there is nothing to lose."""
    observed, made = fields(0.0, 0)[0], fields(0.0, 0)
    observed[5:] = np.nan
    made[:, :2] = np.nan
    check_forecast(made, observed)
    made[:, 2] = np.nan
    with pytest.raises(ImplausibleForecast, match="no forecast at lead 1 on 60% of what was observed"):
        check_forecast(made, observed)
    check_forecast(made, np.full_like(observed, np.nan))
