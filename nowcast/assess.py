"""Third use case: what was forecast against what came, beside what simpler methods would have said."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

from nowcast.core.nowcaster import Nowcaster
from nowcast.core.scan import Frames
from nowcast.core.types import FloatField
from nowcast.forecast import state_at
from nowcast.models.rollout import Rolling
from nowcast.store import repository
from nowcast.store.archive import Archive, read_frames, read_slots
from nowcast.store.forecasts import Forecasts, Record, as_kept, issued, lead_by_lead, open_forecasts, records
from nowcast.store.repository import Location
from nowcast.store.rows import ADVECTION, PERSISTENCE, SERVED
from nowcast.verify.scores import summary
from nowcast.verify.statistics import Assessment, compare_at, merged


@dataclass(frozen=True, eq=False)
class Contest:
    """A region's nowcasts beside those of simpler methods from the same scans, as the stores hold them at first use.

    Nowcasts from slots before `first` are left out. `kept` holds the nowcasts by advection that were published when the
    region's were; those not there are made anew from the archive by `advection`. With `shadow`, its nowcasts take part
    as a further method.
    """

    archive: Archive
    forecasts: Forecasts
    advection: Rolling[Any]
    kept: Forecasts | None = None
    shadow: Forecasts | None = None
    first: int = 0

    @cached_property
    def frame(self) -> Callable[[int], Frames]:
        """The frame of a slot; as many are remembered as nowcasts have leads."""
        return lru_cache(self.leads + 1)(lambda slot: read_frames(self.archive, slot, slot))

    @cached_property
    def records(self) -> dict[int, Record]:
        """Every slot with a nowcast that was published, or the reason why there is none, ascending."""
        return records(self.forecasts, self.first)

    @cached_property
    def models(self) -> dict[int, str]:
        """Every slot with a nowcast that was published, ascending, and the model that made it."""
        return {slot: record.model for slot, record in self.records.items() if record.is_issued}

    @property
    def leads(self) -> int:
        """How many leads a nowcast has."""
        return len(self.forecasts.lead_times)

    @cached_property
    def kept_slots(self) -> frozenset[int]:
        """Slots with a nowcast by advection that was published."""
        return frozenset(issued(self.kept, self.first)) if self.kept is not None else frozenset()


def contest(location: Location, archive: Archive, forecasts: Forecasts, advection: Nowcaster[Any]) -> Contest:
    """The contest of the region at a location; `advection` is asked only for what its store `advection` lacks."""
    where = location.child(ADVECTION)
    kept = open_forecasts(where) if repository.exists(where) else None
    return Contest(archive, forecasts, Rolling(advection), kept)


def assess(contest: Contest) -> Assessment:
    """Every issued nowcast against the scans that have come since; empty when nothing was issued.

    A pixel counts where it was observed and every method made a forecast. With a shadow, only nowcasts from slots of
    which its newest model made one too count.
    """
    slots: Iterable[int] = contest.models
    if contest.shadow is not None:
        shadowed = of_newest_model(contest.shadow)
        slots = [slot for slot in contest.models if slot in shadowed]
    observed = frozenset(read_slots(contest.archive).observed.tolist())
    totals: Assessment = {}
    for slot in slots:
        seen = [lead for lead in range(1, contest.leads + 1) if slot + lead in observed]
        for _, one in judged(contest, slot, seen):
            totals = merged(totals, one)
    return totals


def judged(contest: Contest, slot: int, leads: list[int]) -> Iterator[tuple[int, Assessment]]:
    """The nowcast from a slot at some of its leads, 1 being the first, against the scans of those times; ascending."""
    if not leads:
        return
    span = range(min(leads), max(leads) + 1)
    others = {ADVECTION: _advected(contest, slot, span)}
    if contest.shadow is not None:
        others["shadow"] = (rain for rain, _ in lead_by_lead(contest.shadow, slot, span))
    for lead, (served, chances) in zip(span, lead_by_lead(contest.forecasts, slot, span), strict=True):
        fields = {SERVED: served, PERSISTENCE: contest.frame(slot).rain_rate[0]}
        fields |= {name: next(each) for name, each in others.items()}
        if lead in leads:
            yield lead, _compared(contest, slot, lead, fields, chances)


def summarise(assessment: Assessment, forecasts: Forecasts) -> dict[str, Any]:
    """Scores as plain numbers: score -> method -> threshold [mm h-1] -> lead [min]; None where undefined."""
    return summary(assessment, [lead.total_seconds() / 60 for lead in forecasts.lead_times])


def of_newest_model(forecasts: Forecasts) -> dict[int, str]:
    """Slot -> model id of the nowcasts by the model that made the newest one."""
    done = issued(forecasts)
    return {slot: model_id for slot, model_id in done.items() if model_id == done[max(done)]}


def _advected(contest: Contest, slot: int, span: range) -> Iterator[FloatField]:
    """Rain rates [mm h-1] (y, x) by advection, the published ones where there are any."""
    if contest.kept is not None and slot in contest.kept_slots:
        return (rain for rain, _ in lead_by_lead(contest.kept, slot, span))
    state = state_at(contest.archive, contest.advection, slot)
    fields = contest.advection.nowcaster.forecast(state)
    return (as_kept(field) for field in islice(fields, span.start - 1, span.stop - 1))


def _compared(
    contest: Contest, slot: int, lead: int, fields: dict[str, FloatField], chances: FloatField | None
) -> Assessment:
    observed, thresholds = contest.frame(slot + lead), contest.forecasts.thresholds
    stated = None if chances is None else {SERVED: chances}
    rain, coverage = observed.rain_rate[0], observed.coverage[0]
    return compare_at(fields, rain, coverage, lead - 1, contest.leads, thresholds, chances=stated)
