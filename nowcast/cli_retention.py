"""`nowcast retention`: old scans, nowcasts and commits of a region go."""

from datetime import UTC, datetime

from nowcast.cli_options import Json, RegionName, Store, settings_for, show, usage


def retention(region: RegionName, store: Store = None, as_json: Json = False) -> None:
    """Forget what is older than `keep` and `keep_history` in the region's YAML say, and give its space back."""
    from nowcast.retain import retain

    with usage():
        known, settings = settings_for(region, store)
        made = retain(known, settings, datetime.now(UTC))
    show([one._asdict() for one in made], as_json)
