"""Short form of `make histories`, and faults that histories must find."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from stateful import run
from stateful.histories import Histories

from nowcast import ingest, issue, registry
from nowcast.store import archive
from nowcast.store.forecasts import records

FAILED: tuple[int, ...] = ()
"""Seeds of `make histories` that failed once."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is refused on purpose is not logged."""
    held = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**held)


def play(count: int, steps: int) -> None:
    """Histories that are the same in every run; the first that fails is raised as it is."""
    chosen = settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(1234)(Histories), settings=chosen)


def test_whatever_happens_a_region_holds_what_the_model_says() -> None:
    """30 histories; in one or the other everything happens that can."""
    Histories.counted.clear()
    play(30, 8)
    assert Histories.counted["histories"] >= 30
    everything = "stored late duplicate quarantined issue crash restart expire retrain promote roll_back"
    assert set(everything.split()) <= Histories.counted.keys()


def test_seeds_that_failed_once_fail_no_more() -> None:
    assert [reason for number in FAILED if (reason := run.played(number))] == []


def late_too(held: Any, forecasts: Any) -> list[int]:
    """Issues from late scans as well."""
    return [slot for slot in archive.read_slots(held).observed.tolist() if slot not in records(forecasts)]


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (issue, "due", late_too),
        (ingest, "is_refused", lambda folder, file_id: False),
        (registry, "promote", lambda *_: None),
        (issue, "inputs", lambda archive, rolling, slot: (b"\0" * 31 + b"\1",)),
    ],
    ids=["nowcasts from late scans", "refused files come again", "promotion is lost", "other inputs"],
)
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, fault: Any) -> None:
    monkeypatch.setattr(module, name, fault)
    with pytest.raises((AssertionError, KeyError, pytest.fail.Exception)):
        play(40, 10)


def test_the_bound_is_the_rule_of_three() -> None:
    assert run.bound(2000, 0) == pytest.approx(3 / 2000, rel=0.01)
    assert run.bound(2000, 1) is None
