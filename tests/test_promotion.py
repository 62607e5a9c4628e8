"""A desk follows its region's registry: no scan missed, no nowcast by two models, and a shadow that disturbs nobody."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import ray
from fakes import GRID
from models_at_hand import registered
from promoted import FIRST, NOW, START, Home
from structlog.testing import capture_logs

from nowcast import champion, registry
from nowcast.core.scan import Nowcast
from nowcast.core.types import Sampling
from nowcast.forecast import forecast_from
from nowcast.issue import issue_due
from nowcast.models.convlstm import ConvLSTM
from nowcast.models.rollout import Rolling
from nowcast.replay import verification
from nowcast.serving.actor import region_actor, stop
from nowcast.serving.cluster import connect, disconnect
from nowcast.settings import Region
from nowcast.store import objects
from nowcast.store.forecasts import create_forecasts, issued, open_forecasts, read_rain_rate


@pytest.fixture
def here(tmp_path: Path) -> Home:
    return Home(tmp_path)


def alone(here: Home, model_id: str) -> ConvLSTM:
    """A registered model that has seen nothing yet."""
    return champion.nowcaster(here.models, model_id, here.archive.sampling, "cpu")


def numbers(made: list[Nowcast]) -> list[int]:
    """Which of the SCANS nowcasts start from."""
    return [(nowcast.init_time - START) // timedelta(minutes=5) for nowcast in made]


def test_a_promotion_is_picked_up_at_once_and_no_scan_is_missed(here: Home) -> None:
    """Model two is promoted after scan 5 came and before its nowcast; the roll-back comes before that of scan 8."""

    def promote(number: int) -> None:
        if number == 5:
            registry.promote(here.models, here.two, "better", NOW)
        if number == 8:
            registry.rollback(here.models, "worse", NOW)

    at = here.desk()
    made = here.play(at, range(9), promote)
    assert numbers(made) == list(range(9))
    assert [nowcast.model for nowcast in made] == ["persistence"] + [here.one] * 4 + [here.two] * 3 + [here.one]
    kept = open_forecasts(here.location.child("forecasts"))
    assert list(issued(kept).values()) == [nowcast.model for nowcast in made]


def test_after_a_promotion_the_forecast_is_that_of_the_new_model_alone(here: Home) -> None:
    """And differs from what the old one would have said."""
    at = here.desk()
    old = here.play(at, range(5))[-1]
    registry.promote(here.models, here.two, "better", NOW)
    (new,) = here.play(at, range(5, 6))
    for model_id, nowcast, slot in ((here.two, new, FIRST + 5), (here.one, old, FIRST + 4)):
        fields = forecast_from(here.archive, Rolling(alone(here, model_id)), slot, 3)
        seen = np.where(nowcast.radar_coverage, fields, np.nan)
        np.testing.assert_array_equal(nowcast.rain_rate, seen)
    other = forecast_from(here.archive, Rolling(alone(here, here.one)), FIRST + 5, 3)
    assert not np.array_equal(new.rain_rate, other, equal_nan=True)


def test_scans_that_waited_are_each_issued_by_the_champion_of_the_moment(here: Home) -> None:
    for number in range(5):
        here.take(number)
    registry.promote(here.models, here.two, "better", NOW)
    made = issue_due(here.desk(), NOW)
    assert numbers(made) == [0, 1, 2, 3, 4]
    assert {nowcast.model for nowcast in made[1:]} == {here.two}


def damage(here: Home, name: str) -> None:
    """Cut a file of model two short."""
    path = f"versions/{here.two}/{name}"
    held = objects.read(here.models, path)
    assert held is not None
    objects.write(here.models, path, held[:-1])


def strange(here: Home, folder: Path) -> str:
    return registered(here.models, folder, 3, Sampling(5.0, 8.0))


@pytest.mark.parametrize("fault", ["hash", "gone", "other spacing", "pointer"])
def test_a_champion_that_is_refused_leaves_the_old_one_at_work_and_is_logged_once(
    here: Home, tmp_path: Path, fault: str
) -> None:
    at = here.desk()
    here.play(at, range(3))
    bad = strange(here, tmp_path) if fault == "other spacing" else here.two
    registry.promote(here.models, bad, "", NOW)
    if fault == "hash":
        damage(here, "model.safetensors")
    if fault == "gone":
        (Path(here.models.url) / "versions" / bad / "model.safetensors").unlink()
    if fault == "pointer":
        objects.write(here.models, "pointer.json", b"{")
    with capture_logs() as logs:
        made = here.play(at, range(3, 6))
    assert [nowcast.model for nowcast in made] == [here.one] * 3
    (error,) = [line for line in logs if line["log_level"] == "error"]
    assert (bad if fault != "pointer" else "pointer.json") in error["reason"]


def test_a_desk_that_starts_beside_a_refused_champion_takes_the_one_before(here: Home) -> None:
    registry.promote(here.models, here.two, "", NOW)
    damage(here, "model.json")
    made = here.play(here.desk(), range(3))[1:]
    assert [nowcast.model for nowcast in made] == [here.one] * 2
    assert {nowcast.rung for nowcast in made} == {"previous"}
    assert all(nowcast.reason.startswith(f"champion {here.two}: ") for nowcast in made)


def test_a_region_with_a_model_of_its_own_does_not_follow_the_registry(here: Home) -> None:
    here.region = Region(name="here", cadence=5, leads=3, thresholds=(1.0,), model="persistence")
    assert {nowcast.model for nowcast in here.play(here.desk(), range(3))} == {"persistence"}


def test_a_shadow_issues_beside_the_champion_and_is_verified_on_the_same_pixels(here: Home) -> None:
    """Named before the nowcast of scan 3, ended before that of scan 6."""

    def name(number: int) -> None:
        if number in (3, 6):
            registry.set_shadow(here.models, here.two if number == 3 else None, "", NOW)

    made = here.play(here.desk(), range(9), name)
    assert {nowcast.model for nowcast in made[1:]} == {here.one}
    assert numbers(made) == list(range(9))
    kept = open_forecasts(here.location.child("shadow"))
    assert issued(kept) == {FIRST + number: here.two for number in (3, 4, 5)}
    fields = forecast_from(here.archive, Rolling(alone(here, here.two)), FIRST + 4, 3)
    fields[:, made[4].radar_coverage == 0] = np.nan
    np.testing.assert_allclose(read_rain_rate(kept, FIRST + 4), fields, atol=0.0051)
    scores = verification(here.region, here.settings)
    assert set(scores["csi"]) == {"served", "persistence", "advection"}
    beside = scores["shadow"]
    assert (beside["model"], beside["issues"]) == (here.two, 3)
    assert set(beside["csi"]) == {"served", "persistence", "advection", "shadow"}
    assert beside["pixels"]["shadow"] == beside["pixels"]["served"]
    assert beside["pixels"]["served"]["5"] < scores["pixels"]["served"]["5"]


def test_a_shadow_that_fails_stops_nothing_and_is_logged_once(here: Home) -> None:
    """Its store was laid out for another grid."""
    registry.set_shadow(here.models, here.two, "", NOW)
    create_forecasts(here.location.child("shadow"), GRID, here.archive.timeline, 3, (1.0,))
    with capture_logs() as logs:
        made = here.play(here.desk(), range(4))
    assert [nowcast.model for nowcast in made[1:]] == [here.one] * 3
    (error,) = [line for line in logs if line["log_level"] == "error"]
    assert error["event"] == "shadow failed"


def test_a_running_actor_picks_a_promotion_up(here: Home) -> None:
    connect(here.settings)
    try:
        actor = region_actor(here.region, here.settings)
        made = []
        for number in range(6):
            here.take(number)
            if number == 3:
                registry.promote(here.models, here.two, "better", NOW)
            made += ray.get(actor.issue.remote(here.region))
        status = ray.get(actor.status.remote(here.region))
    finally:
        stop(here.region)
        disconnect()
    assert made == [f"2026-06-01T12:{5 * number:02d}:00Z" for number in range(6)]
    kept = issued(open_forecasts(here.location.child("forecasts")))
    assert list(kept.values()) == ["persistence"] + [here.one] * 2 + [here.two] * 3
    assert status["model"] == here.two
