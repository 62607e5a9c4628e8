"""Decoding in a child process that may die: of a crash, of too much memory or time. It costs the one file.

Children are started from nothing, never forked, so that threads and engines of the parent do not matter; they are warm
and used again, and a new one takes over after a death or after FILES_EACH files, so that no file is judged by what the
libraries leaked on others. What a child says is made into scans anew, which check themselves.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic

from nowcast.core.scan import Scan
from nowcast.sources import wire
from nowcast.sources.limits import MAX_SCANS, MIB, Limits
from nowcast.sources.payload import BadScan

USUAL = Limits()
FILES_EACH = 256
IDLE = max(2, os.cpu_count() or 1)
"""Children kept for the next file: one for each thread that can be busy with one."""
START_S = 60.0
BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); from nowcast.sources.child import main; main()"
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "MALLOC_MMAP_THRESHOLD_": str(32 * MIB),
    "MALLOC_TRIM_THRESHOLD_": str(128 * MIB),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HDF5_PLUGIN_PRELOAD": "::",
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_SKIP": "VRT,DERIVED,GTI,HTTP,WMS,WMTS,WCS,STACTA,STACIT,DAAS,EEDA,EEDAI,PLMOSAIC,netCDF,HDF5,Zarr,PDF",
    "PROJ_NETWORK": "OFF",
}
"""All that a child sees: no secret, no plug-in, one thread, and no driver that follows names in a file. Memory that one
file used is kept for the next, which halves the time of small files."""


class DecoderUnavailable(OSError):
    """No child can be started here; no file is to blame."""


class _Lost(Exception):
    """A child that cannot go on; `again` when another one may fare better with the same file."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclass
class Decoder:
    """A child and the socket to it."""

    limits: Limits
    child: subprocess.Popen[bytes]
    channel: socket.socket
    files: int = field(default=0, init=False)
    in_step: bool = field(default=True, init=False)

    def scans(self, path: Path) -> list[Scan]:
        """All scans of a file. BadScan when it is bad, OSError when it cannot be read, _Lost when the child is."""
        self.in_step, self.files, deadline = False, self.files + 1, monotonic() + self.limits.wall_s
        try:
            scans, end = self._answer(path, deadline)
            error = _error(path, end, scans)
        except TimeoutError:
            raise _Lost(f"decoding took more than {self.limits.wall_s:g} s") from None
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as nonsense:
            raise _Lost(f"decoder sent what is no scan: {nonsense}") from nonsense
        self.in_step = True
        if error:
            raise error
        return scans

    def _answer(self, path: Path, deadline: float) -> tuple[list[Scan], wire.Message]:
        """The scans, and the message after the last."""
        scans: list[Scan] = []
        room = self.limits.output
        if not self._order(path):
            raise self._death()
        while (message := wire.receive(self.channel, deadline)) is not None:
            if "scan" not in message:
                return scans, message
            grid = wire.grid_of(message["scan"])
            room -= 4 * grid.height * grid.width
            if room < 0 or len(scans) == MAX_SCANS:
                raise _Lost(f"decodes to more than {self.limits.output / MIB:g} MiB or {MAX_SCANS} scans")
            scan = wire.receive_scan(self.channel, message["scan"], grid, deadline)
            if scan is None:
                break
            scans.append(scan)
        raise self._death()

    def _order(self, path: Path) -> bool:
        """Ask for a file; False when nobody listens."""
        self.channel.settimeout(self.limits.wall_s)
        try:
            wire.send(self.channel, {"path": str(path.absolute())})
        except ConnectionError:
            return False
        return True

    def _death(self) -> _Lost:
        """What the child died of."""
        try:
            status = self.child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return _Lost("decoder hung up")
        if status == -signal.SIGXCPU:
            return _Lost(f"decoding took more than {self.limits.cpu_s} s of CPU time")
        how = f"died of signal {-status}" if status < 0 else f"ended with status {status}"
        return _Lost(f"decoder {how}", again=True)

    def close(self) -> None:
        """End the child."""
        self.channel.close()
        self.child.kill()
        self.child.wait()


def _error(path: Path, end: wire.Message, scans: list[Scan]) -> BadScan | OSError | None:
    """What the child met, by its last message."""
    if "refused" in end:
        return BadScan(path.name, str(end["refused"]))
    if "unreadable" in end:
        number, text = end["unreadable"]
        return OSError(int(number), str(text), str(path))
    return None if scans else BadScan(path.name, "file holds no scan")


_Key = tuple[Limits, tuple[str, ...]]
_idle: dict[_Key, list[Decoder]] = {}
_lock = threading.Lock()


def decode(path: Path, limits: Limits = USUAL, modules: tuple[str, ...] = ()) -> list[Scan]:
    """All scans of a file in time order, decoded by a child within limits. `modules` are imported there first, and may
    add formats.

    Raises BadScan, naming the file and the reason, when the file is bad or its decoding died or cost too much; a child
    that died is given a second chance, since others end processes too. OSError when the file cannot be read now, or no
    child can be started.
    """
    try:
        return _once(path, limits, modules)
    except _Lost as lost:
        if not lost.again:
            raise BadScan(path.name, str(lost)) from None
    try:
        return _once(path, limits, modules)
    except _Lost as lost:
        raise BadScan(path.name, str(lost)) from None


def _once(path: Path, limits: Limits, modules: tuple[str, ...]) -> list[Scan]:
    decoder = _take(limits, modules)
    try:
        return decoder.scans(path)
    finally:
        _give_back(decoder, (limits, modules))


def _take(limits: Limits, modules: tuple[str, ...]) -> Decoder:
    """A child that lives, an idle one or a new one."""
    with _lock:
        waiting = _idle.get((limits, modules), [])
        decoder = waiting.pop() if waiting else None
    if decoder is None:
        return start(limits, modules)
    if decoder.child.poll() is None:
        return decoder
    decoder.close()
    return _take(limits, modules)


def _give_back(decoder: Decoder, key: _Key) -> None:
    """Keep a child for the next file if it may go on."""
    with _lock:
        waiting = _idle.setdefault(key, [])
        keep = decoder.in_step and decoder.files < FILES_EACH and len(waiting) < IDLE
        if keep:
            waiting.append(decoder)
    if not keep:
        decoder.close()


def start(limits: Limits, modules: tuple[str, ...] = ()) -> Decoder:
    """A new child, ready to decode; DecoderUnavailable with what it said when there is none."""
    ours, theirs = socket.socketpair()
    search = json.dumps([os.path.abspath(entry) for entry in sys.path])
    spoken = [str(theirs.fileno()), json.dumps(asdict(limits)), json.dumps(modules), search]
    with tempfile.TemporaryFile() as complaint:
        with closing(theirs):
            child = subprocess.Popen(
                [sys.executable, "-I", "-c", BOOT, *spoken],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaint,
                env=ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        decoder = Decoder(limits, child, ours)
        if not _is_ready(decoder):
            decoder.close()
            complaint.seek(0)
            said = complaint.read().decode(errors="replace").strip().splitlines()
            raise DecoderUnavailable(f"no decoder can be started: {said[-1] if said else child.returncode}")
    return decoder


def _is_ready(decoder: Decoder) -> bool:
    try:
        return wire.receive(decoder.channel, monotonic() + START_S) == {"ready": True}
    except (TimeoutError, ValueError):
        return False


def _forget() -> None:
    """Let go of children that belong to the process this one was forked from."""
    global _lock
    _lock = threading.Lock()
    for waiting in _idle.values():
        for decoder in waiting:
            decoder.channel.close()
    _idle.clear()


def close_all() -> None:
    """End every idle child."""
    with _lock:
        waiting = [decoder for group in _idle.values() for decoder in group]
        _idle.clear()
    for decoder in waiting:
        decoder.close()


os.register_at_fork(after_in_child=_forget)
atexit.register(close_all)
