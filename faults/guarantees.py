"""The table of faults, rules and figures in docs/guarantees.md, written from the report alone."""

from pathlib import Path
from typing import Any

PAGE = Path("docs/guarantees.md")
BEGIN, END = "<!-- faults: begin, written by `make faults` -->", "<!-- faults: end -->"


def write(found: dict[str, Any], page: Path = PAGE) -> None:
    """Put the table between its marks; ValueError when the page lacks them."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {BEGIN} or {END}")
    page.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}")


def table(found: dict[str, Any]) -> str:
    """Markdown: a row per kind, then what the clean replay and the outage gave."""
    rows = ["| fault | rule | injected | detected | wrong publications |", "|---|---|---|---|---|"]
    rows += [
        f"| {row['kind']} | {row['rule']} | {row['injected']} | {row['detected']} | "
        f"{row['wrong_publications']} (at most {row['wrong_publications_at_most']:.1%}) |"
        for row in found["kinds"]
    ]
    totals, clean, back = found["totals"], found["clean"], found["outage"]
    rows.append(
        f"| all {totals['kinds']} kinds | | {totals['injected']} | {totals['detected']} | "
        f"{totals['wrong_publications']} (at most {totals['wrong_publications_at_most']:.2%}) |"
    )
    return "\n".join([*rows, "", *_sentences(clean, back, found)])


def _sentences(clean: dict[str, Any], back: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [
        f"Without any fault {clean['false_alarms']} of {clean['scans']} real scans of {clean['events']} events were "
        f"refused or called stuck (at most {clean['false_alarm_rate_at_most']:.2%}); on {clean['masked_scans']} some pixels "
        f"were masked, {clean['lonely_pixels_masked']} of them lonely. In brackets: upper limits, 95 %.",
        "",
        f"Back after 6 h with {back['files']} files of five minutes on Finland's whole grid: a current forecast by the "
        f"shipped model after {back['seconds_to_current_forecast']:g} s, the archive whole after "
        f"{back['seconds_to_whole_archive']:g} s with {back['gaps']} gaps, scans that came meanwhile forecast from "
        f"within {back['seconds_from_newer_scan_to_its_forecast']:g} s ({found['machine']}, shared with other work).",
    ]
