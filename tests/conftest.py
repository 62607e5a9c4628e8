"""What holds for every test."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
import torch
from xdist.scheduler import LoadScopeScheduling

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


class ByFile(LoadScopeScheduling):
    """A file's tests stay together on one worker, and so do all tests of engines."""

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.split("::")[0].removeprefix("tests/")
        return "engines" if name.startswith(ENGINES) else name


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """What `pytest -n 2` asks for."""
    return ByFile(config, log)


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
