"""Which scans wait for their nowcast."""

from nowcast.store.archive import Archive, newest_observed, read_slots
from nowcast.store.forecasts import Forecasts, newest_done


def due(archive: Archive, forecasts: Forecasts) -> list[int]:
    """Observed slots after the newest one that a nowcast was issued from or withheld, ascending.

    A scan that arrives late, for a slot before the newest nowcast, gets none: nobody would look at it. The newest scan
    of all is due again if its nowcast was withheld.
    """
    if (newest := newest_observed(archive)) is None:
        return []
    done = newest_done(forecasts, newest)
    return [int(slot) for slot in read_slots(archive, 0 if done is None else done + 1).observed]
