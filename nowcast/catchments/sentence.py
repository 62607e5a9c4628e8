"""What the weather does at a place, in one sentence: "rain in 25 min for 40 min"."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile

MINUTE = timedelta(minutes=1)
RAIN = 0.1
"""mm h-1 from which it is said to rain."""

LIKELY, POSSIBLE = 0.66, 0.33
"""Chances from which something is likely or possible; Mastrandrea et al. 2010, IPCC guidance note on uncertainty."""


class Weather(StrEnum):
    """What a sentence is about."""

    UNCOVERED = "uncovered"
    UNKNOWN = "unknown"
    PAST = "past"
    DRY = "dry"
    COMING = "coming"
    STOPPING = "stopping"
    LASTING = "lasting"


@dataclass(frozen=True)
class Step:
    """Rain at one time: rate [mm h-1] and the chance of rain, NaN where unknown."""

    time: datetime
    rain_rate: float
    chance: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.rain_rate)

    @property
    def wet(self) -> bool:
        """Whether it rains."""
        return self.rain_rate >= RAIN


@dataclass(frozen=True)
class Sentence:
    """The sentence, and what it says in whole minutes from now; None for what it does not say.

    `chance` is that of what is said, `certainty` its word.
    """

    text: str
    weather: Weather
    starts_min: int | None = None
    ends_min: int | None = None
    horizon_min: int | None = None
    chance: float | None = None
    certainty: str | None = None


def sentence(forecast: Sequence[Step], now: datetime, observed: Step | None = None) -> Sentence:
    """What the leads of a forecast, ascending, and the newest observation say at `now`.

    Leads that are past are dropped; the newest of them and the observation says what it does now. The forecast ends
    before the first lead without a value.
    """
    leads = [step for step in forecast if step.time > now]
    seen = [] if observed is None else [observed]
    past = [step for step in (*seen, *forecast) if step.time <= now and step.known]
    present = max(past, key=lambda step: step.time, default=None)
    ahead = list(takewhile(lambda step: step.known, leads))
    if not ahead:
        return _without_forecast(leads, present)
    wet_now = ahead[0].wet if present is None else present.wet
    return _raining(ahead, now) if wet_now else _dry(ahead, now)


def certainty(chance: float) -> str:
    """The word for a chance."""
    return "likely" if chance >= LIKELY else "possible" if chance >= POSSIBLE else "unlikely"


def _without_forecast(leads: Sequence[Step], present: Step | None) -> Sentence:
    if not leads:
        return Sentence("the forecast is past", Weather.PAST)
    if present is None:
        return Sentence("no radar coverage here", Weather.UNCOVERED)
    return Sentence(f"{'raining' if present.wet else 'dry'} now, no forecast here", Weather.UNKNOWN)


def _raining(ahead: Sequence[Step], now: datetime) -> Sentence:
    horizon = _minutes(ahead[-1], now)
    end = next((step for step in ahead if not step.wet), None)
    if end is None:
        text = f"rain for the whole forecast ({horizon} min)"
        return _said(text, Weather.LASTING, min(s.chance for s in ahead), 0, None, horizon)
    stops = _minutes(end, now)
    return _said(f"raining, stops in {stops} min", Weather.STOPPING, 1 - end.chance, 0, stops, horizon)


def _dry(ahead: Sequence[Step], now: datetime) -> Sentence:
    horizon = _minutes(ahead[-1], now)
    to_come = [k for k, step in enumerate(ahead) if step.wet]
    if not to_come:
        text = f"no rain in the next {horizon} min"
        return _said(text, Weather.DRY, 1 - max(s.chance for s in ahead), None, None, horizon)
    spell = list(takewhile(lambda step: step.wet, ahead[to_come[0] :]))
    after = ahead[to_come[0] + len(spell) :]
    starts, chance = _minutes(spell[0], now), max(s.chance for s in spell)
    if not after:
        text = f"rain in {starts} min, to the end of the forecast ({horizon} min)"
        return _said(text, Weather.COMING, chance, starts, None, horizon)
    ends = _minutes(after[0], now)
    return _said(f"rain in {starts} min for {ends - starts} min", Weather.COMING, chance, starts, ends, horizon)


def _minutes(step: Step, now: datetime) -> int:
    return max(1, round((step.time - now) / MINUTE))


def _said(text: str, weather: Weather, chance: float, starts: int | None, ends: int | None, horizon: int) -> Sentence:
    if math.isnan(chance):
        return Sentence(text, weather, starts, ends, horizon)
    word = certainty(chance)
    return Sentence(f"{text} ({word}, {chance:.0%})", weather, starts, ends, horizon, round(chance, 4), word)
