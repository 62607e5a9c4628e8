"""What decoding one file may cost, and how large what it declares may be."""

from dataclasses import dataclass, fields

MIB = 1 << 20

MAX_BYTES = 512 * MIB
"""Largest file, before and after unpacking, that is read at all. The largest real ones are a hundredth of it."""

MAX_RATIO, RATIO_FREE = 200, 64 * MIB
"""What unpacks to more than RATIO_FREE bytes may not be more than so many times its packed size: real fields that are
dry everywhere pack 1000 to 1, but are small."""

MAX_PIXELS = 64 * MIB
"""Pixels of a grid. The largest real one, FMI's at 250 m, has 36 million."""

MAX_SCANS = 4096
"""Scans in a file: MeteoNet's hold up to 11 days."""


@dataclass(frozen=True)
class Limits:
    """Of one file: seconds by the clock and of CPU time, bytes of address space and of decoded scans, open files.

    The defaults leave the largest real files four times what they need on an idle machine, and more of time.
    """

    wall_s: float = 60.0
    cpu_s: int = 20
    memory: int = 4096 * MIB
    output: int = 2048 * MIB
    open_files: int = 64

    def __post_init__(self) -> None:
        for one in fields(self):
            if getattr(self, one.name) <= 0:
                raise ValueError(f"{one.name} must be positive, not {getattr(self, one.name)}")


def require_pixels(*shape: int) -> None:
    """Raise ValueError for a shape that no radar grid has, before anything of that size is made."""
    count = 1
    for side in shape:
        count *= side
    if count > MAX_PIXELS or min(shape, default=1) < 0:
        raise ValueError(f"{' x '.join(map(str, shape))} pixels, at most {MAX_PIXELS} are read")
