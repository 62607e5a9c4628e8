"""What holds for every test."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog
import torch

torch.set_num_threads(1)
"""Fields as small as the tests' are slower with more, above all when other work runs beside."""

ENGINES = (
    "engines/",
    "flows/",
    "serving/test_shared_actor.py",
    "test_cli.py",
    "test_end_to_end.py",
    "test_promotion.py",
    "training/test_distributed.py",
)
"""Tests that start Ray or Prefect take turns: two starts at once on a small machine wait too long for each other."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """A file's tests stay together on one worker, and so do all tests of engines."""
    here = Path(__file__).parent
    for item in items:
        name = item.path.relative_to(here).as_posix()
        item.add_marker(pytest.mark.xdist_group("engines" if name.startswith(ENGINES) else name))


@pytest.fixture(autouse=True, scope="module")
def _log_of_the_module() -> Iterator[None]:
    yield from _log_restored()


@pytest.fixture(autouse=True)
def _log_of_the_test() -> Iterator[None]:
    yield from _log_restored()


def _log_restored() -> Iterator[None]:
    """What a test makes of the log ends with it; commands set it up for the whole process."""
    held = structlog.get_config()
    yield
    structlog.configure(**held)
