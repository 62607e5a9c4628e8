"""Rules and dashboard: every figure they name is one that is told, and each rule fires when it should (promtool)."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nowcast.monitor.figures import BUILD, COUNTERS, DISK, GAUGES, LATENCY

ROOT = Path(__file__).resolve().parents[2]
RULES, DASHBOARD = ROOT / "infra/prometheus/rules.yml", ROOT / "infra/grafana/dashboards/nowcast.json"
KNOWN = {*GAUGES, *COUNTERS, *DISK, BUILD, f"{LATENCY}_bucket"}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")

WELL = {
    'up{job="nowcast", instance="api"}': "1",
    "nowcast_region_up": "1",
    "nowcast_cadence_seconds": "300",
    "nowcast_scan_age_seconds": "200",
    "nowcast_nowcast_age_seconds": "210",
    "nowcast_stale_after_seconds": "900",
    "nowcast_rung_step": "0",
    "nowcast_best_rung_step": "0",
    'nowcast_mean_csi{method="served"}': "0.5",
    'nowcast_mean_csi{method="persistence"}': "0.4",
    "nowcast_scored_age_seconds": "300",
    "nowcast_queue_scans": "0",
    "nowcast_refused_files": "2",
    'nowcast_slots{status="missing"}': "3",
    "nowcast_alerts_oldest_waiting_seconds": "0",
    "nowcast_alerts_given_up": "0",
    'nowcast_store_free_bytes{instance="api"}': "50e9",
    'nowcast_store_size_bytes{instance="api"}': "100e9",
    'nowcast_scan_to_nowcast_seconds_bucket{le="10"}': "0+10",
    'nowcast_scan_to_nowcast_seconds_bucket{le="300"}': "0+10",
    'nowcast_scan_to_nowcast_seconds_bucket{le="+Inf"}': "0+10",
}
"""A healthy region: series and values, the same each minute, or growing."""

ILL: dict[str, dict[str, str]] = {
    "NowcastExporterDown": {'up{job="nowcast", instance="api"}': "0"},
    "NowcastRegionUnreadable": {"nowcast_region_up": "0"},
    "NowcastNoNewScan": {"nowcast_scan_age_seconds": "901"},
    "NowcastStale": {"nowcast_nowcast_age_seconds": "901"},
    "NowcastWithheld": {"nowcast_rung_step": "4"},
    "NowcastFallback": {"nowcast_rung_step": "2"},
    "NowcastBelowPersistence": {'nowcast_mean_csi{method="served"}': "0.3"},
    "NowcastNotScored": {"nowcast_scored_age_seconds": "4501"},
    "NowcastSlow": {'nowcast_scan_to_nowcast_seconds_bucket{le="10"}': "0+0"},
    "NowcastBacklog": {"nowcast_queue_scans": "4"},
    "NowcastRefusals": {"nowcast_refused_files": "0+1"},
    "NowcastGaps": {'nowcast_slots{status="missing"}': "15"},
    "NowcastAlertsStuck": {"nowcast_alerts_oldest_waiting_seconds": "601"},
    "NowcastAlertsGivenUp": {"nowcast_alerts_given_up": "0+1"},
    "NowcastDiskLow": {'nowcast_store_free_bytes{instance="api"}': "9e9"},
}
"""What is different when a rule must fire: 15 missing of 288 slots are more than a twentieth."""


def test_every_figure_that_is_named_is_told() -> None:
    named = set(re.findall(r"\bnowcast_\w+", RULES.read_text() + json.dumps(expressions())))
    assert named - KNOWN == set()
    assert {*GAUGES} - named == set(), "no figure that nobody looks at"


def test_every_rule_says_how_bad_and_is_tested() -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert [rule["alert"] for rule in rules] == list(ILL)
    assert {rule["labels"]["severity"] for rule in rules} == {"page", "ticket"}


@needs_promtool
def test_each_rule_fires_for_its_cause_alone_and_none_for_a_healthy_region(tmp_path: Path) -> None:
    cases = {"": {}, **ILL}
    told = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", **case(name, changed)} for name, changed in cases.items()],
    }
    path = tmp_path / "rules_test.yml"
    path.write_text(yaml.safe_dump(told))
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def case(name: str, changed: dict[str, str]) -> dict[str, Any]:
    """After two hours and a half of the changed values, this alert fires and no other."""
    series = [{"series": labelled(key), "values": lasting(value)} for key, value in (WELL | changed).items()]
    wanted = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    return {
        "name": name or "healthy",
        "input_series": series,
        "promql_expr_test": [{"expr": expression, "eval_time": "150m", "exp_samples": wanted}],
    }


def labelled(series: str) -> str:
    """With instance and region, where it does not name an instance."""
    if "instance=" in series:
        return series
    name, _, labels = series.partition("{")
    return f'{name}{{instance="api", region="here"{", " + labels if labels else "}"}'


def lasting(value: str) -> str:
    """For 150 minutes, in promtool's words."""
    return f"{value}x150" if "+" in value else f"{value}+0x150"


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def panels() -> Iterator[dict[str, Any]]:
    yield from json.loads(DASHBOARD.read_text())["panels"]


def test_no_two_panels_of_the_dashboard_overlap() -> None:
    cells = [
        (place["x"] + dx, place["y"] + dy)
        for place in (panel["gridPos"] for panel in panels())
        for dx in range(place["w"])
        for dy in range(place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
