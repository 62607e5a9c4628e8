"""What `make check` says of the locked packages."""

import json
from pathlib import Path

import pytest

from infra import supply_chain
from infra.supply_chain import judged, write_sbom

ROOT = Path(__file__).parents[1]
SOUND = {"name": "a", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "b", "skip_reason": "not found"}


def weak(*fixes: str) -> dict[str, object]:
    return {"name": "c", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": list(fixes)}]}


def test_a_weakness_that_can_be_mended_fails() -> None:
    code, lines = judged([SOUND, UNKNOWN, weak("2.1")])
    assert code == 1
    assert lines == ["vulnerabilities: 2 of 3 locked packages checked, 1 to mend", "c 2.0: CVE-1, mended in 2.1"]


def test_one_that_cannot_is_told() -> None:
    code, lines = judged([SOUND, weak()])
    assert code == 0
    assert lines[1] == "c 2.0: CVE-1, not mended yet"


@pytest.mark.parametrize("packages", [None, [], [UNKNOWN]])
def test_a_service_that_cannot_be_reached_fails_nothing_and_is_said(packages: list[dict[str, str]] | None) -> None:
    code, (line,) = judged(packages)
    assert code == 0
    assert "NOT CHECKED" in line


def test_what_was_looked_into_and_does_not_concern_us_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply_chain, "ACCEPTED", {"CVE-1": "never called"})
    assert judged([weak("2.1")])[0] == 0


def test_the_bill_names_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    write_sbom(tmp_path / "sbom.json")
    bill = json.loads((tmp_path / "sbom.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "nowcast"
    assert {"icechunk", "torch", "ray"} <= {one["name"] for one in bill["components"]}


def test_every_locked_package_has_one_version() -> None:
    lines = (ROOT / "requirements.lock").read_text().split()
    assert all(line.count("==") == 1 for line in lines)
    assert len({line.partition("==")[0].lower().replace("_", "-") for line in lines}) == len(lines)
