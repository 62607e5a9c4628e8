"""What an operator sees: pages of Prefect, of the service and of Prometheus, by headless Chromium."""

import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from station import REGION, Station

ROOT = Path(__file__).resolve().parents[2]
GRAPHS = (
    "histogram_quantile(0.99, sum by (region, le) (rate(nowcast_scan_to_nowcast_seconds_bucket[5m])))",
    "sum by (rung) (increase(nowcast_nowcasts_total[1m]))",
    "nowcast_mean_csi",
)


def shoot(station: Station, into: Path) -> list[str]:
    """PNGs into a folder; their names."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import chromium

    into.mkdir(parents=True, exist_ok=True)
    browser = chromium(1400, 1000)
    for name, url in addresses(station).items():
        browser.get(url)
        time.sleep(6)
        (into / f"{name}.png").write_bytes(browser.get_screenshot_as_png())
    browser.quit()
    return list(addresses(station))


def addresses(station: Station) -> dict[str, str]:
    """By name of the picture."""
    prefect = f"http://127.0.0.1:{station.prefect}"
    names = ("dashboard", "runs", "deployments", "automations", "artifacts", "work-pools")
    found = {f"prefect-{name}": f"{prefect}/{name}" for name in names}
    found["prefect-nowcast"] = f"{prefect}/artifacts/key/nowcast-{REGION}"
    found["map"] = f"http://127.0.0.1:{station.api}/"
    if "prometheus" in station.processes:
        there = f"http://127.0.0.1:{station.prometheus}"
        query = {
            f"g{k}.{key}": value
            for k, expression in enumerate(GRAPHS)
            for key, value in {"expr": expression, "tab": "0", "range_input": "40m"}.items()
        }
        found |= {"prometheus-alerts": f"{there}/alerts", "prometheus-graph": f"{there}/graph?{urlencode(query)}"}
    return found
