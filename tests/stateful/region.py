"""A real region that histories act on: its stores on disk, its desk, and crashes at any of its writes."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import NOW
from stateful.files import TINY, Radar
from stateful.model import Issued, Model, Withheld, differences, same_rain

from nowcast import champion, issue, registry
from nowcast.core.scan import Nowcast
from nowcast.desk import desk
from nowcast.ingest import ingest, intake
from nowcast.models.baselines import Persistence
from nowcast.settings import Region, Settings
from nowcast.store import objects, quarantine, repository
from nowcast.store.archive import Archive, open_archive
from nowcast.store.forecasts import Forecasts, open_forecasts
from nowcast.store.repository import Location, array
from nowcast.store.template import STATUS_EMPTY, STATUS_ISSUED, STATUS_MISSING, STATUS_OBSERVED, STATUS_WITHHELD

LEADS = 2


class Crash(BaseException):
    """The process ends here: nothing catches this."""


class Learned(Persistence):
    """What the registry's models forecast: that nothing changes."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id


class Fuse:
    """Ends the process at its n-th write, just before or just after it takes effect; never, unless it is lit."""

    def __init__(self) -> None:
        self.left, self.moment = -1, ""

    def light(self, left: int, moment: str) -> None:
        self.left, self.moment = left, moment

    @contextmanager
    def around(self) -> Iterator[None]:
        """A write."""
        self.left -= 1
        if (self.left, self.moment) == (-1, "before"):
            raise Crash
        yield
        if (self.left, self.moment) == (-1, "after"):
            raise Crash

    def guarded(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """A function that writes."""

        def at_risk(*args: Any, **kwargs: Any) -> Any:
            with self.around():
                return write(*args, **kwargs)

        return at_risk

    @contextmanager
    def transaction(self, *args: Any) -> Iterator[Any]:
        """A store's transaction: it commits when it is left."""
        with self.around(), REAL(*args) as group:
            yield group
            if (self.left, self.moment) == (0, "within"):
                raise Crash


REAL = repository.transaction


@cache
def weights(number: int) -> Path:
    """The files of a model that was never trained, for the registry, which does not look into them."""
    folder = Path(tempfile.mkdtemp(prefix="nowcast-weights-"))
    path = folder / "model.safetensors"
    path.write_bytes(bytes([number]) * 100)
    path.with_suffix(".json").write_text(json.dumps({"name": "m", "sha256": sha256(path.read_bytes()).hexdigest()}))
    return path


def model_id(number: int) -> str:
    """What the registry calls it."""
    return f"m-{sha256(weights(number).read_bytes()).hexdigest()[:8]}"


class Home:
    """A region on disk. Nothing but the disk survives `restart`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nowcast-history-"))
        self.region = Region(name="here", cadence=5, leads=LEADS, thresholds=(), quantiles=(), bench_after=None)
        self.settings = Settings(store=str(self.folder / "store"), device="cpu")
        self.location, self.models = self.settings.location("here"), self.settings.models("here")
        self.fuse, self.seen = Fuse(), dict[str, tuple[str, Any]]()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(repository, "transaction", self.fuse.transaction)
        self.patch.setattr(objects, "write", self.fuse.guarded(objects.write))
        self.patch.setattr(quarantine, "_write", self.fuse.guarded(quarantine._write))
        self.patch.setattr(champion, "nowcaster", lambda where, name, *_: Learned(name or "shipped"))
        self.patch.setattr(issue, "_beside", lambda *_: None)
        self.restart()

    def close(self) -> None:
        """Leave nothing behind."""
        self.patch.undo()
        shutil.rmtree(self.folder)

    def restart(self) -> None:
        """A new process: all that was in memory is gone."""
        self.fuse.light(-1, "")
        self.intake, self.desk = intake(self.region, self.settings), desk(self.region, self.settings)

    def take(self, one: Radar) -> str:
        """What ingest says of a file."""
        return ingest(self.intake, one.path, NOW).outcome.value

    def issue(self) -> list[Nowcast]:
        """The nowcasts that were due."""
        return issue.issue_due(self.desk, NOW)

    def faults(self, model: Model) -> list[str]:
        """How the stores differ from a model; nothing when they are as it says."""
        return [fault for fault in (self._archive(model), self._forecasts(model), self._rest(model)) if fault]

    def _archive(self, model: Model) -> str:
        held: dict[int, Any] = self._looked_at("archive", _scans) or {}
        wanted = {slot: one.scan_id for slot, one in model.slots.items()}
        if fault := differences(wanted, {slot: one[0] for slot, one in held.items()}):
            return f"archive: {fault}"
        for slot, one in model.slots.items():
            _, file_id, status, rain_rate, coverage = held[slot]
            assert one.rain_rate is not None
            is_empty = not np.isfinite(one.rain_rate).any()
            if file_id != one.file_id or status != (STATUS_EMPTY if is_empty else STATUS_OBSERVED):
                return f"archive: slot {slot} has status {status} of file {file_id.hex()[:8]}"
            if not np.array_equal(rain_rate, one.rain_rate, equal_nan=True):
                return f"archive: slot {slot} holds other rain"
            if not np.array_equal(coverage, np.isfinite(one.rain_rate)):
                return f"archive: slot {slot} holds other coverage"
        return ""

    def _forecasts(self, model: Model) -> str:
        held: dict[int, Any] = self._looked_at("forecasts", _nowcasts) or {}
        if fault := differences(dict(model.nowcasts), {slot: one for slot, (one, _) in held.items()}):
            return f"forecasts: {fault}"
        came = {one.scan_id: slot for slot, one in model.slots.items()}
        for slot, (one, rain_rate) in held.items():
            if not isinstance(one, Issued):
                continue
            if later := [came[scan] for scan in one.inputs if came[scan] > slot]:
                return f"forecasts: slot {slot} uses the later scans {later}"
            wanted = model.nowcasts[slot]
            assert isinstance(wanted, Issued)
            if not all(same_rain(field, wanted.rain_rate) for field in rain_rate):
                return f"forecasts: slot {slot} holds other rain"
        return ""

    def _rest(self, model: Model) -> str:
        named = registry.pointer(self.models)
        versions = {one.model_id for one in registry.versions(self.models)}
        refused = {bytes.fromhex(one.file_id) for one in quarantine.refusals(self.intake.quarantine)}
        pairs = (
            ((model.champion, model.previous), (named.champion, named.previous)),
            (set(model.versions), versions),
            (set(model.refused), refused),
        )
        return "; ".join(f"wanted {wanted}, found {found}" for wanted, found in pairs if wanted != found)

    def _looked_at(self, name: str, read: Callable[[Location], Any]) -> Any:
        """What a store holds, read once per commit; None when there is no store."""
        where = self.location.child(name)
        if not repository.exists(where):
            return None
        newest = repository.snapshot_id(repository.open_existing(where))
        if self.seen.get(name, ("", None))[0] != newest:
            self.seen[name] = newest, read(where)
        return self.seen[name][1]


def _scans(where: Location) -> dict[int, Any]:
    """Scan id, file id, status, rain rate and coverage by slot; slots without a scan must not be covered."""
    opened: Archive = open_archive(where)
    assert opened.grid.shape == TINY.shape
    group = repository.read(opened.repository)
    names = ("scan_id", "file_id", "status", "rain_rate", "coverage")
    ids, files, status, rain, coverage = (np.asarray(array(group, name)[:]) for name in names)
    assert not coverage[status == STATUS_MISSING].any()
    return {
        int(k): (ids[k].tobytes(), files[k].tobytes(), status[k], rain[k], coverage[k])
        for k in np.flatnonzero(status != STATUS_MISSING)
    }


def _nowcasts(where: Location) -> dict[int, Any]:
    """The nowcast or the withheld one of each slot, and the stored rain [mm h-1] (lead, y, x)."""
    opened: Forecasts = open_forecasts(where)
    group = repository.read(opened.repository)
    names = ("status", "model", "rung", "input_scan_id", "rain_rate")
    status, models, rungs, inputs, stored = (np.asarray(array(group, name)[:]) for name in names)
    held: dict[int, Any] = {}
    for k in map(int, np.flatnonzero(status)):
        rain = np.where(stored[k] == 65535, np.float32(np.nan), stored[k] * np.float32(0.01))
        assert rain.shape == (LEADS, *TINY.shape)
        if status[k] == STATUS_WITHHELD:
            held[k] = Withheld(), rain
            continue
        assert status[k] == STATUS_ISSUED
        used = tuple(row.tobytes() for row in inputs[k] if row.any())
        held[k] = Issued(str(models[k]), str(rungs[k]), used, rain[0]), rain
    return held
