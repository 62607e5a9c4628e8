"""Archived files into a region's archive: decoded in parallel by Dask, written in order by this process alone.

The archive becomes what `ingest` makes of the same files one by one, in fewer commits. What is in memory is bounded by
the files ahead and one batch. Doing it again, or after a kill at any point, goes on where it ended.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import distributed

from nowcast.ingest import (
    Found,
    Ingested,
    Intake,
    Outcome,
    archive_for,
    digest,
    look,
    place,
    store_errors,
    taken_before,
    told,
)
from nowcast.sources.limits import MIB
from nowcast.store import repository
from nowcast.store.archive import Archive, file_ids, open_archive, together
from nowcast.store.quarantine import is_refused, refuse

BATCH = 24
"""Files that one commit takes in."""

BATCH_BYTES = 512 * MIB
"""What the scans of a batch may take, but for its last file: large ones share a commit with fewer others."""

AHEAD = 2
"""Files decoded or waiting to be, per worker."""

SCHEDULERS = ("threads", "processes", "sync")
"""Beside the address of a Dask scheduler. Every file is decoded in a child process anyway, so that threads keep all
cores busy, and hand scans over without a copy."""

LOOPBACK = "127.0.0.1"
"""Dask's servers run what is sent to them: those of this machine are out of reach of others."""

Job = tuple[Path, bytes]
"""A file and its identity."""

Look = Callable[[Path, bytes], Found]
Engine = Callable[[Look, Iterable[Job]], Iterator[Found]]
"""Looks at files, in parallel or not, a bounded number ahead; gives what it found in their order."""

Progress = Callable[[Ingested], None]
"""Called with what became of each file, when that is committed."""


@contextmanager
def engine(scheduler: str, workers: int | None = None) -> Iterator[Engine]:
    """Dask's workers in this process (`threads`), on this machine (`processes`) or wherever the scheduler at an address
    has them; `sync` is none. `workers` counts those of this machine, one per core when absent.

    ValueError for another word, OSError when no scheduler answers.
    """
    if scheduler == "sync":
        yield _one_by_one
    elif "://" in scheduler:
        with _client(scheduler) as client:
            yield partial(_ahead, client)
    elif scheduler in SCHEDULERS:
        with _cluster(scheduler == "processes", workers or os.cpu_count() or 1) as cluster, _client(cluster) as client:
            yield partial(_ahead, client)
    else:
        raise ValueError(
            f"scheduler {scheduler!r} is none of {', '.join(SCHEDULERS)}, nor an address like tcp://host:8786"
        )


def _client(cluster: Any) -> Any:
    return distributed.Client(cluster)  # type: ignore[no-untyped-call]


def _cluster(apart: bool, workers: int) -> Any:
    """Workers on this machine that no other machine can reach, as processes or as threads of this one."""
    count, threads = (workers, 1) if apart else (1, workers)
    return distributed.LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=count,
        threads_per_worker=threads,
        processes=apart,
        memory_limit=None,
        host=LOOPBACK if apart else None,
        dashboard_address=f"{LOOPBACK}:0",
        worker_dashboard_address=f"{LOOPBACK}:0",
    )


def _one_by_one(examine: Look, jobs: Iterable[Job]) -> Iterator[Found]:
    return (examine(*job) for job in jobs)


def _ahead(client: Any, examine: Look, jobs: Iterable[Job]) -> Iterator[Found]:
    """A window of futures slides over the files; what was handed on is forgotten by the workers."""
    window, most = deque[Any](), AHEAD * max(1, sum(client.ncores().values()))
    for job in jobs:
        if len(window) == most:
            yield window.popleft().result()
        window.append(client.submit(examine, *job, pure=False))
    while window:
        yield window.popleft().result()


def backfill(
    where: Intake, paths: Iterable[Path], now: datetime, decode: Engine, progress: Progress, batch: int = BATCH
) -> None:
    """Take files in, in their order, one commit for so many.

    Those that were taken in or refused before are known by their bytes and not decoded. The committer's lock is held
    while a batch is written, not while it is decoded, so that live scans come in meanwhile. Raises OSError as `ingest`
    does; what was committed stays.
    """
    found = decode(partial(_look, where, now), _new(where, paths, progress))
    with store_errors(where):
        for files in _batches(found, batch):
            for result in _commit(where, files, now):
                progress(told(where, result))


def _look(where: Intake, now: datetime, path: Path, file_id: bytes) -> Found:
    """`look`, and what else a scan can be asked without the archive: its identity costs a pass over all its bytes."""
    found = look(where, path, file_id, now)
    for scan in found.scans:
        _ = scan.scan_id
    return found


def _new(where: Intake, paths: Iterable[Path], progress: Progress) -> Iterator[Job]:
    """The files that are not known yet, as they are asked for."""
    there = repository.exists(where.archive_location)
    archived = file_ids(open_archive(where.archive_location)) if there else set[bytes]()
    for path in paths:
        file_id = digest(path)
        if file_id in archived or is_refused(where.quarantine, file_id):
            progress(told(where, taken_before(path)))
        else:
            yield path, file_id


def _batches(found: Iterable[Found], most: int) -> Iterator[list[Found]]:
    """Files in groups of at most so many, of BATCH_BYTES or little more."""
    files, size = list[Found](), 0
    for one in found:
        files.append(one)
        size += sum(scan.values.nbytes + scan.coverage.nbytes for scan in one.scans)
        if len(files) >= most or size >= BATCH_BYTES:
            yield files
            files, size = [], 0
    if files:
        yield files


def _commit(where: Intake, files: Sequence[Found], now: datetime) -> list[Ingested]:
    """Write a batch, then refuse what is bad in it: a file is never known by a commit that did not come about."""
    sound = next((one for one in files if not one.refused), None)
    with _archive(where, sound, f"backfill of {len(files)} file(s) from {files[0].path.name}") as archive:
        seen = set[bytes]()
        results = [_placed(where, archive, one, seen, now) for one in files]
    for one, result in zip(files, results, strict=True):
        if result.outcome is Outcome.QUARANTINED:
            refuse(where.quarantine, one.path, one.file_id, result.reason, now)
    return results


def _archive(where: Intake, sound: Found | None, message: str) -> AbstractContextManager[Archive | None]:
    """The archive to write a batch to; none is needed, or laid out, without a sound file."""
    return nullcontext() if sound is None else together(archive_for(where, sound), message)


def _placed(where: Intake, archive: Archive | None, one: Found, seen: set[bytes], now: datetime) -> Ingested:
    """What becomes of a file of a batch, those `seen` before it. There is an archive if any file of it is sound."""
    if one.file_id in seen or is_refused(where.quarantine, one.file_id):
        return taken_before(one.path)
    seen.add(one.file_id)
    if archive is None or one.refused:
        return Ingested(one.path.name, Outcome.QUARANTINED, one.refused)
    return place(archive, one, now)
