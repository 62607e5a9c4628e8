"""Files that pictures are written to: whole, or not at all."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.figure import Figure

STILL = (".png", ".pdf", ".svg")
MOVING = (".gif", ".mp4")


def require_writable(path: Path, suffixes: Sequence[str]) -> Path:
    """The path itself; ValueError when it ends in none of the suffixes, or cannot be a file in a folder that is there.

    To be asked before the work is done.
    """
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{path} must end in {' or '.join(suffixes)}")
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: {path if path.is_dir() else path.parent} is " + _what(path))
    return path


def put(path: Path, write: Callable[[Path], Any]) -> Path:
    """Let `write` write a file of the same name, and put it in its place once it is whole; OSError where that fails."""
    with TemporaryDirectory(prefix=".nowcast-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        write(made)
        made.replace(path)
    return path


def save(figure: Figure, path: Path, dpi: int = 150) -> Path:
    """A figure as a file of the kind that its suffix names."""
    return put(path, lambda made: figure.savefig(made, dpi=dpi))


def _what(path: Path) -> str:
    return "a folder" if path.is_dir() else "no folder"
