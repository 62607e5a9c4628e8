"""What comes first when much comes at once; a feed that is out of reach, a file that cannot be read."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nowcast.sources.feeds import Directory, Feed, Replay
from nowcast.sources.inflow import AGAIN_S, AT_ONCE, Inflow, is_backlog

FILES = [Path(f"{number:03d}.h5") for number in range(100)]


@dataclass
class Fake:
    """Gives what a list says, then nothing; an error is raised."""

    given: list[list[Path] | OSError]
    exhausted: bool = field(default=False)

    def poll(self) -> list[Path]:
        now = self.given.pop(0) if self.given else []
        if isinstance(now, OSError):
            raise now
        return now


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def numbers(paths: list[Path]) -> list[int]:
    return [int(path.stem) for path in paths]


def test_is_a_feed_that_passes_few_files_on_as_they_come() -> None:
    inflow = Inflow(Replay(FILES[:3]))
    assert isinstance(inflow, Feed)
    assert [inflow.poll() for _ in range(3)] == [[path] for path in FILES[:3]]
    assert inflow.exhausted
    assert Inflow(Fake([FILES[:AT_ONCE]])).poll() == FILES[:AT_ONCE]


def test_of_a_backlog_the_newest_come_first_then_the_rest_from_the_newest_back() -> None:
    """72 files: the oldest, which begins a new archive, with the twelve newest; then 59 .. 48, 47 .. 36, ..., 1."""
    inflow = Inflow(Fake([FILES[:72]]))
    first = inflow.poll()
    assert numbers(first) == [0, *range(60, 72)]
    assert is_backlog(first)
    rest = [inflow.poll() for _ in range(5)]
    assert not any(is_backlog(paths) for paths in rest)
    assert numbers(rest[0]) == list(range(59, 47, -1))
    assert numbers(sum(rest, [])) == list(range(59, 0, -1))
    assert inflow.poll() == []


def test_a_newer_file_overtakes_the_backlog() -> None:
    inflow = Inflow(Fake([FILES[:72], [FILES[72]], [], [FILES[73]]]))
    assert numbers(inflow.poll())[-1] == 71
    assert numbers(inflow.poll()) == [72]
    assert numbers(inflow.poll())[0] == 59
    assert numbers(inflow.poll()) == [73]
    assert numbers(inflow.poll())[0] == 47


def test_a_second_backlog_is_newer_than_the_first() -> None:
    inflow = Inflow(Fake([FILES[:40], FILES[40:80]]))
    inflow.poll()
    assert numbers(inflow.poll()) == [40, *range(68, 80)]
    assert numbers(inflow.poll()) == list(range(67, 55, -1))


def test_is_exhausted_only_when_nothing_waits() -> None:
    fake = Fake([FILES[:20]])
    inflow = Inflow(fake)
    inflow.poll()
    fake.exhausted = True
    assert not inflow.exhausted
    assert len(inflow.poll()) == 7
    assert inflow.exhausted


@pytest.mark.parametrize("error", [PermissionError("403"), ConnectionError("reset"), TimeoutError("slow")])
def test_a_feed_out_of_reach_has_nothing_new_and_comes_back(error: OSError) -> None:
    inflow = Inflow(Fake([error, error, [FILES[0]]]))
    assert (inflow.poll(), inflow.is_out) == ([], True)
    assert (inflow.poll(), inflow.is_out) == ([], True)
    assert (inflow.poll(), inflow.is_out) == ([FILES[0]], False)


def test_a_folder_that_is_gone_for_a_while_is_out_of_reach(tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    folder.mkdir()
    (folder / "202606011200.h5").touch()
    inflow = Inflow(Directory(folder, settle_s=0.0))
    assert len(inflow.poll()) == 1
    folder.rename(tmp_path / "unmounted")
    assert (inflow.poll(), inflow.is_out) == ([], True)
    (tmp_path / "unmounted").rename(folder)
    (folder / "202606011205.h5").touch()
    assert [path.name for path in inflow.poll()] == ["202606011205.h5"]


def test_a_file_that_could_not_be_read_comes_again_after_a_while() -> None:
    clock = Clock()
    inflow = Inflow(Fake([[FILES[0]]]), clock)
    inflow.put_back(inflow.poll()[0])
    assert inflow.poll() == []
    clock.now = AGAIN_S
    assert inflow.poll() == [FILES[0]]
    assert inflow.poll() == []
