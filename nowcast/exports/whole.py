"""Files that appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nowcast.core.crashpoints import reached


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends, and is removed if that raises.

    FileNotFoundError, before anything is written, when the folder does not exist.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent} for {path.name}")
    fresh = path.with_name(f".{path.name}.part")
    try:
        yield fresh
        reached("export.rename.before")
        fresh.replace(path)
        reached("export.rename.after")
    finally:
        fresh.unlink(missing_ok=True)
