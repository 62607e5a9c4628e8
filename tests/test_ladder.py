"""Which rung a nowcast stands on, and why: each is reached by a failure of those above it."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import GRID
from hypothesis import given, settings
from hypothesis import strategies as st
from models_at_hand import SPAN
from promoted import NOW, SCANS, Home
from storms import TINY

from nowcast import registry
from nowcast.core.scan import RUNGS, Nowcast
from nowcast.core.types import USUAL, FloatField
from nowcast.desk import Desk
from nowcast.issue import issue_due
from nowcast.ladder import Step, TooLate, deadline, descend
from nowcast.models.baselines import Persistence
from nowcast.models.checkpoint import Training, save_checkpoint
from nowcast.models.rain_model import RainModel
from nowcast.models.rollout import Rolling
from nowcast.roster import SHIPPED
from nowcast.store.archive import append
from nowcast.store.forecasts import create_forecasts, open_forecasts, read_rain_rate, records


class Broken(Persistence):
    """A method that fails at lead 2, or gives something that is made of the last scan."""

    model_id = "broken"

    def __init__(self, fault: Callable[[FloatField], FloatField] | Exception) -> None:
        self.fault = fault

    def forecast(self, state: Any) -> Iterator[FloatField]:
        for lead, field in enumerate(super().forecast(state), 1):
            if isinstance(self.fault, Exception):
                if lead == 2:
                    raise self.fault
                yield field
            else:
                yield self.fault(field)


@pytest.fixture
def here(tmp_path: Path) -> Home:
    """Model two is champion, model one was before."""
    home = Home(tmp_path)
    registry.promote(home.models, home.two, "better", NOW)
    return home


def sit(at: Desk, names: list[str], fault: Callable[[FloatField], FloatField] | Exception) -> None:
    """Put a broken method in the place of some."""
    for name in names:
        at.roster.warm[name] = Rolling(Broken(fault))


def only(made: list[Nowcast]) -> Nowcast:
    (nowcast,) = made
    assert nowcast.rain_rate.shape == (3, 64, 64)
    assert np.isfinite(nowcast.rain_rate).any()
    return nowcast


def spoilt(folder: Path, change: Callable[[RainModel], None]) -> Path:
    """The files of a model with changed weights."""
    torch.manual_seed(9)
    model = RainModel(TINY)
    with torch.no_grad():
        change(model)
    path = folder / "spoilt.safetensors"
    save_checkpoint(path, "spoilt", model, Training((USUAL,), SPAN, 10, (), 5, 0.1, 9, "abc", {}))
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: model.pixels.last.weight.fill_(torch.nan), "holds weights that are not finite"),
        (lambda model: model.embed.weight.fill_(3e38), "rain on 0.0% of the view at lead 1"),
    ],
    ids=["no numbers", "overflow"],
)
def test_poisoned_weights_give_way_to_the_champion_before(
    here: Home, tmp_path: Path, change: Callable[[RainModel], None], reason: str
) -> None:
    bad = registry.register(here.models, spoilt(tmp_path, change), NOW).model_id
    at = here.desk()
    here.play(at, range(2))
    registry.promote(here.models, bad, "by mistake", NOW)
    nowcast = only(here.play(at, range(2, 3)))
    assert (nowcast.rung, nowcast.model) == ("previous", here.two)
    assert nowcast.reason.startswith(f"champion {bad}: ")
    assert reason in nowcast.reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (RuntimeError("out of memory\nand more"), "out of memory"),
        (lambda field: np.where(field > 0, np.float32(np.inf), field), "3 of 3 fields hold infinite values"),
        (lambda field: field * 4.9, "mean rain of"),
    ],
    ids=["error", "infinite", "too much"],
)
def test_a_method_that_fails_or_talks_nonsense_is_passed(
    here: Home, fault: Callable[[FloatField], FloatField] | Exception, reason: str
) -> None:
    at = here.desk()
    here.play(at, range(2))
    sit(at, [here.two], fault)
    nowcast = only(here.play(at, range(2, 3)))
    assert (nowcast.rung, nowcast.model) == ("previous", here.one)
    assert nowcast.reason.startswith(f"champion {here.two}: {reason}")
    sit(at, [here.two, here.one, SHIPPED], fault)
    assert only(here.play(at, range(3, 4))).rung == "advection"
    sit(at, ["advection"], fault)
    nowcast = only(here.play(at, range(4, 5)))
    assert (nowcast.rung, nowcast.model) == ("persistence", "persistence")
    assert nowcast.reason.count("; ") == 3


def test_whatever_fails_a_nowcast_is_made_on_the_best_rung_that_holds(here: Home) -> None:
    """Scans 1 to 8, one for each set of champion, previous and advection that fail; the shipped weights always do."""
    at = here.desk()
    sound = {}
    faulty = list(product((False, True), repeat=3))

    def spoil(number: int) -> None:
        names = (here.two, here.one, "advection")
        for name, fails in zip(names, faulty[number - 1], strict=True):
            sound.setdefault(name, at.roster.warm.get(name))
            if fails:
                sit(at, [name], RuntimeError("broken"))
            elif sound[name] is not None:
                at.roster.warm[name] = sound[name]
            else:
                at.roster.warm.pop(name, None)

    here.play(at, range(1))
    sit(at, [SHIPPED], RuntimeError("broken"))
    made = here.play(at, range(1, 9), spoil)
    for nowcast, fails in zip(made, faulty, strict=True):
        whole = only([nowcast])
        best = next((rung for rung, fault in zip(RUNGS, fails, strict=False) if not fault), "persistence")
        assert whole.rung == best
        assert whole.reason.count("broken") == sum(fails[: RUNGS.index(best)]) + (best in RUNGS[2:])
    kept = records(open_forecasts(here.location.child("forecasts")))
    assert [kept[144 + k].rung for k in range(1, 9)] == [nowcast.rung for nowcast in made]


def test_a_deadline_that_is_over_leaves_the_rest_to_what_is_simple(here: Home) -> None:
    """The clock is 40 s later each time it is looked at; half of a cadence of 5 min is 150 s."""
    at = here.desk()
    here.play(at, range(2))
    ticks = iter(range(0, 100_000, 40))
    at.clock = lambda: float(next(ticks))
    nowcast = only(here.play(at, range(2, 3)))
    assert (nowcast.rung, nowcast.model) == ("advection", "advection")
    late = "not done after 150 s"
    assert nowcast.reason == f"champion {here.two}: {late}; previous {here.one}: {late}; previous {SHIPPED}: {late}"


def test_a_model_that_is_worse_than_advection_rests_until_the_verdict_changes(here: Home) -> None:
    at = here.desk()
    at.verdict = lambda model_id: "skill below advection for 3 h" if model_id == here.two else ""
    nowcast = here.play(at, range(2))[-1]
    assert (nowcast.rung, nowcast.model) == ("previous", here.one)
    assert nowcast.reason == f"champion {here.two}: skill below advection for 3 h"
    at.verdict = lambda model_id: ""
    assert only(here.play(at, range(2, 3))).rung == "champion"


def test_a_refused_champion_is_fetched_again_only_after_a_while(here: Home, tmp_path: Path) -> None:
    """Its file is mended meanwhile."""
    at = here.desk()
    now = [0.0]
    at.roster.clock = lambda: now[0]
    path = Path(here.models.url) / "versions" / here.two / "model.safetensors"
    weights = path.read_bytes()
    path.write_bytes(weights[:-1])
    here.play(at, range(2))
    path.write_bytes(weights)
    for seconds, rung in ((599.0, "previous"), (600.0, "champion")):
        now[0] = seconds
        assert only(here.play(at, range(int(seconds) - 597, int(seconds) - 596))).rung == rung


def test_when_nothing_works_the_nowcast_is_withheld_with_all_reasons_and_tried_again(here: Home) -> None:
    at = here.desk()
    here.play(at, range(2))
    names = [here.two, here.one, SHIPPED, "advection", "persistence"]
    sit(at, names, RuntimeError("broken"))
    assert here.play(at, range(2, 3)) == []
    kept = open_forecasts(here.location.child("forecasts"))
    assert records(kept)[146].rung == "none"
    assert records(kept)[146].reason.count("broken") == 5
    for name in names:
        del at.roster.warm[name]
    nowcast = only(issue_due(at, NOW))
    assert (nowcast.init_time, nowcast.rung) == (SCANS[2].nominal_time, "champion")
    assert records(kept)[146] == (here.two, "champion", "")


def test_a_nowcast_withheld_is_not_made_up_for_once_there_is_a_newer_scan(here: Home) -> None:
    at = here.desk()
    here.play(at, range(2))
    sit(at, [here.two, here.one, SHIPPED, "advection", "persistence"], RuntimeError("broken"))
    here.play(at, range(2, 3))
    at.roster.warm.clear()
    assert [nowcast.init_time for nowcast in here.play(at, range(3, 4))] == [SCANS[3].nominal_time]


def test_advection_is_kept_beside_every_nowcast_and_shares_the_champions_motion(here: Home) -> None:
    """Its numbers are those of an advection that has looked for itself."""
    at = here.desk()
    here.play(at, range(4))
    kept = open_forecasts(here.location.child("advection"))
    assert list(records(kept)) == [145, 146, 147]
    assert {record.rung for record in records(kept).values()} == {"advection"}
    assert kept.thresholds == ()
    assert at.roster.warm["advection"].chains.keys() <= at.roster.warm[here.two].chains.keys()
    state = at.roster.warm[here.two].chains[140].state
    assert at.roster.warm["advection"].chains[140].state is state.track
    alone = here.desk()
    alone.stand_in = "no models"
    alone.location = here.location.child("other")
    other = here.location.child("other").child("archive")
    Path(other.url).parent.mkdir()
    Path(other.url).symlink_to(here.location.child("archive").url)
    for nowcast in issue_due(alone, NOW)[1:]:
        slot = here.archive.timeline.slot(nowcast.init_time)
        np.testing.assert_allclose(read_rain_rate(kept, slot), nowcast.rain_rate, atol=0.0051)


def test_an_advection_store_that_fails_stops_nothing(here: Home) -> None:
    """It was laid out for another grid."""
    create_forecasts(here.location.child("advection"), GRID, here.archive.timeline, 3)
    assert [nowcast.rung for nowcast in here.play(here.desk(), range(3))] == ["persistence", "champion", "champion"]


def test_a_scan_that_covers_next_to_nothing_gives_no_nowcast(here: Home) -> None:
    """One row is left of a round view, 1 %; of the next scan six, 7 %."""
    at = here.desk()
    here.play(at, range(2))
    for number, rows in ((2, 1), (3, 6)):
        blind = np.arange(64)[:, None].repeat(64, 1) >= rows
        append(here.archive, [SCANS[number].masked(blind)], bytes([number]) * 32, NOW)
        made = issue_due(at, NOW)
        assert len(made) == (number == 3)
    kept = records(open_forecasts(here.location.child("forecasts")))
    assert kept[146].rung == "none"
    assert kept[146].reason.startswith("the scan covers 0.9%")
    assert kept[146].reason.endswith("of what was covered in the last day, 5.0% are needed")


def nowcast_of(rung: str) -> Nowcast:
    fields = np.zeros((1, *SCANS[0].grid.shape), np.float32)
    return Nowcast(SCANS[0].nominal_time, (USUAL_LEAD,), fields, SCANS[0].grid, rung, (SCANS[0].scan_id,))


USUAL_LEAD = SCANS[1].nominal_time - SCANS[0].nominal_time


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["sound", "ValueError", "OSError", "RuntimeError"]), min_size=4, max_size=4))
def test_the_first_sound_step_is_taken_and_the_reasons_are_those_before_it(kinds: list[str]) -> None:
    errors = {"ValueError": ValueError, "OSError": OSError, "RuntimeError": RuntimeError}

    def made(rung: str, kind: str) -> Nowcast:
        if kind in errors:
            raise errors[kind](kind)
        return nowcast_of(rung)

    steps = [Step(rung, rung, lambda r=rung, k=kind: made(r, k)) for rung, kind in zip(RUNGS, kinds, strict=True)]
    nowcast, reason = descend(steps, ["known before"])
    sound = kinds.index("sound") if "sound" in kinds else 4
    assert reason == "; ".join(["known before", *(f"{r}: {k}" for r, k in zip(RUNGS, kinds[:sound], strict=False))])
    assert (nowcast is None) == (sound == 4)
    if nowcast is not None:
        assert (nowcast.rung, nowcast.reason, nowcast.model) == (RUNGS[sound], reason, RUNGS[sound])


def test_an_unexpected_error_is_not_passed_over() -> None:
    def broken() -> Nowcast:
        raise AssertionError("a bug")

    with pytest.raises(AssertionError):
        descend([Step("champion", "x", broken)])


def test_a_deadline_raises_only_after_it() -> None:
    now = [100.0]
    tick = deadline(lambda: now[0], 5.0)
    now[0] = 105.0
    tick()
    now[0] = 105.1
    with pytest.raises(TooLate, match="not done after 5 s"):
        tick()
