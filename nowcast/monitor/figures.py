"""The figures there are: names, units and labels. docs/monitoring.md says what to make of them."""

from typing import NamedTuple


class Figure(NamedTuple):
    """A number under one of the names of GAUGES, and the values of its labels but `region`."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


class Gauge(NamedTuple):
    """What a number says, and its labels beside `region`."""

    says: str
    labels: tuple[str, ...] = ()


UP = "nowcast_region_up"

GAUGES = {
    UP: Gauge("1 when everything of the region could be read, 0 when something could not: the log says what"),
    "nowcast_cadence_seconds": Gauge("Time between scans"),
    "nowcast_scan_age_seconds": Gauge("Since the nominal time of the newest scan that shows anything"),
    "nowcast_slots": Gauge("Slots of the day up to the newest scan, by what they hold", ("status",)),
    "nowcast_nowcast_age_seconds": Gauge("Since the initial time of the newest nowcast"),
    "nowcast_stale_after_seconds": Gauge("Age at which a nowcast is not current any more"),
    "nowcast_queue_scans": Gauge("Scans that wait for their nowcast"),
    "nowcast_rung_step": Gauge(
        "Rung of the newest nowcast: 0 champion, 1 previous, 2 advection, 3 persistence, 4 withheld"
    ),
    "nowcast_best_rung_step": Gauge("Rung that the region's settings ask for, in the same numbers"),
    "nowcast_model_info": Gauge("1 for the served, the champion and the shadow model", ("role", "model")),
    "nowcast_csi": Gauge("Critical success index of the last hours", ("method", "threshold", "lead_minutes")),
    "nowcast_mean_csi": Gauge("The same, mean over leads and thresholds, where there was rain enough", ("method",)),
    "nowcast_scored_age_seconds": Gauge("Since the newest scan that nowcasts were held against"),
    "nowcast_refused_files": Gauge("Files in quarantine"),
    "nowcast_alerts_waiting": Gauge("Alerts in the outbox"),
    "nowcast_alerts_oldest_waiting_seconds": Gauge("Since the oldest of them was written"),
    "nowcast_alerts_given_up": Gauge("Alerts that receivers refused, or could not be given for a day; the newest 200"),
}
"""By region."""

COUNTERS = ("nowcast_nowcasts_total", "nowcast_withheld_total")
LATENCY = "nowcast_scan_to_nowcast_seconds"
DISK = ("nowcast_store_free_bytes", "nowcast_store_size_bytes")
BUILD = "nowcast_build_info"
"""Of the process, but for the counters and the histogram LATENCY, which count what came since it started."""

BUCKETS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
"""Seconds; received and published are known to the second."""
