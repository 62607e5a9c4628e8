"""Challengers really trained, on synthetic storms: the better is promoted, the worse and the poisoned refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import file_id
from models_at_hand import registered
from storms import START, TINY, WINDOWS

from nowcast import champion, registry
from nowcast.core.scan import Scan
from nowcast.core.timeline import Timeline
from nowcast.core.types import USUAL, Sampling
from nowcast.retrain import Outcome, Retrained, Retraining, judged_window, retrain, serving
from nowcast.settings import Region, Settings
from nowcast.sources.synthetic import Storm
from nowcast.store.archive import append, create_archive, open_archive
from nowcast.training.job import train_on
from nowcast.training.loop import TrainConfig

NOW = START + timedelta(days=1)
SCANS = list(Storm(START, size=64, cells=3).scans(44))
FIRST = 144
"""The slot of the first scan."""

WELL = TrainConfig(TINY, WINDOWS, steps=20, batch=2, average=0.9)
BADLY = replace(WELL, steps=4, learning_rate=1e2)
REGION = Region(name="here", leads=3, thresholds=(0.1, 1.0))


def never(*_: object) -> None:
    pytest.fail("trained on a poisoned archive")


def home(folder: Path, scans: list[Scan]) -> Settings:
    """Settings whose store holds region `here` with these scans."""
    settings = Settings(store=str(folder / "store"), device="cpu")
    where, timeline = settings.location("here").child("archive"), Timeline(START.replace(hour=0), timedelta(minutes=5))
    archive = create_archive(where, scans[0].grid, timeline, "rain_rate", scans[0].zr)
    append(archive, scans, file_id(0), START)
    return settings


def run(settings: Settings, train: TrainConfig, go_on: bool = False) -> Retrained:
    return retrain(REGION, settings, Retraining(train, go_on=go_on), lambda *_: None, NOW)


def test_the_better_model_is_promoted_and_the_worse_refused(tmp_path: Path) -> None:
    """The first champion is one that training ruined; the well-trained one takes its place, and no ruined one its."""
    settings = home(tmp_path, SCANS)
    where, archive = settings.models("here"), open_archive(settings.location("here").child("archive"))
    train_on([archive], BADLY, [], "ruined", tmp_path / "ruined.safetensors", lambda *_: None)
    ruined = registry.register(where, tmp_path / "ruined.safetensors", START).model_id
    champion.promote(where, ruined, archive.sampling, "there was no other", START)

    better = run(settings, WELL)
    assert better.outcome is Outcome.PROMOTED
    named = registry.pointer(where)
    assert (named.champion, named.previous) == (better.model_id, ruined)
    means = better.verdict.figures["mean_csi"]
    assert means["challenger"] > max(means[name] for name in ("champion", "persistence", "advection"))

    worse = run(settings, replace(BADLY, steps=3))
    assert worse.outcome is Outcome.REFUSED
    assert any("does not exceed that of champion" in reason for reason in worse.verdict.reasons)
    assert registry.pointer(where) == named
    assert worse.model_id is not None
    assert registry.version(where, worse.model_id).verdict["promote"] is False

    again = run(settings, replace(WELL, steps=1, learning_rate=1e-9), go_on=True)
    assert again.outcome is Outcome.REFUSED
    assert again.verdict.figures["mean_csi"]["challenger"] == pytest.approx(means["challenger"], abs=1e-3)
    one, other = (champion.load(where, str(m.model_id), USUAL).model for m in (better, again))
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=0)

    told = [(one.what, one.model_id) for one in registry.happenings(where) if one.what in ("promoted", "refused")]
    assert sorted(told) == sorted(
        [("promoted", ruined), ("promoted", better.model_id), ("refused", worse.model_id), ("refused", again.model_id)]
    )


def uniform(scan: Scan, rain_rate: np.ndarray) -> Scan:
    return replace(scan, values=np.where(scan.coverage, rain_rate, np.nan).astype(np.float32))


POISONS: dict[str, Callable[[Scan], np.ndarray]] = {
    "stuck": lambda scan: SCANS[0].values,
    "another unit": lambda scan: np.where(scan.values > 0, scan.zr.reflectivity(scan.values), 0.0),
    "wild pixels": lambda scan: np.where(np.arange(scan.values.size).reshape(scan.values.shape) % 97, scan.values, 99),
    "no rain anywhere": lambda scan: np.zeros_like(scan.values),
}


@pytest.mark.parametrize("name", POISONS)
def test_a_poisoned_archive_refuses_the_challenger_before_it_is_trained(tmp_path: Path, name: str) -> None:
    """All but the first ten scans are poisoned, all for want of rain."""
    sound = 0 if name == "no rain anywhere" else 10
    scans = [*SCANS[:sound], *(uniform(scan, POISONS[name](scan)) for scan in SCANS[sound:])]
    settings = home(tmp_path, scans)
    made = retrain(REGION, settings, Retraining(WELL), never, NOW)
    assert (made.outcome, made.model_id) == (Outcome.REFUSED, None)
    assert any(name in reason for reason in made.verdict.reasons)
    (told,) = registry.happenings(settings.models("here"))
    assert (told.what, told.why) == ("refused", "; ".join(made.verdict.reasons))
    assert registry.pointer(settings.models("here")).champion is None


def test_a_loss_that_is_no_number_refuses_with_the_windows_it_came_from(tmp_path: Path) -> None:
    made = run(home(tmp_path, SCANS), replace(WELL, learning_rate=float("inf")))
    assert made.outcome is Outcome.REFUSED
    (reason,) = made.verdict.reasons
    assert "training diverged at step" in reason
    assert "frame" in reason


def test_too_little_is_said_and_is_no_error(tmp_path: Path) -> None:
    made = retrain(REGION, home(tmp_path, SCANS[:8]), Retraining(WELL), never, NOW)
    assert made.verdict.reasons[0].startswith("too little to learn from: no 6 scans on end before")


def test_what_is_judged_was_not_learned_from(tmp_path: Path) -> None:
    """44 scans: the last 11 are judged, 3 before them are neither learned nor judged; 3 leads fit within the run."""
    archive = open_archive(home(tmp_path, SCANS).location("here").child("archive"))
    window = judged_window(archive, timedelta(days=2), leads=3, shortest=6)
    assert window.learned == ((FIRST, FIRST + 29),)
    assert window.judged == ((FIRST + 33, FIRST + 43),)
    assert window.starts == tuple(range(FIRST + 36, FIRST + 41))
    assert judged_window(archive, timedelta(minutes=30), 3, 6).judged == ((FIRST + 38, FIRST + 43),)


def test_a_champion_that_cannot_be_loaded_gives_way_to_the_one_before(tmp_path: Path) -> None:
    settings = home(tmp_path, SCANS[:2])
    where, archive = settings.models("here"), open_archive(settings.location("here").child("archive"))
    fitting, strange = registered(where, tmp_path, 1), registered(where, tmp_path, 2, Sampling(5.0, 8.0))
    for model_id in (fitting, strange):
        registry.promote(where, model_id, "", NOW)
    assert serving(where, registry.pointer(where), archive).model_id == fitting
    registry.promote(where, registered(where, tmp_path, 3, Sampling(5.0, 8.0)), "", NOW)
    assert serving(where, registry.pointer(where), archive).name == "convlstm"
