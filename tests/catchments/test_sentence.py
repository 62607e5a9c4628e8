"""One sentence from leads 5 min apart after 12:00; a letter per lead: w wet, d dry, - unknown."""

from datetime import UTC, datetime, timedelta

import pytest

from nowcast.catchments.sentence import Step, Weather, certainty, sentence

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RATES = {"w": 1.0, "d": 0.0, "-": float("nan")}


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def leads(letters: str, chance: float = float("nan")) -> list[Step]:
    return [Step(at(5 * k), RATES[letter], chance) for k, letter in enumerate(letters, start=1)]


def seen(letter: str, minutes: float = 0) -> Step:
    return Step(at(minutes), RATES[letter])


@pytest.mark.parametrize(
    ("letters", "observed", "text"),
    [
        ("ddddwwwwwwwwd", "d", "rain in 25 min for 40 min"),
        ("ddwddwww", "d", "rain in 15 min for 5 min"),
        ("ddww", "d", "rain in 15 min, to the end of the forecast (20 min)"),
        ("wwdd", "w", "raining, stops in 15 min"),
        ("dddd", "w", "raining, stops in 5 min"),
        ("wwww", "w", "rain for the whole forecast (20 min)"),
        ("dddd", "d", "no rain in the next 20 min"),
        ("wddd", "d", "rain in 5 min for 5 min"),
        ("----", "-", "no radar coverage here"),
        ("----", "w", "raining now, no forecast here"),
        ("----", "d", "dry now, no forecast here"),
        ("dd--", "d", "no rain in the next 10 min"),
        ("ddw-", "d", "rain in 15 min, to the end of the forecast (15 min)"),
        ("-www", "d", "dry now, no forecast here"),
        ("wwdd", "-", "raining, stops in 15 min"),
        ("ddww", "-", "rain in 15 min, to the end of the forecast (20 min)"),
        ("", "d", "the forecast is past"),
    ],
)
def test_what_it_says_at_noon(letters: str, observed: str, text: str) -> None:
    assert sentence(leads(letters), NOON, seen(observed)).text == text


class TestNow:
    """Minutes are from now, and leads that are past are dropped."""

    def test_eight_minutes_later(self) -> None:
        said = sentence(leads("ddddwwd"), at(8), seen("d"))
        assert (said.text, said.starts_min, said.ends_min) == ("rain in 17 min for 10 min", 17, 27)
        assert said.horizon_min == 27

    def test_a_lead_that_has_passed_says_what_it_does_now(self) -> None:
        assert sentence(leads("wwdd"), at(11), seen("d")).text == "raining, stops in 4 min"

    def test_an_observation_since_then_comes_before_it(self) -> None:
        assert sentence(leads("wwdd"), at(11), seen("d", 11)).text == "no rain in the next 9 min"

    def test_an_observation_after_now_is_not_known_yet(self) -> None:
        assert sentence(leads("dddd"), at(1), seen("w", 3)).text == "no rain in the next 19 min"

    def test_a_forecast_that_has_run_out(self) -> None:
        assert sentence(leads("wwww"), at(20), seen("w")).weather is Weather.PAST

    def test_half_a_minute_is_one(self) -> None:
        assert sentence(leads("dw"), at(9.6), seen("d")).text == "rain in 1 min, to the end of the forecast (1 min)"


class TestCertainty:
    @pytest.mark.parametrize(
        ("chance", "word"),
        [(1.0, "likely"), (0.66, "likely"), (0.65, "possible"), (0.33, "possible"), (0.2, "unlikely")],
    )
    def test_words(self, chance: float, word: str) -> None:
        assert certainty(chance) == word

    def test_of_rain_is_its_highest_chance(self) -> None:
        steps = [Step(at(5), 0, 0.1), Step(at(10), 1, 0.5), Step(at(15), 1, 0.75), Step(at(20), 0, 0.9)]
        said = sentence(steps, NOON, seen("d"))
        assert said.text == "rain in 10 min for 10 min (likely, 75%)"
        assert (said.chance, said.certainty) == (0.75, "likely")

    def test_of_no_rain_is_that_of_the_likeliest_lead(self) -> None:
        steps = [Step(at(5), 0, 0.1), Step(at(10), 0, 0.4)]
        assert sentence(steps, NOON, seen("d")).text == "no rain in the next 10 min (possible, 60%)"

    def test_of_stopping_is_that_of_the_first_dry_lead(self) -> None:
        steps = [Step(at(5), 1, 0.9), Step(at(10), 0, 0.25)]
        assert sentence(steps, NOON, seen("w")).text == "raining, stops in 10 min (likely, 75%)"

    def test_of_lasting_rain_is_its_lowest_chance(self) -> None:
        steps = [Step(at(5), 1, 0.9), Step(at(10), 1, 0.5)]
        assert sentence(steps, NOON, seen("w")).text == "rain for the whole forecast (10 min) (possible, 50%)"

    def test_without_chances_no_word(self) -> None:
        said = sentence(leads("dd"), NOON, seen("d"))
        assert (said.chance, said.certainty) == (None, None)
